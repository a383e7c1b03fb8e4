//! Two clocks read together, and the rule that the earlier one wins.
//!
//! A monotonic clock stands still while a laptop sleeps; a wall clock can be set back. Neither alone
//! says when a token has ended, so every line in time is kept on both, and it is reached as soon as
//! either of them says so.

#[cfg(any(test, not(target_os = "linux")))]
mod portable;
mod ticks;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
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
/// Both are kept in nanoseconds: the monotonic one since an arbitrary start, for 292 years from there in
/// both directions, and the wall clock since the Unix epoch, until the year 2554.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Negative for what was before the start: before the machine was booted, on Linux.
    monotonic: i64,
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
            monotonic: 0_i64.saturating_add_unsigned(nanoseconds(monotonic)),
            wall: nanoseconds(wall),
        }
    }

    /// What the wall clock said.
    pub fn wall(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.wall)
    }

    /// What the wall clock said, in milliseconds since the Unix epoch.
    pub(crate) fn wall_milliseconds(self) -> u64 {
        self.wall / 1_000_000
    }

    /// The same instant moved forward on both clocks.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let by = nanoseconds(duration);
        Self {
            monotonic: self.monotonic.saturating_add_unsigned(by),
            wall: self.wall.saturating_add(by),
        }
    }

    /// Whether `line` is behind us on either clock: the earlier wins.
    #[inline]
    pub fn has_reached(self, line: Self) -> bool {
        self.monotonic >= line.monotonic || self.wall >= line.wall
    }

    /// The instant at which the wall clock showed `wall`, on both clocks; nothing if that is to come.
    ///
    /// Exact also if the monotonic clock has started since: what is older than the machine's last start
    /// is as old on that clock as on the other.
    pub(crate) fn at_wall(self, wall: Duration) -> Option<Self> {
        let wall = nanoseconds(wall);
        let ago = self.wall.checked_sub(wall)?;
        Some(Self {
            monotonic: self.monotonic.saturating_sub_unsigned(ago),
            wall,
        })
    }

    /// How long until [`has_reached`](Self::has_reached) says yes; zero when it does already.
    pub fn until(self, line: Self) -> Duration {
        let monotonic = nanoseconds_from(self.monotonic, line.monotonic);
        let wall = line.wall.saturating_sub(self.wall);
        Duration::from_nanos(monotonic.min(wall))
    }

    /// How long `earlier` is ago, on the clock that says more.
    pub fn since(self, earlier: Self) -> Duration {
        let monotonic = nanoseconds_from(earlier.monotonic, self.monotonic);
        let wall = self.wall.saturating_sub(earlier.wall);
        Duration::from_nanos(monotonic.max(wall))
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.monotonic < 0 { "-" } else { "" };
        let monotonic = Duration::from_nanos(self.monotonic.unsigned_abs());
        f.debug_struct("Moment")
            .field("monotonic", &format_args!("{sign}{monotonic:?}"))
            .field("wall", &Duration::from_nanos(self.wall))
            .finish()
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// From `earlier` to `later`; zero if that is behind it.
fn nanoseconds_from(earlier: i64, later: i64) -> u64 {
    let between = later.saturating_sub(earlier).max(0);
    between.cast_unsigned()
}

/// The system's clocks.
///
/// On Linux these are the coarse clocks (`CLOCK_MONOTONIC_COARSE`, `CLOCK_REALTIME_COARSE`): they
/// cost about 3 ns each without a system call, and lag by up to 4 ms. Elsewhere the standard
/// library's clocks are read, which cost about ten times as much. All values of this type tell the same
/// time, so that moments of one may be compared with those of another in the same process.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SystemClock {}

impl SystemClock {
    /// The system's clocks, ready to be read.
    #[must_use]
    pub fn new() -> Self {
        Self {}
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
    fn monotonic() -> i64 {
        read(ClockId::MonotonicCoarse).cast_signed()
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
    fn now(&self) -> Moment {
        portable::now()
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
    monotonic: AtomicI64,
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
            monotonic: AtomicI64::new(1_000_000_000),
            wall: AtomicU64::new(wall),
        };
        Self {
            hands: Arc::new(hands),
        }
    }

    /// Moves both hands forward: time passes.
    pub fn advance(&self, by: Duration) {
        let elapsed = nanoseconds(by).cast_signed();
        self.hands.monotonic.fetch_add(elapsed, Ordering::SeqCst);
        self.hands.wall.fetch_add(nanoseconds(by), Ordering::SeqCst);
    }

    /// Moves the wall hand alone forward: what a program sees after the machine was suspended.
    pub fn suspend(&self, by: Duration) {
        self.hands.wall.fetch_add(nanoseconds(by), Ordering::SeqCst);
    }

    /// Moves the wall hand alone back, as when a person sets the clock.
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

/// A timer of the runtime here; nothing where there is none.
pub(crate) fn timer(limit: Duration) -> Option<tokio::time::Sleep> {
    // tokio has no way to ask whether a runtime has a timer: `sleep` panics without one.
    std::panic::catch_unwind(|| tokio::time::sleep(limit)).ok()
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
        let before = now.at_wall(Duration::ZERO).unwrap();
        assert!(before.until(line) >= now.until(line));
        assert!(!now.has_reached(Moment::new(Duration::MAX, Duration::MAX)));
    }

    #[test]
    fn what_was_before_the_machine_started_is_as_old_on_both_clocks() {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        let clock = ManualClock::new();
        let now = clock.now();
        let wall = now.wall().duration_since(UNIX_EPOCH).unwrap();
        let before = now.at_wall(wall.saturating_sub(minutes(10))).unwrap();
        assert_eq!(before.wall(), now.wall() - minutes(10));
        assert_eq!(before.plus(minutes(10)), now);
        let shown = format!("{before:?}");
        assert!(shown.contains("monotonic: -599s"), "{shown}");
        // On the monotonic clock alone, from here on.
        clock.advance(minutes(5));
        clock.set_wall_back(minutes(15));
        assert_eq!(clock.now().since(before), minutes(15));
        assert!(clock.now().has_reached(before.plus(minutes(15))));
        let line = before.plus(minutes(16));
        assert_eq!(clock.now().until(line), minutes(1));
        assert_eq!(now.at_wall(wall + minutes(1)), None);
    }

    #[test]
    fn the_machine_clock_goes_forward() {
        let clock = SystemClock::new();
        let before = clock.now();
        assert!(clock.now().has_reached(before));
        assert!(before.wall() > UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    }
}
