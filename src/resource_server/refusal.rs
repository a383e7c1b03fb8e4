//! [`VerifyError`]: why a token is not accepted.

use std::{fmt, time::Duration};

use crate::{
    error::{Error, UnavailableReason},
    jwt::Refused,
};

/// Why a token is not accepted, by what to answer.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The token breaks a rule: answer 401.
    #[error(transparent)]
    Invalid(InvalidToken),
    /// It is unknown at present: answer 503.
    #[error(transparent)]
    Unavailable(KeysUnavailable),
}

impl From<Refused> for VerifyError {
    fn from(refused: Refused) -> Self {
        Self::Invalid(InvalidToken(refused))
    }
}

impl From<Error> for VerifyError {
    fn from(error: Error) -> Self {
        Self::Unavailable(KeysUnavailable(error))
    }
}

/// Which rule a token breaks.
///
/// `Display` names the rule, never anything that the token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidToken(pub(super) Refused);

impl InvalidToken {
    /// Whether nothing else is wrong with it than its age: its holder needs a new one.
    pub fn is_expired(self) -> bool {
        self.0 == Refused::Expired
    }

    /// Whether it was issued for other APIs than this one.
    pub fn is_for_another_audience(self) -> bool {
        self.0 == Refused::Audience
    }
}

impl fmt::Display for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for InvalidToken {}

/// The issuer's keys cannot be had, so that no token can be verified.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the issuer's keys cannot be had")]
pub struct KeysUnavailable(#[source] Error);

impl KeysUnavailable {
    /// When it is worth another try; at least a second, at most half a minute.
    pub fn retry_after(&self) -> Duration {
        let left = match &self.0 {
            Error::Unavailable(unavailable) => unavailable.retry_after(),
            _ => LATEST,
        };
        left.clamp(SOONEST, LATEST)
    }

    /// Whether the issuer did not answer in time.
    pub fn is_timeout(&self) -> bool {
        matches!(&self.0, Error::Unavailable(unavailable) if unavailable.reason() == UnavailableReason::Timeout)
    }
}

const SOONEST: Duration = Duration::from_secs(1);

/// The longest pause between two fetches.
const LATEST: Duration = Duration::from_secs(30);
