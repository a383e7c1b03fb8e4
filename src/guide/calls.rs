//! Calling an API: the token goes where the request goes, and the API's answer is understood.
//!
//! A call by hand has three parts: a token, the request, and what follows if the API refuses. The third is
//! where most of the mistakes are made, so it is made once, in
//! [`Client::after_refusal`](crate::Client::after_refusal), and everything here uses it.
//!
//! | you call with | use | feature |
//! |---|---|---|
//! | reqwest | [`AudienceHandle::send`](crate::AudienceHandle), or `send` for any [`TokenSource`](crate::TokenSource) | `reqwest` |
//! | reqwest through the crate `reqwest-middleware` | `Client::middleware` | `reqwest-middleware` |
//! | a tower service: hyper-util, tonic | `Client::layer` | `tower` |
//! | anything else | [`Refusal`](crate::Refusal) and [`Client::after_refusal`](crate::Client::after_refusal) | none |
//!
//! No feature is on by default; `reqwest` and `tower` add no crate that the default build would not have
//! anyway but `tower-layer` and `tower-service`.
//!
//! # What an API says, and what follows
//!
//! | answer | what is done |
//! |---|---|
//! | 401 with `Bearer` and `invalid_token`, or without an error | the token is dropped if it is still the current one; one new for all callers; the call is repeated once |
//! | 401 without `WWW-Authenticate` | the same: the platform's own samples answer so |
//! | 403 `insufficient_scope` | a token with the scopes that are missing too, if they may be asked for; the call is repeated once |
//! | the same, for a person who has not consented | [`Error::Consent`](crate::Error::Consent), without a token request |
//! | the same, for scopes that were not listed | [`Error::Denied`](crate::Error::Denied) names them, without a token request |
//! | the same, and no scope is named that the token lacks | [`Error::Denied`](crate::Error::Denied), without a token request |
//! | `insufficient_user_authentication` (RFC 9470) | [`Error::StepUp`](crate::Error::StepUp); the token stays in use |
//! | another scheme's challenge (`Basic` of a proxy), another audience's, another error | it is the answer |
//! | the second refusal of one call | it is the answer |
//!
//! `grpc-status` 16 counts as 401, and 7 as 403 if a challenge comes with it. An API that always answers 401
//! costs one token request each half minute: then calls fail with
//! [`DeniedReason::RejectedByApi`](crate::DeniedReason::RejectedByApi).
//!
//! # An API of which only the URL is known
//!
//! A server of the Model Context Protocol, say: its refusal says where it describes itself (RFC 9728), and
//! [`discover`](crate::discover) reads there which issuers' tokens it takes, under which name, with which scopes.
//! The address comes from another party, so it is asked with care: https, no redirect, public addresses, 64 KiB;
//! and what it says has to be about that API. An API on this machine may describe itself on this machine. Which
//! issuer to trust stays the program's decision.
//!
//! # Which scopes may be asked for
//!
//! Those that the call names, and those that are listed for the API (`Api::allow_scopes`,
//! [`Refusal::allow_scopes`](crate::Refusal::allow_scopes)). An API must not grow what a person is asked to
//! consent to by naming more.
//!
//! # Where a token may go
//!
//! To https, or to a loopback address. The middleware and the layer give it to origins alone that were
//! named: scheme, host and port. reqwest sends no `Authorization` along a redirect to another origin, nor from
//! there back, so an answer from another URL than the request's is handed up, whatever it says. A request with
//! an `Authorization` of its own is left as it is.
//!
//! # Bodies
//!
//! A request is repeated only if its body can be sent twice: reqwest knows that, and the layer is told with
//! `TokenLayer::repeating`. Otherwise the token is dropped and the answer handed up; the next call gets
//! another token. Of a refusal's body at most 8 KiB are read, for 5 s at most: one that comes late or torn
//! decides nothing, and is handed up as it came.
//!
//! # Errors
//!
//! `reqwest_middleware::Error` and `tower::BoxError` are not ours: [`Error::find`](crate::Error::find) gets
//! ours out of them. In a back end [`Error::suggested_status`](crate::Error::suggested_status) says what to
//! answer; with the feature `axum` an error is an answer by itself.
