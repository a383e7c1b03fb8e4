//! The machine's clocks through the standard library, where the coarse ones of Linux are not.

use std::{
    sync::LazyLock,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use super::Moment;

/// Reads both clocks.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the Clock that everything else asks"
)]
pub(super) fn now() -> Moment {
    /// The first reading in this process. An [`Instant`] says nothing but how long another is ago, and
    /// moments that are compared have to count from the same one.
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    // The start is read before anything is measured from it.
    let monotonic = START.elapsed();
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Moment::new(monotonic, wall)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn all_readings_of_a_process_count_from_one_start() {
        let before = now();
        let elsewhere = thread::spawn(now).join().unwrap();
        let after = now();
        assert!(before.monotonic <= elsewhere.monotonic && elsewhere.monotonic <= after.monotonic);
        assert!(after.wall() > UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000));
    }
}
