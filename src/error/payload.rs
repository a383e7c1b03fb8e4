//! What each variant of [`Error`](super::Error) carries.

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

use super::table;
use crate::scope::{Audience, Scopes};

mod denied;
mod person;
mod protocol;
mod store;
mod unavailable;

pub use denied::{Denied, DeniedReason};
pub use person::{ConsentRequired, LoginRequired, StepUpRequired};
pub(crate) use person::{Proof, Resume};
pub use protocol::{ProtocolViolation, Violation};
pub use store::{StoreError, StoreErrorKind};
pub use unavailable::{Unavailable, UnavailableReason};

/// What was asked for: the part of a request that an error repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) audience: Audience,
    pub(crate) scopes: Scopes,
}

/// What a refusal says beyond its code.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusal {
    /// The scopes that the issuer named as the obstacle; empty when it named none.
    pub(crate) named_scopes: Scopes,
    /// When to come back, as the issuer said.
    pub(crate) retry_after: Option<Duration>,
}

/// What the issuer answered, for logs and bug reports.
///
/// The text that it wrote for people may repeat what was sent, so `Debug` and every error message
/// leave it out; [`description`](Self::description) hands it over to those who ask.
#[derive(Clone)]
pub struct IssuerAnswer {
    status: u16,
    code: Option<String>,
    description: Option<String>,
    request_id: Option<String>,
}

impl IssuerAnswer {
    pub(crate) fn new(status: u16) -> Self {
        Self {
            status,
            code: None,
            description: None,
            request_id: None,
        }
    }

    pub(crate) fn with_code(mut self, code: Option<String>) -> Self {
        self.code = code;
        self
    }

    pub(crate) fn with_description(mut self, description: Option<String>) -> Self {
        self.description = description;
        self
    }

    pub(crate) fn with_request_id(mut self, request_id: Option<String>) -> Self {
        self.request_id = request_id;
        self
    }

    /// The HTTP status; 400 for an error that came in a redirect, which has none of its own.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The error code (`error` of RFC 6749 section 5.2), where there was one.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The text for people (`error_description`, or `message` of the platform's envelope).
    ///
    /// It is the issuer's own text and may repeat secrets that were sent: look before you log it.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The platform's `request_id`, which its support asks for.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The code if it is a known one: a hostile answer could put a secret there, and some look so.
    fn shown_code(&self) -> Option<&str> {
        self.code().filter(|code| table::is_known(code))
    }

    /// The request id if it looks like one of the platform's (`req_…`).
    fn shown_request_id(&self) -> Option<&str> {
        let is_plain = |id: &&str| {
            id.len() <= 40
                && id
                    .strip_prefix("req_")
                    .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_alphanumeric()))
        };
        self.request_id().filter(is_plain)
    }
}

impl fmt::Display for IssuerAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        if let Some(code) = self.shown_code() {
            write!(f, ", {code}")?;
        }
        if let Some(id) = self.shown_request_id() {
            write!(f, ", {id}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for IssuerAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerAnswer")
            .field("status", &self.status)
            .field("code", &self.shown_code())
            .field("request_id", &self.shown_request_id())
            .finish_non_exhaustive()
    }
}

/// Writes ` (status 400, invalid_scope)` where there is an answer.
pub(crate) fn write_answer(
    f: &mut fmt::Formatter<'_>,
    answer: Option<&IssuerAnswer>,
) -> fmt::Result {
    answer.map_or(Ok(()), |answer| write!(f, " ({answer})"))
}

/// An invalid request.
#[derive(Clone, Debug)]
pub struct InvalidRequest(Arc<InvalidRequestDetails>);

#[derive(Debug)]
struct InvalidRequestDetails {
    problem: String,
    answer: Option<IssuerAnswer>,
}

impl InvalidRequest {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self(Arc::new(InvalidRequestDetails {
            problem: problem.into(),
            answer: None,
        }))
    }

    pub(crate) fn answered(problem: impl Into<String>, answer: IssuerAnswer) -> Self {
        Self(Arc::new(InvalidRequestDetails {
            problem: problem.into(),
            answer: Some(answer),
        }))
    }

    /// What the issuer answered; nothing when the request was stopped before it was sent.
    pub fn answer(&self) -> Option<&IssuerAnswer> {
        self.0.answer.as_ref()
    }

    pub(crate) fn next_move(&self) -> String {
        if self.answer().is_some() {
            "check the parameters, that the dialect names the audience as this issuer expects it \
             (audience, resource or both), that the application may use this grant, and how the \
             issuer reads a secret with special characters"
                .to_owned()
        } else {
            "correct the request; it was not sent".to_owned()
        }
    }
}

impl fmt::Display for InvalidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.problem)?;
        write_answer(f, self.answer())
    }
}

impl StdError for InvalidRequest {}

/// Nothing usable is cached, and nothing was to be requested.
#[derive(Clone, Debug)]
pub struct NotCached(Audience);

impl NotCached {
    pub(crate) fn new(audience: Audience) -> Self {
        Self(audience)
    }

    /// The API that was asked for.
    pub fn audience(&self) -> &Audience {
        &self.0
    }
}

impl fmt::Display for NotCached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no usable token for `{}` is cached", self.0)
    }
}

impl StdError for NotCached {}
