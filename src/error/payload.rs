//! What each variant of [`Error`](super::Error) carries.

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

use url::Url;

use super::table;
use crate::scope::{Audience, Scopes};

mod denied;
mod protocol;
mod store;
mod unavailable;

pub use denied::{Denied, DeniedReason};
pub use protocol::{ProtocolViolation, Violation};
pub use store::{StoreError, StoreErrorKind};
pub use unavailable::{Unavailable, UnavailableReason};

/// What was asked for: the part of a request that an error repeats.
#[derive(Clone, Debug)]
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

#[derive(Debug)]
struct PersonNeeded {
    asked: Asked,
    missing: Scopes,
    answer: Option<IssuerAnswer>,
    cause: Cause,
    resume: Option<Resume>,
}

/// Why a person is needed, beyond what the issuer answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Asked,
    /// The person has signed out, or never signed in.
    SignedOut,
    /// Nobody entered the device code in time.
    CodeExpired,
    /// Nobody came back from the page where they were to sign in.
    NobodyCame,
}

/// What it takes to go on with the person.
#[derive(Clone, Debug)]
pub(crate) struct Resume {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) session: String,
    /// Nothing while the issuer's metadata could not be read.
    pub(crate) authorization_endpoint: Option<Url>,
    pub(crate) iss_parameter_supported: bool,
    pub(crate) offline_needs_consent: bool,
    /// The names of the parameter that carries an audience.
    pub(crate) audience_parameters: &'static [&'static str],
    /// What the session covers already: a new sign-in asks for it again, so that it stays covered.
    pub(crate) covered: Vec<Asked>,
    pub(crate) identity_scopes: Scopes,
}

/// A payload that names what was asked for and who has to act.
macro_rules! person_needed {
    ($(#[$documentation:meta])* $name:ident, $text:literal) => {
        $(#[$documentation])*
        #[derive(Clone, Debug)]
        pub struct $name(Arc<PersonNeeded>);

        impl $name {
            pub(crate) fn new(asked: &Asked, missing: Scopes, answer: Option<IssuerAnswer>) -> Self {
                let asked = asked.clone();
                Self(Arc::new(PersonNeeded {
                    asked,
                    missing,
                    answer,
                    cause: Cause::Asked,
                    resume: None,
                }))
            }

            /// The same, with what it takes to go on.
            pub(crate) fn resumable(&self, resume: Resume) -> Self {
                Self(Arc::new(PersonNeeded {
                    asked: self.0.asked.clone(),
                    missing: self.0.missing.clone(),
                    answer: self.0.answer.clone(),
                    cause: self.0.cause,
                    resume: Some(resume),
                }))
            }

            pub(crate) fn asked(&self) -> &Asked {
                &self.0.asked
            }

            pub(crate) fn resume(&self) -> Option<&Resume> {
                self.0.resume.as_ref()
            }

            /// The API that was asked for.
            pub fn audience(&self) -> &Audience {
                &self.0.asked.audience
            }

            /// The scopes that were asked for.
            pub fn scopes(&self) -> &Scopes {
                &self.0.asked.scopes
            }

            /// What the issuer answered; nothing when this was found out without asking it.
            pub fn answer(&self) -> Option<&IssuerAnswer> {
                self.0.answer.as_ref()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self.0.cause {
                    Cause::CodeExpired => "the device code expired before anybody entered it: ",
                    Cause::NobodyCame => "nobody came back from the sign-in page in time: ",
                    Cause::Asked | Cause::SignedOut => "",
                })?;
                f.write_str($text)?;
                // A sign-in that asks for no API has none to name.
                if !self.audience().as_str().is_empty() {
                    write!(f, " for `{}`", self.audience())?;
                }
                if !self.0.missing.is_empty() {
                    write!(f, ": scopes `{}`", self.0.missing)?;
                }
                write_answer(f, self.answer())
            }
        }

        impl StdError for $name {}
    };
}

person_needed! {
    /// A person has to consent before there can be a token for this API.
    ConsentRequired, "consent is missing"
}
person_needed! {
    /// A person has to sign in before there can be a token for this API.
    LoginRequired, "a sign-in is needed"
}
person_needed! {
    /// A person has to prove more before there can be a token for this API.
    StepUpRequired, "a stronger sign-in is needed"
}

impl LoginRequired {
    /// Nobody is signed in: nothing of the session is to be used any more.
    pub(crate) fn signed_out(asked: &Asked) -> Self {
        Self::because(Cause::SignedOut, asked, None)
    }

    pub(crate) fn is_signed_out(&self) -> bool {
        self.0.cause == Cause::SignedOut
    }

    /// A device code ended unused (RFC 8628 section 3.5), by the issuer's word or by our clock.
    pub(crate) fn code_expired(asked: &Asked, answer: Option<IssuerAnswer>) -> Self {
        Self::because(Cause::CodeExpired, asked, answer)
    }

    /// Nobody came back from the page within the time that they had.
    pub(crate) fn nobody_came(asked: &Asked) -> Self {
        Self::because(Cause::NobodyCame, asked, None)
    }

    fn because(cause: Cause, asked: &Asked, answer: Option<IssuerAnswer>) -> Self {
        Self(Arc::new(PersonNeeded {
            asked: asked.clone(),
            missing: Scopes::none(),
            answer,
            cause,
            resume: None,
        }))
    }

    pub(crate) fn next_move(&self) -> String {
        match self.0.cause {
            Cause::CodeExpired => {
                "start the sign-in again: it shows a new code, which has to be entered in time"
                    .to_owned()
            }
            // The issuer shows these errors on a page of its own, and never comes back.
            Cause::NobodyCame => {
                "look whether the page shows an error (a redirect URI that is not registered, above \
                 all); a browser on another machine cannot come back: use paste_from_stdin or a \
                 device code; then start the sign-in again"
                    .to_owned()
            }
            Cause::Asked | Cause::SignedOut => {
                "have the person sign in, then repeat the call".to_owned()
            }
        }
    }
}

impl ConsentRequired {
    /// The scopes that nobody has consented to, as far as is known: otherwise all that were asked for.
    pub fn missing(&self) -> &Scopes {
        &self.0.missing
    }

    pub(crate) fn next_move(&self) -> String {
        if self.missing().is_empty() {
            format!(
                "have the person consent to `{}`, then repeat the call",
                self.audience()
            )
        } else {
            format!(
                "have the person consent to `{}` for `{}`, then repeat the call",
                self.missing(),
                self.audience()
            )
        }
    }
}

/// A request that makes no sense as it is.
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
