//! Asking again and again whether the person has answered (RFC 8628 sections 3.4 and 3.5).

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::{
    endpoint::{DeviceAuthorization, Endpoint, Grant, GrantKind, TokenReply},
    error::{Asked, Error, IssuerAnswer, Violation},
    request::{Target, Urgency},
    time::TimeSource,
};

/// The polls for one device code.
pub(super) struct Poll<'a> {
    pub(super) endpoint: &'a Arc<Endpoint>,
    pub(super) clock: &'a TimeSource,
    pub(super) codes: &'a DeviceAuthorization,
    pub(super) asked: &'a Asked,
}

impl Poll<'_> {
    /// Polls until there is a token, a final answer, or no code any more.
    pub(super) async fn run(self) -> Result<TokenReply, Error> {
        let target = Target::from(self.asked.clone());
        let grant = Grant {
            kind: GrantKind::DeviceCode {
                device_code: &self.codes.device_code,
            },
            target: &target,
            urgency: Urgency {
                is_forced: true,
                in_background: false,
            },
        };
        let mut pace = Pace::new(self.codes.interval);
        let mut pause = pace.interval;
        loop {
            // RFC 8628 section 3.5: between two requests, so it counts from the end of the last reply.
            let left = self.clock.now().until(self.codes.until);
            let is_last = pause >= left;
            sleep(pause.min(left)).await;
            let ended = self.clock.now().plus(CLOCK_LAG);
            if is_last || ended.has_reached(self.codes.until) {
                tracing::debug!("the device code ended unused");
                return Err(Error::code_expired(self.asked, None));
            }
            let error = match self.endpoint.token(&grant).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            pause = match pace.after(&error) {
                Some(pause) => pause,
                None => return Err(self.ended(error)),
            };
        }
    }

    fn ended(&self, error: Error) -> Error {
        match code(&error) {
            Some("expired_token") => Error::code_expired(self.asked, error.answer().cloned()),
            _ => error,
        }
    }
}

/// How soon the issuer may be asked again.
#[derive(Debug)]
struct Pace {
    interval: Duration,
    /// The last so many polls got no answer at all.
    unanswered: u32,
}

impl Pace {
    fn new(interval: Duration) -> Self {
        Self {
            interval: interval.max(INTERVAL_MIN),
            unanswered: 0,
        }
    }

    /// The pause after a poll that brought no token; nothing if that was final.
    fn after(&mut self, error: &Error) -> Option<Duration> {
        let is_slow_down = code(error) == Some("slow_down");
        let is_pending = code(error) == Some("authorization_pending");
        if !is_slow_down && !is_pending && !is_passing(error) {
            return None;
        }
        if is_slow_down {
            // RFC 8628 section 3.5: "for this and all subsequent requests".
            self.interval = self.interval.saturating_add(SLOW_DOWN);
        }
        self.unanswered = match error.answer() {
            None if !is_too_large(error) => self.unanswered.saturating_add(1),
            _ => 0,
        };
        let patience = match error {
            Error::Unavailable(unavailable) => unavailable.issuer_retry_after(),
            _ => None,
        };
        let pause = self.pause().max(patience.unwrap_or_default());
        if is_slow_down || is_pending {
            tracing::debug!(?pause, is_slow_down, "the person has not answered yet");
        } else {
            tracing::warn!(%error, ?pause, "device code poll failed, going on");
        }
        Some(pause)
    }

    /// RFC 8628 section 3.5: after a connection timeout the polls MUST become rarer, and twice as rare
    /// each time is RECOMMENDED. With the next answer that is over.
    fn pause(&self) -> Duration {
        let doubled = 2_u32.saturating_pow(self.unanswered);
        let rarer = self.interval.saturating_mul(doubled);
        rarer.min(UNANSWERED_MAX).max(self.interval)
    }
}

/// Trouble that goes away by itself: the code is still good, whatever was said in its stead.
fn is_passing(error: &Error) -> bool {
    error.is_retryable() || is_too_large(error)
}

/// The page of a proxy, surely: no token reply has that size.
fn is_too_large(error: &Error) -> bool {
    let Error::Protocol(violation) = error else {
        return false;
    };
    matches!(violation.violation(), Violation::TooLarge(_))
}

fn code(error: &Error) -> Option<&str> {
    error.answer().and_then(IssuerAnswer::code)
}

/// RFC 8628 section 3.5: `slow_down` adds 5 s.
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// The pause for an issuer that names none (`interval` 0): 100 ms.
///
/// RFC 8628 gives no minimum. This is soon to a person, and no flood to a server that wants it so.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// The clock may lag behind the timer by a tick of the system, 1 to 10 ms: what looks like just before the
/// end may be after it.
const CLOCK_LAG: Duration = Duration::from_millis(10);

/// The longest pause that polls without an answer lead to by themselves: 30 s.
///
/// The person may have answered meanwhile and is looking at the program.
const UNANSWERED_MAX: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::{Refusal, UnavailableReason},
        scope::Scopes,
    };

    fn answered(status: u16, code: Option<&str>, retry_after: Option<u64>) -> Error {
        let asked = Asked {
            audience: "api".into(),
            scopes: Scopes::none(),
        };
        let answer = IssuerAnswer::new(status).with_code(code.map(str::to_owned));
        let refused = Refusal {
            retry_after: retry_after.map(Duration::from_secs),
            ..Refusal::default()
        };
        Error::from_answer(&asked, answer, refused)
    }

    fn pace() -> Pace {
        Pace::new(Duration::from_secs(5))
    }

    /// The pause after this error in seconds; nothing if it is final.
    fn after(pace: &mut Pace, error: &Error) -> Option<u64> {
        pace.after(error).map(|pause| pause.as_secs())
    }

    #[test]
    fn slow_down_adds_five_seconds_for_good_and_nothing_else_does() {
        let mut pace = pace();
        let pending = answered(400, Some("authorization_pending"), None);
        assert_eq!(after(&mut pace, &pending), Some(5));
        assert_eq!(
            after(&mut pace, &answered(400, Some("slow_down"), None)),
            Some(10)
        );
        assert_eq!(after(&mut pace, &pending), Some(10));
        for status in [429, 500, 502, 503] {
            assert_eq!(after(&mut pace, &answered(status, None, None)), Some(10));
        }
        assert_eq!(
            after(&mut pace, &answered(429, Some("slow_down"), None)),
            Some(15)
        );
        assert_eq!(after(&mut pace, &pending), Some(15));
    }

    #[test]
    fn retry_after_lengthens_one_pause_and_never_shortens_it() {
        let mut pace = pace();
        assert_eq!(after(&mut pace, &answered(503, None, Some(60))), Some(60));
        assert_eq!(after(&mut pace, &answered(429, None, Some(0))), Some(5));
        assert_eq!(
            after(&mut pace, &answered(400, Some("slow_down"), Some(60))),
            Some(60)
        );
        let pending = answered(400, Some("authorization_pending"), None);
        assert_eq!(after(&mut pace, &pending), Some(10));
    }

    #[test]
    fn polls_without_an_answer_become_rarer_until_there_is_one() {
        let mut pace = pace();
        let lost = Error::unavailable(UnavailableReason::Timeout);
        for expected in [10, 20, 30, 30] {
            assert_eq!(after(&mut pace, &lost), Some(expected));
        }
        assert_eq!(after(&mut pace, &answered(500, None, None)), Some(5));
        assert_eq!(after(&mut pace, &lost), Some(10));
        let mut slow = Pace::new(Duration::from_secs(40));
        assert_eq!(after(&mut slow, &lost), Some(40), "never faster than asked");
    }

    #[test]
    fn refusals_are_final() {
        for (status, code) in [
            (400, "access_denied"),
            (400, "expired_token"),
            (400, "invalid_grant"),
            (404, "device_not_found"),
            (401, "invalid_client"),
            (400, "made_up"),
        ] {
            assert_eq!(pace().after(&answered(status, Some(code), None)), None);
        }
        for status in [302, 400, 401, 403, 404] {
            assert_eq!(pace().after(&answered(status, None, None)), None);
        }
    }

    #[test]
    fn no_interval_is_no_flood() {
        assert_eq!(Pace::new(Duration::ZERO).pause(), INTERVAL_MIN);
        assert_eq!(Pace::new(Duration::MAX).pause(), Duration::MAX);
    }
}
