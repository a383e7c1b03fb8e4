//! What a user of the public surface is promised, held by counting requests.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what helps a test may fail it"
)]

mod support;

mod answers;
mod building;
mod client_authentication;
mod discovery;
mod errors;
mod flows;
mod gentle;
mod once;
mod retries;
mod secrets;
