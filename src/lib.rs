//! The right access token for every API.
mod cache;
mod client;
mod dialect;
mod endpoint;
mod error;
mod flow;
mod jwt;
mod request;
mod scope;
mod secret;
mod time;
mod token;

pub use cache::{Counts, RefreshAhead};
pub use client::{
    AudienceHandle, BuildError, Client, ClientBuilder, DEFAULT_CACHE_CAPACITY,
    DEFAULT_FLIGHT_TIMEOUT, DEFAULT_RETRIES, DEFAULT_WAIT_TIMEOUT,
};
pub use dialect::{AudienceParameter, Dialect};
pub use endpoint::ClientAuthentication;
pub use error::{
    ConsentRequired, Denied, DeniedReason, Error, InvalidRequest, IssuerAnswer, LoginRequired,
    NotCached, ProtocolViolation, StepUpRequired, Unavailable, UnavailableReason, Violation,
};
pub use flow::{ClientCredentials, ExtensionGrant, Flow, FlowContext, TokenResponse};
pub use jwt::UnverifiedClaims;
pub use request::{CacheMode, TokenRequest};
pub use scope::{Audience, Scope, ScopeError, Scopes};
pub use secret::Secret;
pub use time::{Clock, ManualClock, Moment, SystemClock};
pub use token::{AccessToken, Source, TokenRef};
