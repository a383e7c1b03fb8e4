//! What a fault does, by name.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::status::FinalStatus;

/// What happens, by the name it has in the admin API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Action {
    Hold {
        milliseconds: u64,
    },
    Delay {
        milliseconds: u64,
    },
    DelayAfter {
        milliseconds: u64,
    },
    DropBefore,
    DropAfter,
    Status {
        status: FinalStatus,
        #[serde(default)]
        body: ReplyBody,
    },
    Redirect {
        status: FinalStatus,
        location: String,
    },
    RateLimited {
        #[serde(default)]
        retry_after: RetryAfter,
    },
    TornBody,
    TruncatedJson,
    OversizedBody,
    WrongAudience {
        audience: String,
    },
    NarrowedScope {
        scopes: Vec<String>,
    },
    MissingScope,
    ExpiresIn {
        value: Value,
    },
    MissingExpiresIn,
    ClockSkew {
        seconds: i64,
    },
    RotateKeys {
        #[serde(default = "yes")]
        keep_old: bool,
    },
    OpaqueToken,
    MissingTokenType,
    TokenType {
        value: String,
    },
    ContentType {
        value: String,
    },
    Member {
        name: String,
        value: Value,
    },
    WithoutMember {
        name: String,
    },
    IdTokenClaim {
        name: String,
        value: Value,
    },
    Callback {
        name: String,
        value: Option<String>,
    },
}

impl Action {
    /// Whether only the token endpoint can apply it, so that no other request counts against `times`.
    pub(super) fn is_about_id_tokens(&self) -> bool {
        matches!(self, Self::IdTokenClaim { .. })
    }

    /// Its name in the admin API.
    pub(crate) fn name(&self) -> Option<String> {
        match serde_json::to_value(self).ok()? {
            Value::String(name) => Some(name),
            Value::Object(tagged) => tagged.into_iter().next().map(|(name, _)| name),
            _ => None,
        }
    }
}

/// The body of a reply that a fault makes up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum ReplyBody {
    /// Nothing.
    #[default]
    Empty,
    /// A page, as a proxy or a crashed server sends it.
    Html,
    /// `application/problem+json` (RFC 9457).
    Problem,
    /// The platform's REST envelope.
    Envelope {
        /// The code.
        error: String,
        /// The sentence.
        message: String,
    },
    /// An error object of OAuth (RFC 6749 section 5.2).
    #[serde(rename = "oauth")]
    OAuth {
        /// The code.
        error: String,
        /// The sentence.
        description: String,
    },
    /// Exactly this.
    Raw {
        /// The `Content-Type`.
        content_type: String,
        /// The body.
        text: String,
    },
}

/// What a 429 says about when to come back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum RetryAfter {
    /// Nothing.
    #[default]
    Missing,
    /// So many seconds.
    Seconds(u64),
    /// An HTTP date so many seconds after the reply's `Date`.
    Date(u64),
    /// Exactly this text.
    Raw(String),
}

const fn yes() -> bool {
    true
}
