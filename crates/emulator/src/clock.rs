//! The emulator's own time: the machine's, moved ahead by tests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use jiff::{Timestamp, Unit};
use serde::Serializer;

/// Real time plus an offset. Everything that expires asks this clock.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead_nanos: AtomicU64,
}

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that everything else asks"
    )]
    pub(crate) fn now(&self) -> SystemTime {
        let ahead = Duration::from_nanos(self.ahead_nanos.load(Ordering::Relaxed));
        SystemTime::now() + ahead
    }

    pub(crate) fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        // A century is enough for any test, and keeps `now` far from overflow.
        let step = |ahead: u64| Some(ahead.saturating_add(nanos).min(CENTURY_NANOS));
        let _ = self
            .ahead_nanos
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
    }

    pub(crate) fn reset(&self) {
        self.ahead_nanos.store(0, Ordering::Relaxed);
    }
}

/// An instant after another, a century at most: further than any test looks, and never an overflow.
pub(crate) fn later(at: SystemTime, by: Duration) -> SystemTime {
    at.checked_add(by.min(Duration::from_nanos(CENTURY_NANOS)))
        .unwrap_or(at)
}

/// Seconds since 1970, as `iat` and `exp` count them (RFC 7519 section 2, `NumericDate`).
pub(crate) fn unix_seconds(at: SystemTime) -> i64 {
    at.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        })
}

/// RFC 3339 in UTC with milliseconds, as the admin API writes every instant.
pub(crate) fn rfc3339(at: SystemTime) -> String {
    let timestamp = Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH);
    timestamp
        .round(Unit::Millisecond)
        .unwrap_or(timestamp)
        .to_string()
}

/// Serialises an instant as [`rfc3339`].
pub(crate) fn serialize<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*at))
}

const CENTURY_NANOS: u64 = 100 * 365 * 24 * 3600 * 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advancing_moves_now_by_as_much() {
        let clock = Clock::default();
        let before = clock.now();
        clock.advance(Duration::from_secs(3600));
        assert!(clock.now() >= before + Duration::from_secs(3600));
        clock.reset();
        assert!(clock.now() < before + Duration::from_secs(3600));
    }

    #[test]
    fn an_absurd_advance_does_not_overflow() {
        let clock = Clock::default();
        clock.advance(Duration::MAX);
        clock.advance(Duration::MAX);
        assert!(unix_seconds(clock.now()) > 0);
    }

    #[test]
    fn a_lifetime_without_end_does_not_overflow() {
        let now = Clock::default().now();
        assert!(later(now, Duration::MAX) > now);
        assert_eq!(
            later(now, Duration::from_secs(1)),
            now + Duration::from_secs(1)
        );
    }

    #[test]
    fn instants_are_written_as_rfc_3339() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        assert_eq!(rfc3339(at), "2023-11-14T22:13:20.123Z");
    }
}
