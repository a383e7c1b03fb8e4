//! The right access token for every API: one client, many audiences, cached apart and refreshed ahead.
//!
//! An application that calls several APIs needs a separate access token for each: every token says
//! which API it is for (`aud`) and what it may do (`scope`), and another API rejects it. This crate
//! gets them, for the IntelliAuth platform and for other OAuth 2 issuers: once for all callers,
//! never the wrong one, and early enough that no caller waits. This page walks through it in the order in
//! which you meet it.
//!
//! # A client
//!
//! Build one per application and clone it around. Building checks every setting, sends nothing and
//! needs no runtime.
//!
//! ```
//! use intelliauth::Client;
//!
//! let client = Client::for_application("https://banking-cymmetri.intelliauth.local", "app_01HZX0SERVICE")
//!     .client_secret("from-your-secret-manager")
//!     .build()?;
//! # Ok::<(), intelliauth::BuildError>(())
//! ```
//!
//! [`Client::from_env`] reads the variables that the platform documents instead.
//!
//! # A token for each API
//!
//! [`Client::get_access_token`] is the one call. Ask it right before each request to an API, and put
//! [`header_value`](AccessToken::header_value) into that request; keep the client, not the token.
//! Here it talks to the emulator, which plays the platform inside of this test:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use intelliauth::Client;
//! use intelliauth_emulator::{Config, Emulator};
//!
//! let emulator = Emulator::start(Config::sample()).await?;
//! let client = Client::for_application(emulator.issuer(), "app_01HZX0SERVICE")
//!     .client_secret("sample-service-secret")
//!     .build()?;
//!
//! let banking = client.get_access_token("api.banking.cymmetri.com").await?;
//! let health = client.get_access_token("api.health.cymmetri.com").await?;
//! assert_ne!(banking.secret(), health.secret());
//! assert_eq!(banking.danger_unverified_claims().unwrap().audiences(), ["api.banking.cymmetri.com"]);
//!
//! client.get_access_token("api.banking.cymmetri.com").await?;
//! assert_eq!(emulator.token_requests(), 2, "asking again costs no request");
//! # Ok(()) }
//! ```
//!
//! # Scopes
//!
//! Without scopes the issuer gives what it gives by itself. A [`TokenRequest`] names some; a request
//! that is built once and passed by reference costs no allocation. It is answered by the token that
//! was fetched for exactly these scopes, else by the smallest cached one that is *reported* to hold
//! them all.
//!
//! ```
//! use intelliauth::TokenRequest;
//!
//! let request = TokenRequest::new("api.banking.cymmetri.com").scope("read:transactions");
//! # let _ = request;
//! ```
//!
//! # When it does not work
//!
//! [`Error`] has one variant for each next move of the caller, and [`Error::next_move`] says it in a
//! sentence. A failure is remembered for a while, so that the issuer is not asked again at once.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use intelliauth_emulator::{Config, Emulator};
//! # let emulator = Emulator::start(Config::sample()).await?;
//! # let client = intelliauth::Client::for_application(emulator.issuer(), "app_01HZX0SERVICE")
//! #     .client_secret("sample-service-secret").build()?;
//! use intelliauth::{DeniedReason, Error, TokenRequest};
//!
//! let greedy = TokenRequest::new("api.banking.cymmetri.com").scope("write:transactions");
//! match client.get_access_token(&greedy).await {
//!     Err(Error::Denied(denied)) => {
//!         assert_eq!(denied.reason(), DeniedReason::ScopeNotAllowed);
//!         assert_eq!(denied.missing().to_string(), "write:transactions");
//!     }
//!     other => panic!("the application's allowlist is a hard cap: {other:?}"),
//! }
//! # Ok(()) }
//! ```
//!
//! # When an API refuses
//!
//! A token may be revoked before its end, allow too little, or show too weak a sign-in. [`Refusal`] reads
//! what the API says, and [`Client::after_refusal`] decides: repeat the call once with the token that it
//! returns, take the answer as it is, or do what the [`Error`] says. Fifty calls that fail together make one
//! request. With the features `reqwest`, `reqwest-middleware` and `tower` a call is one line, and this is
//! done in it: see [`guide::calls`]. Of an API that describes itself [`discover`] finds the issuer.
//!
//! # The hot path
//!
//! [`Client::audience`] gives an [`AudienceHandle`]: it skips the look-up, its token is never evicted,
//! and [`current`](AudienceHandle::current) is a synchronous, borrowed look for interceptors that
//! cannot wait.
//!
//! # People
//!
//! [`Client::for_person`] is for an application that acts for people. It builds [`People`], each of whom
//! has a [`Session`]. They sign in once, through a browser ([`AuthorizationCode`]) or with a code on another
//! device ([`DeviceCode`]), and the session's client then gets a token for each API. A [`FileStore`] keeps
//! the session beyond the end of the program.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use intelliauth_emulator::{Config, Emulator};
//! # let emulator = Emulator::start(Config::sample()).await?;
//! use intelliauth::{AuthorizationCode, Client, Error, TokenRequest};
//!
//! let people = Client::for_person(emulator.issuer(), "app_01HZX0NATIVE").build()?;
//! let alice = people.session("alice");
//! let transactions = TokenRequest::new("api.banking.cymmetri.com").scope("read:transactions");
//! let login = AuthorizationCode::redirect_to("http://127.0.0.1/callback").request(&transactions);
//!
//! // A program on the person's machine has it easier: `alice.sign_in(AuthorizationCode::loopback())`.
//! let (url, pending) = alice.begin_sign_in(login).await?;
//! let callback = emulator.login_as("usr_01HZX0ALICE").approve(&url).await?;
//! alice.finish_sign_in(&pending, callback.as_str()).await?;
//! alice.client().get_access_token(&transactions).await?;
//!
//! // What she has not consented to is noticed without a request.
//! let settings = TokenRequest::new("https://api.cymmetri.com").scope("write:settings");
//! match alice.client().get_access_token(&settings).await {
//!     Err(Error::Consent(consent)) => assert_eq!(consent.missing().to_string(), "write:settings"),
//!     other => panic!("she was not asked yet: {other:?}"),
//! }
//! # Ok(()) }
//! ```
//!
//! [`Session::resolve`] goes on from there, with one prompt for all callers that wait; a web back end sends
//! the person to [`ConsentRequired::authorization_url`], and has a [session](People::session) for each.
//!
//! # Code that needs a token
//!
//! Take any [`TokenSource`] there, instead of a client: clients, [sessions](Session) and
//! [handles](AudienceHandle) are sources, and the feature `test-util` has a fake for your unit tests
//! ([`guide::testing`]).
//!
//! # The other end of the token
//!
//! An API that gets such tokens accepts those for its own audience alone, and wants a scope on every
//! route: with the feature `resource-server` there is the module `resource_server`, a verifier as strict
//! as the standards, and with `axum` a router that takes no route without a requirement.
//!
//! # The end
//!
//! Refreshes run in the background and die with the runtime. [`Client::close`] waits for those that
//! are under way. A program that lives for seconds uses [`RefreshAhead::Inline`].
//!
//! # Other issuers, other grants
//!
//! [`Dialect`] holds what issuers do differently, for example whether they want the audience as
//! `audience` or as `resource` (RFC 8707). A grant, or a source of tokens, that is not here is a
//! [`Flow`] of yours.
//!
//! # Further
//!
//! - [`guide::calls`]: calling an API with reqwest, its middleware, tower or anything else.
//! - [`guide::caching`]: what answers what, when a token is refreshed, what a failure leaves behind.
//! - [`guide::testing`]: your own tests, with a clock that you move and an issuer that misbehaves.
//! - [`guide::consent`]: people, consent, and how a session stays alive.
//! - [`guide::stores`]: sessions in a database of your own, and a suite that says whether it is right.
//! - [`guide::tenants`]: a client for each of many tenants, what they cost and share.
//! - [`guide::servers`]: which authorization server wants which setting.
//! - [`guide::defaults`]: every number with its reason.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `browser` | yes | [`AuthorizationCode::loopback`] opens the system's browser; without it the URL is shown |
//! | `file-store` | yes | `FileStore`: sessions of people in files that outlive the process |
//! | `qrcode` | no | `DevicePrompt::qr_code`, and a QR code where `DeviceCode::terminal` writes its code |
//! | `test-util` | no | for your own tests: a fake source of tokens, every error, and a suite for stores of your own |
//! | `reqwest` | no | `AudienceHandle::send` and `send`: an API call with reqwest, and what follows from its answer |
//! | `reqwest-middleware` | no | `Client::middleware`, for the crate of that name; brings `reqwest` |
//! | `tower` | no | `Client::layer`: hyper-util, tonic, any client of `http` requests |
//! | `resource-server` | no | the other end of the token: `Verifier`, tower layers, requirements |
//! | `axum` | no | a router that takes no route without a requirement, and extractors; brings `resource-server` |
//!
//! # What it does not do
//!
//! It is no HTTP client: requests to an API go out through yours, with
//! [`header_value`](AccessToken::header_value), or through what the features put around it. It has no pages: people sign in and consent at the issuer,
//! and [signing out](Session::sign_out) ends the session here; the one that their browser has there ends
//! [on a page of the issuer](Session::begin_sign_out).
//! For a client, what a token says about itself is only [read](AccessToken::danger_unverified_claims),
//! never verified: that is the API's task too. Of the OAuth grants it speaks client credentials,
//! authorization code, device code and refresh token; another one is a [`Flow`] of yours.

mod account;
mod cache;
mod client;
mod dialect;
mod endpoint;
mod error;
mod flow;
pub mod guide;
#[cfg(any(feature = "axum", feature = "reqwest", feature = "tower"))]
mod http;
mod jwt;
mod login;
mod refusal;
mod request;
#[cfg(feature = "resource-server")]
pub mod resource_server;
mod scope;
mod secret;
mod session;
mod slot;
mod source;
mod store;
#[cfg(feature = "test-util")]
pub mod test_util;
mod time;
mod token;

pub use account::Account;
pub use cache::{RefreshAhead, Stats};
pub use client::{
    AudienceHandle, BuildError, Client, ClientBuilder, DEFAULT_CACHE_CAPACITY,
    DEFAULT_FLIGHT_TIMEOUT, DEFAULT_RETRIES, DEFAULT_SESSION, DEFAULT_STORE_TIMEOUT,
    DEFAULT_WAIT_TIMEOUT, People, Session, SignedOut,
};
pub use dialect::{AudienceParameter, Dialect, TokenFamily};
pub use endpoint::{
    ClientAuthentication, Connections, ProtectedResource, ResourceDiscovery, Revocation, discover,
};
pub use error::{
    ConsentRequired, Denied, DeniedReason, Error, InvalidRequest, IssuerAnswer, LoginRequired,
    NotCached, ProtocolViolation, StepUpRequired, StoreError, StoreErrorKind, Unavailable,
    UnavailableReason, Violation,
};
pub use flow::{ClientCredentials, ExtensionGrant, Flow, FlowContext};
#[cfg(any(feature = "reqwest", feature = "tower"))]
pub use http::Api;
#[cfg(feature = "reqwest-middleware")]
pub use http::TokenMiddleware;
#[cfg(feature = "reqwest")]
pub use http::{CallError, send};
#[cfg(feature = "tower")]
pub use http::{SecondBody, SendAgain, SendOnce, TokenLayer, TokenService};
pub use jwt::UnverifiedClaims;
pub use login::{
    AuthorizationCode, DeviceCode, DevicePrompt, EndSession, PendingLogin, PendingLogout, Prompt,
    SignIn,
};
pub use refusal::{Refusal, RefusalKind};
pub use request::{CacheMode, TokenRequest};
pub use scope::{Audience, Scope, ScopeError, Scopes};
pub use secret::Secret;
pub use session::SessionInfo;
pub use source::{AfterRefusal, BoxedTokenSource, TokenSource};
#[cfg(feature = "file-store")]
pub use store::FileStore;
pub use store::{
    ChangeSender, FamilyKey, HeldLock, LARGEST_RECORD, Lease, MemoryStore, Saved, SessionKey,
    SessionLock, SessionRecord, SessionStore, StoreChange, StoreChanges, Version, VersionError,
};
pub use time::{Clock, ManualClock, Moment, SystemClock};
pub use token::{AccessToken, Source, TokenRef, TokenResponse};

/// The code in `README.md` is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
