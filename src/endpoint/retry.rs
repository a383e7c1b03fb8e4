//! Which failures are tried again at once, and how often.

use std::time::Duration;

use crate::error::{Error, UnavailableReason};

/// Whether a request can be sent twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replay {
    /// Nothing is used up at the issuer: client credentials, an assertion.
    Safe,
    /// It may use up what it presents (a refresh token, a code): only if it never left.
    IfUnsent,
}

/// How often a failed request is tried again within one flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct RetryPolicy {
    retries: u32,
}

impl RetryPolicy {
    pub(super) const NEVER: Self = Self { retries: 0 };

    pub(super) fn new(retries: u32) -> Self {
        Self { retries }
    }

    pub(super) fn attempts(self, replay: Replay) -> Attempts {
        Attempts {
            left: self.retries,
            made: 0,
            replay,
        }
    }
}

/// The tries of one request.
#[derive(Debug)]
pub(super) struct Attempts {
    left: u32,
    made: u32,
    replay: Replay,
}

impl Attempts {
    /// Whether to try again after `outcome`; if so, the pause before it is over.
    pub(super) async fn again<T: Sync>(&mut self, what: &str, outcome: &Result<T, Error>) -> bool {
        let Err(error) = outcome else { return false };
        if self.left == 0 || !may_retry(error, self.replay) {
            return false;
        }
        let pause = pause(self.made, fastrand::f64());
        self.made += 1;
        self.left -= 1;
        tracing::warn!(request = what, attempt = self.made, %error, ?pause, "request failed, trying again");
        tokio::time::sleep(pause).await;
        true
    }
}

/// The one rule: a refusal is final, patience that was asked for is granted, and what may have
/// arrived is sent again only if that is harmless.
fn may_retry(error: &Error, replay: Replay) -> bool {
    let Error::Unavailable(unavailable) = error else {
        return false;
    };
    let asked_for_patience = unavailable.issuer_retry_after().is_some();
    match unavailable.reason() {
        UnavailableReason::Connect => true,
        UnavailableReason::Interrupted
        | UnavailableReason::Issuer
        | UnavailableReason::UnusableBody => replay == Replay::Safe && !asked_for_patience,
        // An issuer that is slow is asked no sooner for being asked twice; after a 429 it gets worse.
        UnavailableReason::Timeout
        | UnavailableReason::RateLimited
        | UnavailableReason::Abandoned => false,
    }
}

/// 200 ms, 400 ms, …, each up to half longer or shorter.
fn pause(attempt: u32, spread: f64) -> Duration {
    let base = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(attempt));
    base.min(Duration::from_secs(2)).mul_f64(0.5 + spread)
}

/// The platform's own SDKs start with 200 ms and double it.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Asked, IssuerAnswer, Refusal};

    fn answered(status: u16, retry_after: Option<Duration>) -> Error {
        let asked = Asked {
            audience: "api".into(),
            scopes: crate::scope::Scopes::none(),
        };
        let refused = Refusal {
            retry_after,
            ..Refusal::default()
        };
        Error::from_answer(&asked, IssuerAnswer::new(status), refused)
    }

    #[test]
    fn what_never_left_is_always_sent_again() {
        let error = Error::unavailable(UnavailableReason::Connect);
        assert!(may_retry(&error, Replay::Safe) && may_retry(&error, Replay::IfUnsent));
    }

    #[test]
    fn what_may_have_arrived_is_sent_again_only_if_harmless() {
        for error in [
            answered(503, None),
            Error::unavailable(UnavailableReason::Interrupted),
        ] {
            assert!(may_retry(&error, Replay::Safe));
            assert!(!may_retry(&error, Replay::IfUnsent));
        }
    }

    #[test]
    fn refusals_and_requests_for_patience_are_final() {
        let patience = Some(Duration::from_secs(1));
        for error in [
            answered(400, None),
            answered(401, None),
            answered(429, None),
            answered(503, patience),
        ] {
            assert!(!may_retry(&error, Replay::Safe), "{error}");
        }
    }

    #[test]
    fn pauses_double_and_spread() {
        assert_eq!(pause(0, 0.5), Duration::from_millis(200));
        assert_eq!(pause(1, 0.5), Duration::from_millis(400));
        assert_eq!(pause(0, 0.0), Duration::from_millis(100));
        assert_eq!(pause(30, 0.5), Duration::from_secs(2));
    }
}
