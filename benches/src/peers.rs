//! Everybody else's token cache, each driven as its documentation says and with its own defaults.

mod aliri;
mod aws;
mod azure;
mod gcp;
mod google;
mod hand;
mod huskarl;
mod key;
mod object_store;
mod yup;

pub(crate) use google::GoogleHeaders;

use crate::{
    case::Plan,
    subject::{Subject, Tokens as _},
};

/// The published ones that keep tokens apart by audience or scope.
pub(crate) const KEYED: [&str; 4] = [
    yup::Yup::NAME,
    azure::Azure::NAME,
    aws::Aws::NAME,
    gcp::Gcp::NAME,
];

/// The one that most people write first.
pub(crate) const RW_LOCK: &str = hand::RwLocked::NAME;

/// Their hits.
pub(crate) fn plans() -> Vec<Plan> {
    vec![
        Plan::hit::<yup::Yup>(),
        Plan::hit::<azure::Azure>(),
        Plan::hit::<aws::Aws>(),
        Plan::hit::<object_store::ObjectStore>(),
        Plan::hit::<google::Google>(),
        Plan::hit::<GoogleHeaders>(),
        Plan::hit::<gcp::Gcp>(),
        Plan::hit::<huskarl::Huskarl>(),
        Plan::hit::<aliri::Aliri>(),
        Plan::hit::<hand::RwLocked>(),
        Plan::hit::<hand::Moka>(),
    ]
}

/// How they behave.
pub(crate) fn subjects() -> Vec<Subject> {
    vec![
        Subject::of::<yup::Yup>(),
        Subject::of::<azure::Azure>(),
        Subject::of::<aws::Aws>(),
        Subject::of::<object_store::ObjectStore>(),
        Subject::of::<google::Google>(),
        Subject::of::<gcp::Gcp>(),
        Subject::of::<huskarl::Huskarl>(),
        Subject::of::<aliri::Aliri>(),
        Subject::of::<hand::RwLocked>(),
        Subject::of::<hand::Moka>(),
    ]
}

/// The HTTP client of the peers that bring none: no proxy, everything here is on loopback.
fn http() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().build()?)
}
