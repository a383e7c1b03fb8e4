//! The system's clocks as a client reads them on every call: the wall clock once a tick.

#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::{Clock, Moment, SystemClock};

/// A [`SystemClock`] that does not read the wall clock again before the monotonic one has moved.
///
/// The kernel sets both coarse clocks in the same tick. So where the monotonic one says what it said
/// last time, the wall clock does as well, unless it was set since; that shows at the next
/// tick, at most 4 ms later. One thread writes here in each tick, and all others only read.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Ticks {
    clock: SystemClock,
    #[cfg(target_os = "linux")]
    monotonic: AtomicI64,
    #[cfg(target_os = "linux")]
    wall: AtomicU64,
}

impl Ticks {
    #[cfg(target_os = "linux")]
    #[inline]
    pub(super) fn now(&self) -> Moment {
        let monotonic = SystemClock::monotonic();
        if self.monotonic.load(Ordering::Acquire) != monotonic {
            return self.next();
        }
        // As new as the tick, or newer: it is stored first.
        let wall = self.wall.load(Ordering::Relaxed);
        Moment { monotonic, wall }
    }

    #[cfg(target_os = "linux")]
    #[cold]
    fn next(&self) -> Moment {
        let now = self.clock.now();
        self.wall.store(now.wall, Ordering::Relaxed);
        self.monotonic.store(now.monotonic, Ordering::Release);
        now
    }

    /// Elsewhere the clocks are not coarse, and never say the same twice.
    #[cfg(not(target_os = "linux"))]
    #[inline]
    pub(super) fn now(&self) -> Moment {
        self.clock.now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_go_with_the_machine_and_never_fall_behind() {
        let (ticks, clock) = (Ticks::default(), SystemClock::new());
        let start = clock.now();
        // A tenth of a second has at least ten ticks.
        while clock.now().since(start) < std::time::Duration::from_millis(100) {
            let (before, now, after) = (clock.now(), ticks.now(), clock.now());
            assert!(now.monotonic >= before.monotonic && now.monotonic <= after.monotonic);
            assert!(now.wall >= before.wall && now.wall <= after.wall);
        }
        assert!(ticks.now().since(start) >= std::time::Duration::from_millis(90));
    }
}
