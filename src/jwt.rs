//! JSON web tokens: read without trusting them, or verified strictly.
//!
//! What the check of an ID token and the resource server share: a strict JSON reader, the compact
//! form of a JWS, keys and key sets, the signature, and the claims that both look at. Bytes that
//! nobody has signed get no further than the header; the claims are read after the signature held.

mod algorithm;
mod claim_set;
pub(crate) mod id_token;
mod json;
mod jws;
mod key;
pub(crate) mod key_set;
pub(crate) mod refused;
mod unverified;

#[cfg(test)]
pub(crate) mod signer;
#[cfg(test)]
mod vectors;

pub use unverified::UnverifiedClaims;
