//! Two clocks read together, and the rule that the earlier one wins.
//!
//! A monotonic clock stands still while a laptop sleeps; a wall clock can be set back. Neither alone
//! says when a token has ended, so every line in time is kept on both, and it is reached as soon as
//! either of them says so.

mod ticks;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

#[cfg(target_os = "linux")]
use rustix::time::ClockId;

use ticks::Ticks;

/// A source of time.
///
/// The default is [`SystemClock`]; a test that moves time passes a [`ManualClock`] to
/// [`ClientBuilder::clock`](crate::ClientBuilder::clock). It is asked on every call, so it should
/// cost nanoseconds.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Reads both clocks.
    fn now(&self) -> Moment;
}

/// One instant, read from a monotonic and a wall clock together.
///
/// Both are kept in nanoseconds: the monotonic one since an arbitrary start, the wall clock since
/// the Unix epoch. They last until the year 2554.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    monotonic: u64,
    wall: u64,
}

impl Moment {
    /// The zero of both clocks.
    pub(crate) const START: Self = Self {
        monotonic: 0,
        wall: 0,
    };

    /// Joins two readings: `monotonic` since any fixed start, `wall` since the Unix epoch.
    #[must_use]
    pub fn new(monotonic: Duration, wall: Duration) -> Self {
        Self {
            monotonic: nanoseconds(monotonic),
            wall: nanoseconds(wall),
        }
    }

    /// What the wall clock said.
    pub fn wall(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.wall)
    }

    /// The same instant moved forward on both clocks.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let by = nanoseconds(duration);
        Self {
            monotonic: self.monotonic.saturating_add(by),
            wall: self.wall.saturating_add(by),
        }
    }

    /// Whether `line` is behind us on either clock: the earlier wins.
    #[inline]
    pub fn has_reached(self, line: Self) -> bool {
        self.monotonic >= line.monotonic || self.wall >= line.wall
    }

    /// The instant at which the wall clock showed `wall`, on both clocks; nothing if that is to come.
    pub(crate) fn at_wall(self, wall: Duration) -> Option<Self> {
        let wall = nanoseconds(wall);
        let ago = self.wall.checked_sub(wall)?;
        Some(Self {
            monotonic: self.monotonic.saturating_sub(ago),
            wall,
        })
    }

    /// How long until [`has_reached`](Self::has_reached) says yes; zero when it does already.
    pub fn until(self, line: Self) -> Duration {
        let monotonic = line.monotonic.saturating_sub(self.monotonic);
        let wall = line.wall.saturating_sub(self.wall);
        Duration::from_nanos(monotonic.min(wall))
    }

    /// How long `earlier` is ago, on the clock that says more.
    pub fn since(self, earlier: Self) -> Duration {
        let monotonic = self.monotonic.saturating_sub(earlier.monotonic);
        let wall = self.wall.saturating_sub(earlier.wall);
        Duration::from_nanos(monotonic.max(wall))
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Moment")
            .field("monotonic", &Duration::from_nanos(self.monotonic))
            .field("wall", &Duration::from_nanos(self.wall))
            .finish()
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The machine's clocks.
///
/// On Linux these are the coarse clocks (`CLOCK_MONOTONIC_COARSE`, `CLOCK_REALTIME_COARSE`): they
/// cost about 3 ns each without a system call, and lag by up to 4 ms. Elsewhere the standard
/// library's clocks are read, which cost about ten times as much.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SystemClock {
    #[cfg(not(target_os = "linux"))]
    start: std::time::Instant,
}

impl SystemClock {
    /// The machine's clocks, ready to be read.
    #[must_use]
    #[cfg_attr(
        not(target_os = "linux"),
        expect(
            clippy::disallowed_methods,
            reason = "this is the Clock that everything else asks"
        )
    )]
    pub fn new() -> Self {
        Self {
            #[cfg(not(target_os = "linux"))]
            start: std::time::Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(target_os = "linux")]
impl Clock for SystemClock {
    #[inline]
    fn now(&self) -> Moment {
        Moment {
            monotonic: Self::monotonic(),
            wall: read(ClockId::RealtimeCoarse),
        }
    }
}

#[cfg(target_os = "linux")]
impl SystemClock {
    /// The monotonic clock alone, as [`Moment`] keeps it.
    #[inline]
    fn monotonic() -> u64 {
        read(ClockId::MonotonicCoarse)
    }
}

#[cfg(target_os = "linux")]
#[inline]
fn read(id: ClockId) -> u64 {
    let time = rustix::time::clock_gettime(id);
    // Both fields are never negative for these clocks after 1970.
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

#[cfg(not(target_os = "linux"))]
impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the Clock that everything else asks"
    )]
    fn now(&self) -> Moment {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Moment::new(self.start.elapsed(), wall)
    }
}

/// A clock that moves only when a test says so.
///
/// Clones share the same time.
///
/// # Examples
///
/// ```
/// use intelliauth::{Clock, ManualClock};
/// use std::time::Duration;
///
/// let clock = ManualClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().since(before), Duration::from_secs(60));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock {
    hands: Arc<Hands>,
}

#[derive(Debug)]
struct Hands {
    monotonic: AtomicU64,
    wall: AtomicU64,
}

impl ManualClock {
    /// A clock that stands at noon on 1 January 2026, UTC.
    #[must_use]
    pub fn new() -> Self {
        Self::at(UNIX_EPOCH + Duration::from_secs(1_767_268_800))
    }

    /// A clock whose wall hand stands at `wall`.
    #[must_use]
    pub fn at(wall: SystemTime) -> Self {
        let wall = nanoseconds(wall.duration_since(UNIX_EPOCH).unwrap_or_default());
        let hands = Hands {
            monotonic: AtomicU64::new(1_000_000_000),
            wall: AtomicU64::new(wall),
        };
        Self {
            hands: Arc::new(hands),
        }
    }

    /// Moves both hands forward: time passes.
    pub fn advance(&self, by: Duration) {
        self.hands
            .monotonic
            .fetch_add(nanoseconds(by), Ordering::SeqCst);
        self.hands.wall.fetch_add(nanoseconds(by), Ordering::SeqCst);
    }

    /// Moves the wall hand alone forward: what a program sees after the machine was suspended.
    pub fn suspend(&self, by: Duration) {
        self.hands.wall.fetch_add(nanoseconds(by), Ordering::SeqCst);
    }

    /// Moves the wall hand alone back: somebody set the clock.
    pub fn set_wall_back(&self, by: Duration) {
        self.hands.wall.fetch_sub(nanoseconds(by), Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        Moment {
            monotonic: self.hands.monotonic.load(Ordering::SeqCst),
            wall: self.hands.wall.load(Ordering::SeqCst),
        }
    }
}

/// The clock a client asks: the machine's without a virtual call, or one that was passed in.
#[derive(Clone, Debug)]
pub(crate) enum TimeSource {
    System(Arc<Ticks>),
    Other(Arc<dyn Clock>),
}

impl TimeSource {
    #[expect(clippy::inline_always, reason = "a tenth of a hit is the call of this")]
    #[inline(always)]
    pub(crate) fn now(&self) -> Moment {
        match self {
            Self::System(ticks) => ticks.now(),
            Self::Other(clock) => clock.now(),
        }
    }
}

impl Default for TimeSource {
    fn default() -> Self {
        Self::System(Arc::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_reached_when_either_clock_says_so() {
        let clock = ManualClock::new();
        let line = clock.now().plus(Duration::from_secs(10));
        assert!(!clock.now().has_reached(line));
        clock.suspend(Duration::from_secs(10));
        assert!(
            clock.now().has_reached(line),
            "the wall clock passed it during a suspend"
        );
        clock.set_wall_back(Duration::from_secs(3600));
        assert!(!clock.now().has_reached(line));
        clock.advance(Duration::from_secs(10));
        assert!(
            clock.now().has_reached(line),
            "the monotonic clock passed it"
        );
    }

    #[test]
    fn remaining_time_is_the_shorter_and_age_the_longer_of_the_two() {
        let clock = ManualClock::new();
        let start = clock.now();
        let line = start.plus(Duration::from_secs(100));
        clock.suspend(Duration::from_secs(60));
        assert_eq!(clock.now().until(line), Duration::from_secs(40));
        assert_eq!(clock.now().since(start), Duration::from_secs(60));
    }

    #[test]
    fn far_lines_saturate() {
        let now = SystemClock::new().now();
        let line = now.plus(Duration::MAX);
        assert!(!now.has_reached(line));
    }

    #[test]
    fn the_machine_clock_goes_forward() {
        let clock = SystemClock::new();
        let before = clock.now();
        assert!(clock.now().has_reached(before));
        assert!(before.wall() > UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    }
}
