//! Times as people and other programs read them.

use std::time::{Duration, SystemTime};

use intelliauth::{Clock as _, SystemClock};
use jiff::{SignedDuration, Timestamp};

/// What the wall clock says.
pub(crate) fn now() -> SystemTime {
    SystemClock::new().now().wall()
}

/// How long until then; nothing if it is over.
pub(crate) fn left(until: SystemTime) -> Duration {
    until.duration_since(now()).unwrap_or_default()
}

/// RFC 3339 in UTC, to the second below: what is valid until then is valid.
pub(crate) fn rfc_3339(time: SystemTime) -> String {
    let seconds = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).map_or_else(|_| String::new(), |time| time.to_string())
}

/// A time span in the two largest of its units: `42 min`, `1 h 5 min`.
pub(crate) fn spoken(span: Duration) -> String {
    let seconds = span.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// Reads `60s`, `5m`, `1h 30m`, or a number of seconds.
pub(crate) fn parse_span(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let span: Result<SignedDuration, _> = text.parse();
    let span = span.map_err(|_error| "write it as 60s, 5m or 1h30m".to_owned())?;
    Duration::try_from(span).map_err(|_error| "it must not be negative".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_spoken() {
        for (text, seconds) in [("60s", 60), ("90", 90), ("5m", 300), ("1h30m", 5400)] {
            assert_eq!(parse_span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert!(parse_span("soon").is_err() && parse_span("-5s").is_err());
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (3599, "59 min"),
            (3600, "1 h"),
            (5400, "1 h 30 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(spoken(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn a_time_is_written_in_utc_and_never_later_than_it_is() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_767_268_800_900);
        assert_eq!(rfc_3339(time), "2026-01-01T12:00:00Z");
    }
}
