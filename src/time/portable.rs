//! The system's clocks through the standard library, where the coarse ones of Linux are not.

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
    use std::{thread, time::Duration};

    use tokio::runtime::Builder;

    use super::*;
    use crate::{Client, Clock, Error, Flow, FlowContext, Source, SystemClock, TokenResponse};

    /// What a [`SystemClock`] is on other systems.
    #[derive(Clone, Copy, Debug)]
    struct Portable;

    impl Clock for Portable {
        fn now(&self) -> Moment {
            now()
        }
    }

    #[derive(Debug)]
    struct AnHour;

    impl Flow for AnHour {
        async fn acquire(&self, _: FlowContext<'_>) -> Result<TokenResponse, Error> {
            Ok(TokenResponse::new("a-token").lifetime(Duration::from_secs(3600)))
        }
    }

    /// What everything that asks a machine's clock relies on.
    fn keeps_the_rules(clock: impl Clock + Copy) {
        let before = clock.now();
        let elsewhere = thread::spawn(move || clock.now()).join().unwrap();
        let after = clock.now();
        let in_order = [before, elsewhere, after].map(|moment| moment.monotonic);
        assert!(
            in_order.is_sorted(),
            "all count from one start: {in_order:?}"
        );
        assert!(after.has_reached(before) && after.since(before) < Duration::from_secs(3600));
        let line = after.plus(Duration::from_secs(7200));
        assert!(!clock.now().has_reached(line));
        assert!(clock.now().until(line) > Duration::from_secs(3600));
        // What was kept before this process, or the machine, has started.
        let year = Duration::from_secs(365 * 24 * 3600);
        let wall = after.wall().duration_since(UNIX_EPOCH).unwrap();
        assert!(wall > 50 * year);
        let kept = after.at_wall(wall.saturating_sub(year)).unwrap();
        let age = after.since(kept);
        assert!(age.abs_diff(year) < Duration::from_secs(1), "{age:?}");
        assert!(after.has_reached(kept.plus(year / 2)));
        assert!(kept.monotonic < before.monotonic);
    }

    #[derive(Clone, Copy, Debug)]
    struct OfThisSystem;

    impl Clock for OfThisSystem {
        fn now(&self) -> Moment {
            SystemClock::new().now()
        }
    }

    #[test]
    fn the_clocks_of_other_systems_keep_the_same_rules_as_those_of_linux() {
        keeps_the_rules(OfThisSystem);
        keeps_the_rules(Portable);
    }

    #[test]
    fn a_client_caches_by_the_clocks_of_other_systems() {
        let client = Client::builder("https://tenant.example", "app_1", AnHour);
        let client = client.clock(Portable).build().unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        for source in [Source::Issuer, Source::Cache] {
            let token = runtime.block_on(client.get_access_token("api")).unwrap();
            assert_eq!(token.source(), source);
            let left = token.expires_at().duration_since(now().wall()).unwrap();
            assert!(left > Duration::from_secs(1800), "{left:?}");
        }
    }
}
