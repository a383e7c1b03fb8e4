//! The emulator through its public face: HTTP and the handle.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "the lints spare test functions, and these helpers serve nothing else"
)]

mod admin;
mod authorize;
mod browser;
mod codes;
#[cfg(feature = "binary")]
mod command;
mod config;
mod control;
mod discovery;
mod faults;
mod introspection;
mod lifecycle;
mod pages;
mod people;
mod person;
mod refresh;
mod secrets;
mod sign_in;
mod support;
mod switches;
mod token;
