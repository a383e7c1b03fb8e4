//! The other end of the token, over HTTP: what is accepted, what is answered, what the issuer is asked.

mod answers;
mod corpus;
mod described;
mod emulator;
pub(crate) mod issuer;
mod keys;
mod routes;
mod secrets;
