//! How long a failed fetch is remembered.

use std::time::Duration;

use crate::error::Error;

/// 1, 2, 4 … seconds, up to a third less, and not before the issuer wants it; all within a bound.
pub(super) fn pause(failures: u32, error: &Error) -> Duration {
    let doubled = Duration::from_secs(1 << failures.min(6));
    let spread = doubled.min(PAUSE_MAX).mul_f64(1.0 - fastrand::f64() / 3.0);
    let asked = match error {
        Error::Unavailable(unavailable) => unavailable.patience(),
        _ => None,
    };
    asked.unwrap_or_default().max(spread).min(PAUSE_MAX)
}

/// The longest pause after failures, also if the issuer asks for a longer one: without keys an API is
/// down, and a request in half a minute does not keep the issuer from recovering.
const PAUSE_MAX: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::UnavailableReason;

    #[test]
    fn pauses_grow_to_half_a_minute() {
        let error = Error::unavailable(UnavailableReason::Connect);
        let seconds = |failures| pause(failures, &error).as_secs_f64();
        assert!((0.66..=1.0).contains(&seconds(0)));
        assert!((5.3..=8.0).contains(&seconds(3)));
        assert!((20.0..=30.0).contains(&seconds(99)));
    }
}
