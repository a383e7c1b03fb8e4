//! When a `Retry-After` of the issuer holds for all keys.

use std::{sync::Mutex, time::Duration};

use crate::{request::Target, session::Principal, slot::lock, time::Moment};

/// The pause that holds for all keys of the issuer.
///
/// One key that meets a `Retry-After` may have a limit of its own. When a second one meets it within
/// a minute, the limit is the tenant's (the platform counts requests per tenant), and every further
/// request would only prolong it.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The key that was last told to wait, and when.
    last: Option<(ThrottleKey, Moment)>,
    hold: Option<Moment>,
}

/// A key that met a `Retry-After`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ThrottleKey {
    pub(super) principal: Principal,
    pub(super) target: Target,
}

/// Two keys within this time mean that the limit is the issuer's.
const WITHIN: Duration = Duration::from_secs(60);

impl Throttle {
    /// The issuer asked for a pause of `wait` for `key`.
    pub(super) fn record(&self, key: ThrottleKey, now: Moment, wait: Duration) {
        let mut state = lock(&self.0);
        let is_second = state
            .last
            .as_ref()
            .is_some_and(|(last, at)| *last != key && now.since(*at) <= WITHIN);
        if is_second {
            let until = now.plus(wait);
            let held_longer = state.hold.is_some_and(|hold| now.until(hold) > wait);
            if !held_longer {
                state.hold = Some(until);
            }
        }
        state.last = Some((key, now));
        drop(state);
        // Unlocked first: a log subscriber may ask for a token itself.
        if is_second {
            tracing::warn!(?wait, "the issuer asks to be left alone for all audiences");
        }
    }

    /// How long the pause of all keys still lasts.
    pub(super) fn wait(&self, now: Moment) -> Option<Duration> {
        let hold = lock(&self.0).hold?;
        (!now.has_reached(hold)).then(|| now.until(hold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        request::Parameters,
        scope::Scopes,
        time::{Clock, ManualClock},
    };

    fn key(name: &str) -> ThrottleKey {
        ThrottleKey {
            principal: Principal::Application,
            target: Target::new(name.into(), Scopes::none(), Parameters::none()),
        }
    }

    #[test]
    fn one_key_alone_holds_no_other() {
        let (clock, throttle) = (ManualClock::new(), Throttle::default());
        for _ in 0..3 {
            throttle.record(key("a"), clock.now(), Duration::from_secs(30));
        }
        assert_eq!(throttle.wait(clock.now()), None);
    }

    #[test]
    fn two_keys_within_a_minute_hold_all() {
        let (clock, throttle) = (ManualClock::new(), Throttle::default());
        throttle.record(key("a"), clock.now(), Duration::from_secs(30));
        clock.advance(Duration::from_secs(59));
        throttle.record(key("b"), clock.now(), Duration::from_secs(30));
        assert_eq!(throttle.wait(clock.now()), Some(Duration::from_secs(30)));
        clock.advance(Duration::from_secs(30));
        assert_eq!(throttle.wait(clock.now()), None);
    }

    #[test]
    fn two_keys_far_apart_hold_no_other() {
        let (clock, throttle) = (ManualClock::new(), Throttle::default());
        throttle.record(key("a"), clock.now(), Duration::from_secs(30));
        clock.advance(Duration::from_secs(61));
        throttle.record(key("b"), clock.now(), Duration::from_secs(30));
        assert_eq!(throttle.wait(clock.now()), None);
    }
}
