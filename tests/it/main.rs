//! What a user of the public surface is promised, held by counting requests.

mod support;

mod building;
mod client_authentication;
mod discovery;
mod errors;
mod flows;
mod gentle;
mod once;
mod secrets;
