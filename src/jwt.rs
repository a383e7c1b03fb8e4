//! JSON web tokens: read without trusting them, or verified strictly.
//!
//! What the check of an ID token and the resource server share: a strict JSON reader, the compact
//! form of a JWS, keys and key sets, the signature, and the claims that both look at. Bytes that
//! no issuer has signed get no further than the header; the claims are read after the signature is verified.

#[cfg_attr(
    not(feature = "resource-server"),
    expect(unreachable_pub, reason = "the resource server shows it")
)]
mod algorithm;
#[cfg_attr(
    not(feature = "resource-server"),
    expect(dead_code, reason = "the resource server looks at more of them")
)]
mod claim_set;
pub(crate) mod id_token;
mod json;
#[cfg_attr(
    not(feature = "resource-server"),
    expect(dead_code, reason = "the resource server keeps headers")
)]
mod jws;
mod key;
mod key_set;
#[cfg_attr(
    not(feature = "resource-server"),
    expect(dead_code, reason = "the resource server has more rules")
)]
mod refused;
mod unverified;

#[cfg(test)]
pub(crate) mod signer;
#[cfg(test)]
mod vectors;

#[cfg(feature = "resource-server")]
pub use algorithm::Algorithm;
#[cfg(feature = "resource-server")]
pub(crate) use claim_set::{ClaimSet, LEEWAY, seconds};
#[cfg(feature = "resource-server")]
pub(crate) use jws::{Compact, Headers, Kind};
pub(crate) use key_set::{KeySet, KeySetError};
pub(crate) use refused::Refused;
pub use unverified::UnverifiedClaims;
