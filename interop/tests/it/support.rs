//! The foreign parts: how they are started, asked and ended.

mod chromium;
mod folder;
mod foreign;
mod part;
mod peer;
mod person;
mod server;

pub(crate) use chromium::Chromium;
pub(crate) use folder::Folder;
pub(crate) use foreign::{Foreign, accounts, login, records};
pub(crate) use part::Part;
pub(crate) use peer::{Peer, Question, ours};
pub(crate) use person::{Person, Visit};
pub(crate) use server::{
    BANKING, DESKTOP, HEALTH, PORTAL_CALLBACK, Server, Settings, TRICKY_SECRET,
};

/// The HTTP client of the tests themselves, for what is asked beside the client under test.
pub(crate) fn http() -> reqwest::Client {
    // Whatever proxy the system names, it is not for a server on this machine.
    reqwest::Client::builder().no_proxy().build().unwrap()
}
