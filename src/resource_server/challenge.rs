//! [`Challenge`]: what an API answers to a request that it does not let through (RFC 6750 section 3).

use std::{fmt::Write as _, time::Duration};

use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::{Value, json};
use url::Url;

use super::{
    refusal::{InvalidToken, VerifyError},
    requirement::{Requirement, Shortfall},
};
use crate::scope::{Scope, Scopes};

/// An answer that says what was wrong, and nothing of what was sent.
///
/// For an API without a framework of its own: [`into_response`](Self::into_response) makes a response
/// of the `http` crate.
///
/// # Examples
///
/// ```
/// use intelliauth::resource_server::Challenge;
///
/// let response: http::Response<String> = Challenge::missing_token().into_response();
/// assert_eq!(response.status(), 401);
/// assert_eq!(response.headers()["www-authenticate"], "Bearer");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    status: StatusCode,
    /// `WWW-Authenticate`, where another token could be accepted.
    authenticate: Option<String>,
    retry_after: Option<Duration>,
    body: Option<Value>,
    /// The same in words, for gRPC.
    message: String,
}

impl Challenge {
    /// 401: there is no token. RFC 6750 section 3.1: then no error is named.
    pub fn missing_token() -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            authenticate: Some(BARE.to_owned()),
            retry_after: None,
            body: None,
            message: "there is no token".to_owned(),
        }
    }

    /// 401: the token is not accepted.
    pub fn invalid_token(why: InvalidToken) -> Self {
        Self::error(StatusCode::UNAUTHORIZED, "invalid_token", &why.to_string())
    }

    /// 401: what follows `Bearer` cannot be a token.
    pub(super) fn malformed_token() -> Self {
        let why = "what follows the scheme is no token";
        Self::error(StatusCode::UNAUTHORIZED, "invalid_token", why)
    }

    /// 400: there is more than one token, or one in more than one place.
    pub fn several_tokens() -> Self {
        let why = "there is more than one token";
        Self::error(StatusCode::BAD_REQUEST, "invalid_request", why)
    }

    /// 403 for a missing scope, 401 for a sign-in that was too weak.
    pub fn shortfall(shortfall: &Shortfall) -> Self {
        match shortfall {
            Shortfall::Scopes { required, missing } => Self::insufficient_scope(required, missing),
            Shortfall::Level(level) => {
                // RFC 9470 section 3.
                let why = "a stronger sign-in is needed";
                let error = "insufficient_user_authentication";
                let challenge = Self::error(StatusCode::UNAUTHORIZED, error, why);
                challenge.with_attribute("acr_values", &level.to_string())
            }
        }
    }

    /// RFC 6750 section 3.1. The body is the platform's, with what is missing; the header names all
    /// that the route needs, so that one new token will do.
    fn insufficient_scope(required: &Scopes, missing: &Scopes) -> Self {
        let error = "insufficient_scope";
        let mut challenge = Self::error(StatusCode::FORBIDDEN, error, "the token lacks a scope");
        let names: Vec<&str> = missing.iter().map(Scope::as_str).collect();
        let lacking = match names.as_slice() {
            [only] => json!(only),
            several => json!(several),
        };
        challenge.body = Some(json!({ "error": error, "required": lacking }));
        challenge.with_attribute("scope", &required.to_string())
    }

    /// 503: it is unknown whether the token is good.
    fn unavailable(retry_after: Duration) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            authenticate: None,
            retry_after: Some(retry_after),
            body: Some(json!({ "error": "temporarily_unavailable" })),
            message: "tokens cannot be verified at present".to_owned(),
        }
    }

    /// 500: the API is put together wrongly. The log says how.
    pub(super) fn misconfigured() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            authenticate: None,
            retry_after: None,
            body: Some(json!({ "error": "server_error" })),
            message: "the API is put together wrongly".to_owned(),
        }
    }

    /// All attributes are texts of this crate or scopes, whose grammar has neither quotes nor controls.
    fn error(status: StatusCode, error: &str, why: &str) -> Self {
        Self {
            status,
            authenticate: Some(format!(
                r#"Bearer error="{error}", error_description="{why}""#
            )),
            retry_after: None,
            body: Some(json!({ "error": error })),
            message: why.to_owned(),
        }
    }

    /// Says where the API describes itself (RFC 9728 section 5.1), and which scopes a token for this request
    /// needs where that is not said yet. A URL as [`Url`] writes it has no quotes.
    pub(super) fn described(self, metadata: &Url, requirement: Option<&Requirement>) -> Self {
        let lacks_scope = self.status == StatusCode::UNAUTHORIZED;
        let scopes = requirement.map(Requirement::scopes);
        let scopes = scopes.filter(|scopes| lacks_scope && !scopes.is_empty());
        let described = self.with_attribute("resource_metadata", metadata.as_str());
        match scopes {
            Some(scopes) => described.with_attribute("scope", &scopes.to_string()),
            None => described,
        }
    }

    fn with_attribute(mut self, name: &str, value: &str) -> Self {
        if let Some(authenticate) = &mut self.authenticate {
            let comma = if authenticate == BARE { "" } else { "," };
            // Writing into a `String` cannot fail.
            let _ = write!(authenticate, r#"{comma} {name}="{value}""#);
        }
        self
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The same as gRPC answers it: 200, the status in a header, no body.
    ///
    /// The challenge stands beside it, so that a client can read what is missing.
    pub fn into_grpc_response<B: Default>(self) -> Response<B> {
        // The codes of gRPC: UNAUTHENTICATED, PERMISSION_DENIED, INVALID_ARGUMENT, UNAVAILABLE, INTERNAL.
        let status = match self.status {
            StatusCode::UNAUTHORIZED => "16",
            StatusCode::FORBIDDEN => "7",
            StatusCode::BAD_REQUEST => "3",
            StatusCode::SERVICE_UNAVAILABLE => "14",
            _ => "13",
        };
        let mut response = Response::new(B::default());
        let headers = response.headers_mut();
        let grpc = HeaderValue::from_static("application/grpc");
        headers.insert(CONTENT_TYPE, grpc);
        headers.insert("grpc-status", HeaderValue::from_static(status));
        // All messages are texts of this crate, without what gRPC would have escaped.
        if let Ok(message) = HeaderValue::try_from(self.message) {
            headers.insert("grpc-message", message);
        }
        if let Some(Ok(value)) = self.authenticate.map(HeaderValue::try_from) {
            headers.insert(WWW_AUTHENTICATE, value);
        }
        response
    }

    /// The whole answer.
    pub fn into_response<B: From<String>>(self) -> Response<B> {
        let body = self.body.map(|body| body.to_string());
        let has_body = body.is_some();
        let mut response = Response::new(B::from(body.unwrap_or_default()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        // What was refused now may be allowed to the next.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if has_body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(Ok(value)) = self.authenticate.map(HeaderValue::try_from) {
            headers.insert(WWW_AUTHENTICATE, value);
        }
        if let Some(wait) = self.retry_after {
            // Rounded up: too early would be in vain.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<VerifyError> for Challenge {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Invalid(why) => Self::invalid_token(why),
            VerifyError::Unavailable(keys) => Self::unavailable(keys.retry_after()),
        }
    }
}

/// A challenge that says nothing more (RFC 6750 section 3.1).
const BARE: &str = "Bearer";
