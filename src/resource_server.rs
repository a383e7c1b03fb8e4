//! The other end of the token: an API that accepts only what is meant for it.
//!
//! A scope is a word in a token until an API enforces it, and an audience protects no person if no API
//! looks at it. A [`Verifier`] accepts access tokens of one issuer for one audience and nothing else,
//! and a [`Requirement`] says per route what a token must allow.
//!
//! # Without a framework
//!
//! [`Verifier::verify`] takes the token and gives its [`Claims`]. Building a verifier sends nothing: an
//! API starts and serves its open routes while the issuer is down.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use intelliauth::{Client, resource_server::{Verifier, VerifyError}};
//! use intelliauth_emulator::{Config, Emulator};
//!
//! let emulator = Emulator::start(Config::sample()).await?;
//! let client = Client::for_application(emulator.issuer(), "app_01HZX0SERVICE")
//!     .client_secret("sample-service-secret")
//!     .build()?;
//!
//! let banking = Verifier::builder(emulator.issuer(), "api.banking.cymmetri.com").build()?;
//! let token = client.get_access_token("api.banking.cymmetri.com").await?;
//! let claims = banking.verify(token.secret()).await?;
//! assert_eq!(claims.client_id(), Some("app_01HZX0SERVICE"));
//! assert!(claims.scopes().contains("read:transactions"));
//!
//! let health = client.get_access_token("api.health.cymmetri.com").await?;
//! let refused = banking.verify(health.secret()).await.unwrap_err();
//! assert!(matches!(refused, VerifyError::Invalid(_)), "valid, and for another API");
//! # Ok(()) }
//! ```
//!
//! # With tower
//!
//! [`Verifier::layer`] authenticates every request and puts the [`Claims`] into its extensions; a
//! [`RequireLayer`] behind it lets through what is allowed. A requirement without the layer answers
//! 500 and says why in the log: it is never open. [`AuthenticateLayer::optional`] lets requests
//! without a token through as well, and `Option<Claims>` says which they are.
//!
//! The layers fit services with any body. A request of gRPC (tonic) is answered in its own way: `grpc-status` 16
//! for 401, 7 for 403, a `grpc-message`, and the challenge beside it.
//!
//! # With axum
//!
//! With the feature `axum` there is a [`ProtectedRouter`], which takes no route without a requirement,
//! and the extractors [`Claims`] and [`Permitted`].
//!
//! # An API that describes itself
//!
//! [`VerifierBuilder::resource`] names the API's own URL. Then a [`ProtectedRouter`] publishes at
//! `/.well-known/oauth-protected-resource` (RFC 9728) which issuer's tokens it takes and which scopes its routes
//! need, and every challenge says where that is, and which scopes the request needs. A client that knew nothing
//! but the URL goes on from there: [`discover`](crate::discover).
//!
//! # What is answered
//!
//! | what came | answer |
//! |---|---|
//! | no token in the header | 401, `WWW-Authenticate: Bearer` |
//! | a token that is not accepted | 401, `error="invalid_token"` |
//! | a token in the header and another in the query | 400, `error="invalid_request"` |
//! | a token without a scope that the route needs | 403, `error="insufficient_scope"`, `scope` with all that it needs |
//! | a sign-in that was too weak | 401, `error="insufficient_user_authentication"` (RFC 9470) |
//! | any of them, where the API describes itself | the same, with `resource_metadata` (RFC 9728); a 401 with `scope` |
//! | keys that cannot be had | 503 with `Retry-After` |
//!
//! # Numbers
//!
//! | what | default | why |
//! |---|---|---|
//! | algorithms | RS256 | what the platform signs with; [`algorithms`](VerifierBuilder::algorithms) lists others |
//! | leeway | 30 s | what the platform's own SDKs allow, for `exp`, `nbf` and `iat` |
//! | largest token | 16,384 bytes | a larger one fits no header of a usual server |
//! | deepest JSON | 32 levels | claims nest a few |
//! | tokens remembered | 4,096 | the callers of one API within a token's life; [`remembered_tokens`](VerifierBuilder::remembered_tokens) |
//! | life of keys | 10 min, refreshed from 8 min on | a withdrawn key stops working within it |
//! | keys in an outage | 24 h | longer than a repair takes; then 503 |
//! | a fetch for unknown keys | one in 30 s | such a token costs its sender nothing |
//! | pause after a failed fetch | 1 s, doubled up to 30 s | also if the issuer asks for a longer one: without keys an API is down |
//! | waiting for keys | 5 s, 2 s where old ones are there | then 503, or the old ones |
//!
//! # What it does not do
//!
//! It does not ask the issuer whether a token was revoked: that would be a request per request, and tokens are
//! short-lived. It takes no opaque tokens, no encrypted ones, and none that are bound to a key (`cnf`).

mod answer;
#[cfg(feature = "axum")]
mod axum;
mod bearer;
mod body;
mod builder;
mod challenge;
mod claims;
mod extensions;
mod layer;
mod metadata;
mod refusal;
mod requirement;
mod rules;
mod verified_tokens;
mod verifier;

#[cfg(feature = "axum")]
pub use self::axum::{Permission, Permitted, ProtectedRouter, Route, RouteError};
pub use self::{
    body::GuardedBody,
    builder::{SetupError, VerifierBuilder},
    challenge::Challenge,
    claims::{AssuranceLevel, Claims},
    layer::{Authenticate, AuthenticateLayer, Require, RequireLayer},
    metadata::ResourceMetadata,
    refusal::{InvalidToken, KeysUnavailable, VerifyError},
    requirement::{
        Requirement, RequirementError, Shortfall, require_all, require_any, require_level,
        require_scope, require_token,
    },
    verifier::Verifier,
};
pub use crate::jwt::Algorithm;
