//! [`Unavailable`]: no usable answer at present.

use std::{
    error::Error as StdError,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use super::{IssuerAnswer, write_answer};

/// No usable answer at present; the same call may succeed after [`retry_after`](Self::retry_after).
#[derive(Clone, Debug)]
pub struct Unavailable {
    retry_after: Duration,
    details: Arc<Details>,
}

#[derive(Debug)]
struct Details {
    reason: UnavailableReason,
    /// How long the issuer asked to be left alone.
    said: Option<Duration>,
    answer: Option<IssuerAnswer>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// Whose answer is missing, once that is known: where the error begins, it is not.
    issuer: OnceLock<Box<str>>,
}

/// Why there is no usable answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnavailableReason {
    /// The issuer could not be reached.
    Connect,
    /// The connection ended before the answer was complete.
    Interrupted,
    /// The issuer, or the caller's own deadline, took too long.
    Timeout,
    /// The issuer is overloaded or in trouble (5xx, `server_error`, `temporarily_unavailable`).
    Issuer,
    /// Too many requests (429).
    RateLimited,
    /// The answer was no JSON object: empty, torn, or the page of a proxy.
    UnusableBody,
    /// The runtime that carried the request was shut down, or a flow panicked.
    Abandoned,
}

impl Unavailable {
    pub(crate) fn new(reason: UnavailableReason) -> Self {
        let details = Details {
            reason,
            said: None,
            answer: None,
            source: None,
            issuer: OnceLock::new(),
        };
        Self {
            retry_after: Duration::ZERO,
            details: Arc::new(details),
        }
    }

    pub(crate) fn answered(
        reason: UnavailableReason,
        said: Option<Duration>,
        answer: IssuerAnswer,
    ) -> Self {
        let details = Details {
            reason,
            said,
            answer: Some(answer),
            source: None,
            issuer: OnceLock::new(),
        };
        Self {
            retry_after: said.unwrap_or_default(),
            details: Arc::new(details),
        }
    }

    pub(crate) fn caused_by(
        reason: UnavailableReason,
        source: impl StdError + Send + Sync + 'static,
    ) -> Self {
        let details = Details {
            reason,
            said: None,
            answer: None,
            source: Some(Box::new(source)),
            issuer: OnceLock::new(),
        };
        Self {
            retry_after: Duration::ZERO,
            details: Arc::new(details),
        }
    }

    /// Names the issuer in the message.
    pub(crate) fn of_issuer(&self, issuer: &str) {
        self.details.issuer.get_or_init(|| issuer.into());
    }

    /// The same error with a new time to come back.
    pub(crate) fn with_retry_after(&self, retry_after: Duration) -> Self {
        Self {
            retry_after,
            details: Arc::clone(&self.details),
        }
    }

    /// The same error for those who meet it when `left` is left of the time to come back: what the
    /// issuer asked for counts from its answer, not from now.
    pub(crate) fn with_wait_left(&self, left: Duration) -> Self {
        match (self.patience(), self.answer()) {
            (Some(_), Some(answer)) => {
                let later = Self::answered(self.reason(), Some(left), answer.clone());
                if let Some(issuer) = self.details.issuer.get() {
                    later.of_issuer(issuer);
                }
                later
            }
            _ => self.with_retry_after(left),
        }
    }

    /// Why.
    pub fn reason(&self) -> UnavailableReason {
        self.details.reason
    }

    /// How long the same call will be answered with this error, without a request.
    pub fn retry_after(&self) -> Duration {
        self.retry_after
    }

    /// How long the issuer asked to be left alone, where that is any time at all.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.details.said.filter(|said| !said.is_zero())
    }

    /// What the issuer answered, where it did.
    pub fn answer(&self) -> Option<&IssuerAnswer> {
        self.details.answer.as_ref()
    }

    /// How long the issuer asked to be left alone (`Retry-After`), where it did.
    pub fn issuer_retry_after(&self) -> Option<Duration> {
        self.details.said
    }

    pub(crate) fn next_move(&self) -> String {
        match self.reason() {
            UnavailableReason::Connect => {
                "check the issuer's address and the network; the call may be repeated".to_owned()
            }
            UnavailableReason::UnusableBody => {
                "check that the address is the issuer's and no proxy stands in between; the call \
                 may be repeated"
                    .to_owned()
            }
            _ if self.retry_after.is_zero() => "repeat the call".to_owned(),
            _ => format!("repeat the call in {:.1} s", self.retry_after.as_secs_f64()),
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.details.issuer.get();
        let issuer = name.map_or_else(
            || "the issuer".to_owned(),
            |name| format!("the issuer `{name}`"),
        );
        match self.reason() {
            UnavailableReason::Connect => write!(f, "{issuer} could not be reached"),
            UnavailableReason::Interrupted => write!(f, "the answer of {issuer} broke off"),
            UnavailableReason::Timeout => write!(f, "{issuer} did not answer in time"),
            UnavailableReason::Issuer => write!(f, "{issuer} is in trouble"),
            UnavailableReason::RateLimited => write!(f, "{issuer} is asked too often"),
            UnavailableReason::UnusableBody => {
                write!(f, "the answer of {issuer} is no JSON object")
            }
            UnavailableReason::Abandoned => {
                f.write_str("the request was given up: its runtime ended or its flow panicked")
            }
        }?;
        write_answer(f, self.answer())
    }
}

impl StdError for Unavailable {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.details
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}
