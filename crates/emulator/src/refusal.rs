//! Why an OAuth endpoint says no: the one table of codes and statuses.

use axum::http::{HeaderName, HeaderValue, StatusCode};

use crate::audit::Outcome;
use crate::keys::KeyFailure;
use crate::random::NoRandomness;

/// A refusal, with the sentence that helps the developer on the other side.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) description: String,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

/// The error codes of the OAuth endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    UnauthorizedClient,
    UnsupportedGrantType,
    InvalidScope,
    InvalidTarget,
    RateLimited,
    ServerError,
    TenantSuspended,
    AccessDenied,
    AuthorizationPending,
    ConsentRequired,
    ExpiredToken,
    InteractionRequired,
    InvalidRedirectUri,
    InvalidToken,
    InsufficientScope,
    LoginRequired,
    PkceRequired,
    SlowDown,
    UnmetAuthenticationRequirements,
    UnsupportedResponseType,
}

impl Code {
    /// Code, status and audited outcome. The platform documents the codes and leaves the statuses
    /// open; they are the RFC's where there is one.
    const fn row(self) -> (&'static str, StatusCode, Outcome) {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        match self {
            // RFC 6749 section 5.2
            Self::InvalidRequest => ("invalid_request", BAD, Outcome::Failure),
            Self::InvalidClient => ("invalid_client", StatusCode::UNAUTHORIZED, Outcome::Failure),
            Self::InvalidGrant => ("invalid_grant", BAD, Outcome::Denied),
            Self::UnauthorizedClient => ("unauthorized_client", BAD, Outcome::Denied),
            Self::UnsupportedGrantType => ("unsupported_grant_type", BAD, Outcome::Failure),
            Self::InvalidScope => ("invalid_scope", BAD, Outcome::Denied),
            // RFC 6749 section 4.1.2.1
            Self::AccessDenied => ("access_denied", BAD, Outcome::Denied),
            Self::UnsupportedResponseType => ("unsupported_response_type", BAD, Outcome::Failure),
            // RFC 6750 section 3.1
            Self::InvalidToken => ("invalid_token", StatusCode::UNAUTHORIZED, Outcome::Denied),
            Self::InsufficientScope => {
                ("insufficient_scope", StatusCode::FORBIDDEN, Outcome::Denied)
            }
            // RFC 8628 section 3.5
            Self::AuthorizationPending => ("authorization_pending", BAD, Outcome::Denied),
            Self::SlowDown => ("slow_down", BAD, Outcome::Denied),
            Self::ExpiredToken => ("expired_token", BAD, Outcome::Denied),
            // OpenID Connect Core section 3.1.2.6
            Self::LoginRequired => ("login_required", BAD, Outcome::Denied),
            Self::ConsentRequired => ("consent_required", BAD, Outcome::Denied),
            Self::InteractionRequired => ("interaction_required", BAD, Outcome::Denied),
            // OpenID Connect Core Unmet Authentication Requirements section 2
            Self::UnmetAuthenticationRequirements => {
                ("unmet_authentication_requirements", BAD, Outcome::Denied)
            }
            // RFC 8707 section 2
            Self::InvalidTarget => ("invalid_target", BAD, Outcome::Denied),
            // The platform's own
            Self::PkceRequired => ("pkce_required", BAD, Outcome::Failure),
            Self::InvalidRedirectUri => ("invalid_redirect_uri", BAD, Outcome::Failure),
            Self::RateLimited => (
                "rate_limited",
                StatusCode::TOO_MANY_REQUESTS,
                Outcome::Denied,
            ),
            Self::ServerError => (
                "server_error",
                StatusCode::INTERNAL_SERVER_ERROR,
                Outcome::Failure,
            ),
            // A guess: the platform only speaks of a "paused-account" reply.
            Self::TenantSuspended => ("tenant_suspended", StatusCode::FORBIDDEN, Outcome::Denied),
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        self.row().0
    }

    pub(crate) const fn status(self) -> StatusCode {
        self.row().1
    }

    pub(crate) const fn outcome(self) -> Outcome {
        self.row().2
    }
}

impl Refusal {
    pub(crate) fn new(code: Code, description: impl Into<String>) -> Self {
        Self {
            code,
            description: description.into(),
            headers: Vec::new(),
        }
    }

    pub(crate) fn invalid_request(description: impl Into<String>) -> Self {
        Self::new(Code::InvalidRequest, description)
    }

    /// Adds a header, if the value can be one.
    pub(crate) fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }
}

/// The emulator itself failed.
impl From<KeyFailure> for Refusal {
    fn from(failure: KeyFailure) -> Self {
        Self::new(Code::ServerError, failure.to_string())
    }
}

impl From<NoRandomness> for Refusal {
    fn from(failure: NoRandomness) -> Self {
        Self::new(Code::ServerError, failure.to_string())
    }
}
