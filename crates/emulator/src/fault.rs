//! Faults: how a reply goes wrong, on purpose and by name.

mod action;
mod apply;
mod concern;
mod plan;
mod status;
mod torn;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::action::Action;
pub use self::action::{ReplyBody, RetryAfter};
pub(crate) use self::apply::{alter, replace};
pub(crate) use self::plan::{Concern, Faults, Mint, Plan};
use self::status::FinalStatus;
pub(crate) use self::torn::Hangup;
use crate::routes::Endpoint;

/// Something that goes wrong with a reply.
///
/// Without [`at`](Self::at) it concerns every OAuth endpoint, discovery and the keys; without
/// [`application`](Self::application) every client; without [`times`](Self::times) every request
/// until it is cleared. For each request the first fault that fits is used, in the order they
/// were added; delays go together with one other.
///
/// # Examples
///
/// ```
/// use intelliauth_emulator::{Endpoint, Fault, ReplyBody};
///
/// let outage = Fault::status(503).body(ReplyBody::Html).at(Endpoint::Token).times(3);
/// let theft = Fault::wrong_audience("api.other.example").application("app_jobs");
/// # let _ = (outage, theft);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    #[serde(rename = "fault")]
    action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<Endpoint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    application: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audience: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grant_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    times: Option<u32>,
}

impl Fault {
    /// The reply comes later; nothing is done before, and nothing at all once the client has gone. Real
    /// time, not the emulator's clock.
    pub fn delay(delay: Duration) -> Self {
        let milliseconds = milliseconds(delay);
        Self::new(Action::Delay { milliseconds })
    }

    /// What was asked is done at once, and the reply comes later. Real time.
    pub fn delay_after(delay: Duration) -> Self {
        let milliseconds = milliseconds(delay);
        Self::new(Action::DelayAfter { milliseconds })
    }

    /// The request is held back on its way, as by a proxy: what was asked is done so much later, whether
    /// its client is still there or not. Real time.
    pub fn hold(delay: Duration) -> Self {
        let milliseconds = milliseconds(delay);
        Self::new(Action::Hold { milliseconds })
    }

    /// The connection is closed without a reply and nothing was done.
    pub fn drop_before() -> Self {
        Self::new(Action::DropBefore)
    }

    /// What was asked is done, then the connection is closed without a reply.
    pub fn drop_after() -> Self {
        Self::new(Action::DropAfter)
    }

    /// This status and an empty body, and nothing is done. See [`body`](Self::body).
    ///
    /// No reply can end with a status outside 200 to 599: here and in every other fault with a
    /// status it becomes a 500, as of a server that fails. Over HTTP such a fault is refused.
    pub fn status(status: u16) -> Self {
        Self::new(Action::Status {
            status: FinalStatus::or_500(status),
            body: ReplyBody::Empty,
        })
    }

    /// 200 and a page.
    pub fn html() -> Self {
        Self::status(200).body(ReplyBody::Html)
    }

    /// 200 and an empty body.
    pub fn empty() -> Self {
        Self::status(200)
    }

    /// A status and `application/problem+json` (RFC 9457).
    pub fn problem(status: u16) -> Self {
        Self::status(status).body(ReplyBody::Problem)
    }

    /// A status and the platform's REST envelope.
    pub fn envelope(status: u16, error: impl Into<String>, message: impl Into<String>) -> Self {
        let (error, message) = (error.into(), message.into());
        Self::status(status).body(ReplyBody::Envelope { error, message })
    }

    /// 400 and an OAuth error of any code.
    pub fn oauth_error(error: impl Into<String>, description: impl Into<String>) -> Self {
        let (error, description) = (error.into(), description.into());
        Self::status(400).body(ReplyBody::OAuth { error, description })
    }

    /// 200 and an OAuth error in the body.
    pub fn error_in_ok(error: impl Into<String>, description: impl Into<String>) -> Self {
        let (error, description) = (error.into(), description.into());
        Self::status(200).body(ReplyBody::OAuth { error, description })
    }

    /// A redirect (302, 307) to somewhere else.
    pub fn redirect(status: u16, location: impl Into<String>) -> Self {
        Self::new(Action::Redirect {
            status: FinalStatus::or_500(status),
            location: location.into(),
        })
    }

    /// 429.
    pub fn rate_limited(retry_after: RetryAfter) -> Self {
        Self::new(Action::RateLimited { retry_after })
    }

    /// The body breaks off: `Content-Length` promises more, then the connection ends.
    pub fn torn_body() -> Self {
        Self::new(Action::TornBody)
    }

    /// The body is only the first half of the JSON, and complete for HTTP.
    pub fn truncated_json() -> Self {
        Self::new(Action::TruncatedJson)
    }

    /// The JSON has a member of 1 MiB.
    pub fn oversized_body() -> Self {
        Self::new(Action::OversizedBody)
    }

    /// The token is minted for this audience instead of the one asked for.
    pub fn wrong_audience(audience: impl Into<String>) -> Self {
        Self::new(Action::WrongAudience {
            audience: audience.into(),
        })
    }

    /// Only these of the scopes are granted.
    pub fn narrowed_scope<S: Into<String>>(scopes: impl IntoIterator<Item = S>) -> Self {
        let scopes = scopes.into_iter().map(Into::into).collect();
        Self::new(Action::NarrowedScope { scopes })
    }

    /// The reply has no `scope`; the token has.
    pub fn missing_scope() -> Self {
        Self::new(Action::MissingScope)
    }

    /// `expires_in` has this value: a string, a float, zero, a negative or a huge number.
    pub fn expires_in(value: impl Into<Value>) -> Self {
        Self::new(Action::ExpiresIn {
            value: value.into(),
        })
    }

    /// The reply has no `expires_in`.
    pub fn missing_expires_in() -> Self {
        Self::new(Action::MissingExpiresIn)
    }

    /// The token's `iat` and `exp` are so many seconds off.
    pub fn clock_skew(seconds: i64) -> Self {
        Self::new(Action::ClockSkew { seconds })
    }

    /// The signing key changes just before the token is signed; the old one stays published.
    pub fn rotate_keys() -> Self {
        Self::new(Action::RotateKeys { keep_old: true })
    }

    /// The signing key changes just before the token is signed; the old one is gone.
    pub fn replace_keys() -> Self {
        Self::new(Action::RotateKeys { keep_old: false })
    }

    /// The token is an opaque string.
    pub fn opaque_token() -> Self {
        Self::new(Action::OpaqueToken)
    }

    /// The reply has no `token_type`.
    pub fn missing_token_type() -> Self {
        Self::new(Action::MissingTokenType)
    }

    /// `token_type` is written like this: `bEARER`, `DPoP`.
    pub fn token_type(value: impl Into<String>) -> Self {
        Self::new(Action::TokenType {
            value: value.into(),
        })
    }

    /// The reply is labelled as something else: `text/html`.
    pub fn content_type(value: impl Into<String>) -> Self {
        Self::new(Action::ContentType {
            value: value.into(),
        })
    }

    /// A member of the JSON reply has this value; works on metadata and keys as well.
    pub fn member(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::new(Action::Member {
            name: name.into(),
            value: value.into(),
        })
    }

    /// A member of the JSON reply is missing.
    pub fn without_member(name: impl Into<String>) -> Self {
        Self::new(Action::WithoutMember { name: name.into() })
    }

    /// A claim of the id token has this value: another person's `sub`, a wrong `nonce`, `aud` or
    /// `iss`, an `exp` of long ago. With `null` the claim is missing.
    ///
    /// ```
    /// use intelliauth_emulator::{Fault, sample};
    ///
    /// let wrong_nonce = Fault::id_token_claim("nonce", "another-nonce");
    /// let wrong_person = Fault::id_token_claim("sub", sample::BOB).grant("refresh_token").times(1);
    /// # let _ = (wrong_nonce, wrong_person);
    /// ```
    pub fn id_token_claim(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::new(Action::IdTokenClaim {
            name: name.into(),
            value: value.into(),
        })
    }

    /// A parameter of the callback has this value: another `state`, another `iss`.
    ///
    /// The endpoint of the fault does not matter: callbacks come from the authorization endpoint and from pages.
    pub fn callback(name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), Some(value.into()));
        Self::new(Action::Callback { name, value })
    }

    /// A parameter of the callback is missing: no `state`, no `iss`, no `code`.
    pub fn callback_without(name: impl Into<String>) -> Self {
        let (name, value) = (name.into(), None);
        Self::new(Action::Callback { name, value })
    }

    fn new(action: Action) -> Self {
        Self {
            action,
            endpoint: None,
            application: None,
            audience: None,
            grant_type: None,
            times: None,
        }
    }
}

fn milliseconds(delay: Duration) -> u64 {
    u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)
}
