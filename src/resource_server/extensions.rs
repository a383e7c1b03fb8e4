//! What the authentication layer leaves in a request, for what stands behind it.

use http::request;

use super::{challenge::Challenge, claims::Claims, requirement::Requirement, verifier::Verifier};

/// A request that was let through as a preflight, without claims.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preflight;

/// A request that was let through without a token, where that is allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anonymous;

/// The API that describes itself, for what refuses a request behind the layer.
#[derive(Clone, Debug)]
pub(super) struct Described(pub(super) Verifier);

/// The claims that an authentication layer put into the request. Without one nothing is open.
pub(super) fn claims(parts: &request::Parts) -> Result<&Claims, Challenge> {
    let found = parts.extensions.get::<Claims>();
    match found {
        Some(claims) => Ok(claims),
        None if parts.extensions.get::<Anonymous>().is_some() => Err(Challenge::missing_token()),
        None => Err(without_layer(parts)),
    }
}

/// The claims, or nothing where a layer let the request through without a token.
#[cfg(feature = "axum")]
pub(super) fn optional_claims(parts: &request::Parts) -> Result<Option<&Claims>, Challenge> {
    let found = parts.extensions.get::<Claims>();
    let is_let_through = parts.extensions.get::<Anonymous>().is_some()
        || parts.extensions.get::<Preflight>().is_some();
    if found.is_none() && !is_let_through {
        return Err(without_layer(parts));
    }
    Ok(found)
}

fn without_layer(parts: &request::Parts) -> Challenge {
    tracing::warn!(
        path = parts.uri.path(),
        "a route looks at claims, but there is no authentication layer in front of it: add \
         Verifier::layer (optional() where a token need not come), or use a ProtectedRouter; answered 500"
    );
    Challenge::misconfigured()
}

/// The challenge with what a caller needs to get a token, where the API describes itself.
pub(super) fn described(
    challenge: Challenge,
    requirement: Option<&Requirement>,
    parts: &request::Parts,
) -> Challenge {
    let described = parts.extensions.get::<Described>();
    match described.and_then(|Described(verifier)| verifier.resource_metadata()) {
        Some(metadata) => challenge.described(metadata.url(), requirement),
        None => challenge,
    }
}
