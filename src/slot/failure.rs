//! What a failed flight leaves behind: an error to return at once, and when to try again.

use std::time::Duration;

use crate::{
    error::Error,
    time::Moment,
    token::{Freshness, Phase},
};

/// A remembered failure of one key.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    error: Error,
    /// The error is returned without a request until then.
    until: Moment,
    /// In the window of a token that is still usable, the next refresh is not before this.
    refresh_from: Moment,
    /// Whether the issuer asked for the pause, with a `Retry-After`: then forced calls wait too.
    is_asked_for: bool,
    /// How many flights in a row ended without a usable answer.
    streak: u32,
    /// When the last flights failed, at most [`PER_MINUTE`] of them and all within a minute.
    recent: Vec<Moment>,
}

impl Failure {
    /// Remembers `error`, after `before` on the same key; `token` is the one still in use.
    pub(super) fn new(
        error: &Error,
        before: Option<&Self>,
        token: &Freshness,
        now: Moment,
        spread: f64,
    ) -> Self {
        let streak = before.map_or(0, |before| before.streak);
        let (wait, is_asked_for) = wait(error, streak, spread);
        let recent = recent(before, now);
        let mut refresh_wait = match token.phase(now) {
            Phase::Stale => wait,
            Phase::Fresh | Phase::Window => token.retry_after(now, spread),
        };
        if is_asked_for {
            refresh_wait = refresh_wait.max(wait);
        }
        if let Some(first) = recent.first().filter(|_| recent.len() >= PER_MINUTE) {
            refresh_wait = refresh_wait.max(now.until(first.plus(MINUTE)));
        }
        Self {
            error: error.clone(),
            until: now.plus(wait),
            refresh_from: now.plus(refresh_wait),
            is_asked_for,
            streak: if error.is_retryable() { streak + 1 } else { 0 },
            recent,
        }
    }

    /// The session's revision at the failure, if a person has to act and the failure is still remembered.
    pub(super) fn needs_person(&self, now: Moment) -> Option<u64> {
        let is_for_person = matches!(
            self.error,
            Error::Consent(_) | Error::Login(_) | Error::StepUp(_)
        );
        (is_for_person && self.is_live(now)).then(|| self.error.revision())
    }

    /// The error to return now; nothing once it is time to try again.
    pub(super) fn error(&self, now: Moment) -> Option<Error> {
        if now.has_reached(self.until) {
            return None;
        }
        Some(match &self.error {
            Error::Unavailable(unavailable) => {
                Error::Unavailable(unavailable.with_retry_after(now.until(self.until)))
            }
            other => other.clone(),
        })
    }

    /// Whether the issuer asked for the pause, with a `Retry-After`.
    pub(super) fn is_asked_for(&self) -> bool {
        self.is_asked_for
    }

    /// Whether a `Retry-After` of the issuer is still running: it holds for forced calls as well.
    pub(super) fn holds_forced_calls(&self, now: Moment) -> bool {
        self.is_asked_for && !now.has_reached(self.until)
    }

    pub(super) fn allows_refresh(&self, now: Moment) -> bool {
        now.has_reached(self.refresh_from)
    }

    /// Whether the failure still keeps callers from asking: to forget it would let one ask too early.
    pub(super) fn is_live(&self, now: Moment) -> bool {
        !now.has_reached(self.until)
    }
}

/// When flights failed in the last minute, this one included.
fn recent(before: Option<&Failure>, now: Moment) -> Vec<Moment> {
    let earlier = before.map_or(&[][..], |before| &before.recent);
    let last = earlier.len().saturating_sub(PER_MINUTE - 1);
    let in_minute = earlier[last..].iter().filter(|at| now.since(**at) < MINUTE);
    in_minute.copied().chain([now]).collect()
}

/// How long an error is returned without a request, and whether the issuer asked for this pause.
fn wait(error: &Error, streak: u32, spread: f64) -> (Duration, bool) {
    match error {
        Error::Unavailable(unavailable) => {
            let base = UNAVAILABLE_MAX.min(Duration::from_secs(1 << streak.min(6)));
            let drawn = base.mul_f64(0.5 + spread.clamp(0.0, 1.0));
            let said = unavailable.patience();
            (said.unwrap_or(drawn), said.is_some())
        }
        Error::Consent(_) | Error::Login(_) | Error::StepUp(_) => (PERSON, false),
        Error::Store(_) => (STORE, false),
        _ => (REFUSED, false),
    }
}

/// Without an answer the next try comes after 1, 2, 4 … seconds, up to this; each ± half.
const UNAVAILABLE_MAX: Duration = Duration::from_secs(60);

/// An administrator needs longer than this to change anything, and after it no restart is needed.
const REFUSED: Duration = Duration::from_secs(30);

/// A person has to act; what they do in this program ends the wait at once.
const PERSON: Duration = Duration::from_secs(120);

/// The issuer was not asked. Another process releases a session soon, and a disk is cheap to ask again.
const STORE: Duration = Duration::from_secs(1);

const MINUTE: Duration = Duration::from_secs(60);

/// After this many failed refreshes within a minute the next waits until the first of them is a minute
/// ago: at most ten requests in any minute for one audience, however the random waits fall.
const PER_MINUTE: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::{Asked, IssuerAnswer, Refusal, StoreError, StoreErrorKind},
        scope::Scopes,
        time::{Clock, ManualClock},
    };

    fn answered(status: u16, code: &str, retry_after: Option<u64>) -> Error {
        let asked = Asked {
            audience: "api".into(),
            scopes: Scopes::none(),
        };
        let answer = IssuerAnswer::new(status).with_code(Some(code.to_owned()));
        let retry_after = retry_after.map(Duration::from_secs);
        Error::from_answer(
            &asked,
            answer,
            Refusal {
                retry_after,
                ..Refusal::default()
            },
        )
    }

    fn seconds(error: &Error, streak: u32) -> f64 {
        wait(error, streak, 0.5).0.as_secs_f64()
    }

    #[test]
    fn patience_grows_with_each_missing_answer() {
        let error = answered(503, "", None);
        let waits: Vec<f64> = (0..9).map(|streak| seconds(&error, streak)).collect();
        assert_eq!(waits, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]);
        assert_eq!(wait(&error, 1, 0.0).0, Duration::from_secs(1));
        assert_eq!(wait(&error, 1, 1.0).0, Duration::from_secs(3));
    }

    #[test]
    fn refusals_and_people_have_their_own_times() {
        assert!((seconds(&answered(400, "invalid_scope", None), 5) - 30.0).abs() < f64::EPSILON);
        assert!((seconds(&answered(200, "odd", None), 0) - 30.0).abs() < f64::EPSILON);
        assert!(
            (seconds(&answered(400, "consent_required", None), 0) - 120.0).abs() < f64::EPSILON
        );
        assert!((seconds(&answered(400, "invalid_grant", None), 0) - 120.0).abs() < f64::EPSILON);
        let held = Error::from(StoreError::new(StoreErrorKind::Locked, "held elsewhere"));
        assert!((seconds(&held, 5) - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn what_the_issuer_asks_for_is_kept_to_the_second_and_binds_forced_calls() {
        let error = answered(429, "rate_limited", Some(30));
        assert_eq!(wait(&error, 3, 0.0), (Duration::from_secs(30), true));
        let now = ManualClock::new().now();
        let failure = Failure::new(&error, None, &Freshness::NEVER, now, 0.0);
        assert!(failure.holds_forced_calls(now.plus(Duration::from_secs(29))));
        assert!(!failure.holds_forced_calls(now.plus(Duration::from_secs(30))));
        let Some(Error::Unavailable(later)) = failure.error(now.plus(Duration::from_secs(10)))
        else {
            panic!()
        };
        assert_eq!(later.retry_after(), Duration::from_secs(20));
    }

    #[test]
    fn at_most_ten_refreshes_fail_in_any_minute_however_the_dice_fall() {
        for (jitter, spread) in [(0.0, 0.0), (1.0, 0.0), (0.5, 0.3), (1.0, 1.0)] {
            let clock = ManualClock::new();
            let token = Freshness::new(clock.now(), Duration::from_secs(300), jitter);
            clock.advance(Duration::from_secs(180));
            let (mut failure, mut failed) = (None::<Failure>, Vec::new());
            while token.is_usable(clock.now()) {
                let may_ask = failure
                    .as_ref()
                    .is_none_or(|failure| failure.allows_refresh(clock.now()));
                if token.phase(clock.now()) == Phase::Window && may_ask {
                    failed.push(clock.now());
                    let error = answered(503, "", None);
                    let next = Failure::new(&error, failure.as_ref(), &token, clock.now(), spread);
                    failure = Some(next);
                }
                clock.advance(Duration::from_millis(100));
            }
            let in_minute = |start: &Moment| {
                let within = |at: &&Moment| at.has_reached(*start) && at.since(*start) < MINUTE;
                failed.iter().filter(within).count()
            };
            assert!(failed.len() > 2, "{failed:?}");
            assert!(failed.iter().all(|start| in_minute(start) <= 10));
        }
    }
}
