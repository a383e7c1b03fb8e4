//! The machine's clocks: real processes are measured here, and no test moves their time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[expect(
    clippy::disallowed_methods,
    reason = "measures real processes; nothing here is tested by moving time"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "tokens of real processes expire by the machine's clock"
)]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// Since the Unix epoch.
pub(crate) fn since_epoch() -> Duration {
    wall().duration_since(UNIX_EPOCH).unwrap_or_default()
}
