//! The command against the emulator, as a user starts it.
#![cfg(unix)]
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "the lints spare test functions, and these helpers serve nothing else"
)]

mod codes;
mod formats;
mod people;
mod profiles;
mod programs;
mod readme;
mod support;
