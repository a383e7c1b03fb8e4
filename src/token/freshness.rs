//! How long a token is fresh: the reserve at its end, the window before that, and the jitter.

use std::time::{Duration, SystemTime};

use crate::time::Moment;

/// A token is not handed out when less than this is left, or a tenth of its life if that is less.
///
/// The caller still has to reach its API with it, whose clock may be ahead by some seconds.
pub(crate) const RESERVE_MAX: Duration = Duration::from_secs(30);

/// The refresh window is at most this long, or a fifth of the token's life if that is less.
///
/// Long enough that any API in regular use is called in it once, so that no caller ever waits.
pub(crate) const WINDOW_MAX: Duration = Duration::from_secs(300);

/// The moments at which a token's use changes, in their order.
///
/// ```text
/// requested ──────────── refresh from ───────── usable until ──── expires
///            L−r−w−j                    w + j                 r
/// ```
///
/// Offsets are in milliseconds, so that a million tokens stay small: a life is at most 24 hours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freshness {
    refresh_from: Moment,
    /// From `refresh_from` to the reserve: w + j.
    window: u32,
    /// From the reserve to the end: r.
    reserve: u32,
    lifetime: u32,
}

/// Where in its life a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Handed out, and nothing to do.
    Fresh,
    /// Handed out, and a refresh is due.
    Window,
    /// Not handed out any more.
    Stale,
}

impl Freshness {
    /// What is never usable.
    pub(crate) const NEVER: Self = Self {
        refresh_from: Moment::START,
        window: 0,
        reserve: 0,
        lifetime: 0,
    };

    /// The lines of a token with this `lifetime`, counted from the instant before it was asked for.
    ///
    /// `jitter` in 0..1 spreads the refreshes of clients that started together.
    pub(crate) fn new(requested_at: Moment, lifetime: Duration, jitter: f64) -> Self {
        let reserve = RESERVE_MAX.min(lifetime / 10);
        let window = WINDOW_MAX.min(lifetime / 5);
        let jitter = (lifetime / 10)
            .min(window / 2)
            .mul_f64(jitter.clamp(0.0, 1.0));
        let (lifetime, reserve, window) = (
            milliseconds(lifetime),
            milliseconds(reserve),
            milliseconds(window + jitter),
        );
        let refresh_after = lifetime.saturating_sub(reserve).saturating_sub(window);
        Self {
            refresh_from: requested_at.plus(Duration::from_millis(refresh_after.into())),
            window,
            reserve,
            lifetime,
        }
    }

    #[inline]
    pub(crate) fn is_fresh(&self, now: Moment) -> bool {
        !now.has_reached(self.refresh_from)
    }

    pub(crate) fn phase(&self, now: Moment) -> Phase {
        if self.is_fresh(now) {
            Phase::Fresh
        } else if now.has_reached(self.usable_until()) {
            Phase::Stale
        } else {
            Phase::Window
        }
    }

    pub(crate) fn is_usable(&self, now: Moment) -> bool {
        self.phase(now) != Phase::Stale
    }

    /// The line of the reserve.
    pub(crate) fn usable_until(&self) -> Moment {
        self.refresh_from
            .plus(Duration::from_millis(self.window.into()))
    }

    pub(crate) fn expires_at(&self) -> SystemTime {
        self.usable_until()
            .plus(Duration::from_millis(self.reserve.into()))
            .wall()
    }

    /// How long ago it was asked for.
    pub(crate) fn age(&self, now: Moment) -> Duration {
        let end = self
            .usable_until()
            .plus(Duration::from_millis(self.reserve.into()));
        self.lifetime().saturating_sub(now.until(end))
    }

    pub(crate) fn lifetime(&self) -> Duration {
        Duration::from_millis(self.lifetime.into())
    }

    /// How long a failed refresh waits before the next: a quarter of what is left, within bounds.
    ///
    /// `spread` in 0..1 moves the quarter by up to half of it either way. With nothing left a retry
    /// could come too late, so it never waits longer than a minute and a half, unless a hundredth
    /// of a long life is more.
    pub(crate) fn retry_after(&self, now: Moment, spread: f64) -> Duration {
        let left = now.until(self.usable_until());
        let quarter = (left / 4)
            .min(Duration::from_secs(60))
            .mul_f64(0.5 + spread.clamp(0.0, 1.0));
        quarter
            .max(Duration::from_secs(1))
            .max(self.lifetime() / 100)
    }
}

fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::{Clock, ManualClock};

    fn seconds(n: f64) -> Duration {
        Duration::from_secs_f64(n)
    }

    #[test]
    fn the_lines_of_an_hour_are_where_they_are_promised() {
        let start = ManualClock::new().now();
        let fresh = Freshness::new(start, seconds(3600.0), 0.0);
        let at = |s: f64| fresh.phase(start.plus(seconds(s)));
        assert_eq!(at(3269.9), Phase::Fresh);
        assert_eq!(at(3270.0), Phase::Window);
        assert_eq!(at(3569.9), Phase::Window);
        assert_eq!(at(3570.0), Phase::Stale);
        assert_eq!(fresh.expires_at(), start.wall() + seconds(3600.0));
        let early = Freshness::new(start, seconds(3600.0), 1.0);
        assert_eq!(early.phase(start.plus(seconds(3120.0))), Phase::Window);
    }

    #[test]
    fn nothing_is_never_usable() {
        assert_eq!(
            Freshness::NEVER.phase(ManualClock::new().now()),
            Phase::Stale
        );
    }

    proptest! {
        #[test]
        fn a_token_is_used_for_most_of_its_life_and_never_in_its_reserve(
            lifetime in 0.5_f64..86_400.0, jitter in 0.0_f64..=1.0, at in 0.0_f64..=1.2,
        ) {
            let start = ManualClock::new().now();
            let fresh = Freshness::new(start, seconds(lifetime), jitter);
            let age = lifetime * at;
            let (reserve, window) = ((lifetime / 10.0).min(30.0), (lifetime / 5.0).min(300.0));
            let jitter_max = (lifetime / 10.0).min(window / 2.0);
            // Lines are kept in milliseconds.
            let slack = 0.004;
            match fresh.phase(start.plus(seconds(age))) {
                Phase::Fresh => prop_assert!(age <= lifetime - reserve - window + slack),
                Phase::Window => {
                    prop_assert!(age >= lifetime - reserve - window - jitter_max - slack);
                    prop_assert!(age <= lifetime - reserve + slack);
                }
                Phase::Stale => prop_assert!(age >= lifetime - reserve - slack),
            }
        }

        #[test]
        fn a_failed_refresh_waits_within_its_bounds(
            lifetime in 1.0_f64..86_400.0, at in 0.0_f64..=1.0, spread in 0.0_f64..=1.0,
        ) {
            let start = ManualClock::new().now();
            let fresh = Freshness::new(start, seconds(lifetime), 0.0);
            let wait = fresh.retry_after(start.plus(seconds(lifetime * at)), spread);
            prop_assert!(wait >= seconds(1.0));
            prop_assert!(wait <= seconds((lifetime / 100.0).max(90.0)) + seconds(0.001));
        }
    }
}
