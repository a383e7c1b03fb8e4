//! One piece of work in a task of its own, with callers that wait for it, on whatever runtime they are.

use std::{future::Future, time::Duration};

use tokio::{runtime::Handle, select, sync::watch, time::sleep};

use super::flight_runtime::FlightRuntime;
use crate::{
    error::{Error, UnavailableReason},
    time::{Clock, Moment, SystemClock},
};

/// Work that is under way, as its waiting callers see it.
///
/// - The task owns the work: a caller that stops waiting does not end it.
/// - A caller waits no longer than the flight can live: it stops when the runtime of the flight has ended
///   or is stalled, or when the flight is overdue.
#[derive(Clone, Debug)]
pub(super) struct Flight<T> {
    id: u64,
    result: watch::Receiver<Option<T>>,
    runtime: FlightRuntime,
    /// Both by the system clock, as are all waits.
    started: Moment,
    overdue_from: Moment,
}

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    /// Starts `work`, which takes at most `limit` while its runtime is driven.
    pub(super) fn start(
        id: u64,
        limit: Duration,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<Self, Error> {
        let runtime = Handle::try_current()
            .map_err(|_outside| Error::unavailable(UnavailableReason::Abandoned))?;
        let (sender, result) = watch::channel(None);
        let started = SystemClock::new().now();
        runtime.spawn(async move {
            let outcome = work.await;
            // No caller may be waiting any more.
            let _ = sender.send(Some(outcome));
        });
        Ok(Self {
            id,
            result,
            runtime: FlightRuntime::new(runtime),
            started,
            overdue_from: started.plus(limit.saturating_add(GRACE)),
        })
    }

    /// Its number among all flights.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Whether it can still end with an outcome: its runtime has not ended, and it is not overdue.
    pub(super) fn is_alive(&self) -> bool {
        let is_lost = self.result.has_changed().is_err();
        !is_lost && !self.is_overdue()
    }

    /// Whether it runs on the caller's runtime.
    pub(super) fn is_on_this_runtime(&self) -> bool {
        self.runtime.is_current()
    }

    /// How long it has been under way.
    pub(super) fn age(&self) -> Duration {
        SystemClock::new().now().since(self.started)
    }

    /// Waits for its outcome; `None` if there will be none, since its runtime has ended or is stalled.
    pub(super) async fn outcome(&self) -> Option<T> {
        let mut result = self.result.clone();
        let outcome = async {
            let outcome = result.wait_for(Option::is_some).await.ok()?;
            outcome.clone()
        };
        select! {
            biased;
            outcome = outcome => outcome,
            () = self.runtime.stalled() => None,
            () = sleep(SystemClock::new().now().until(self.overdue_from)) => None,
        }
    }

    fn is_overdue(&self) -> bool {
        SystemClock::new().now().has_reached(self.overdue_from)
    }
}

/// A flight that should have ended this long ago never will.
const GRACE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::future;

    use tokio::runtime::Builder;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn runtime() -> tokio::runtime::Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn a_flight_on_a_runtime_that_nobody_drives_is_lost_to_others_long_before_it_is_overdue() {
        let (idle, driven) = (runtime(), runtime());
        let flight = idle.block_on(async { Flight::start(1, HOUR, future::pending::<()>()) });
        let flight = flight.unwrap();
        assert_eq!(driven.block_on(flight.outcome()), None);
        assert!(flight.is_alive(), "its runtime may be driven again");
    }

    #[test]
    fn a_flight_whose_runtime_has_ended_is_lost() {
        let (ending, other) = (runtime(), runtime());
        let flight = ending.block_on(async { Flight::start(1, HOUR, future::pending::<()>()) });
        let flight = flight.unwrap();
        drop(ending);
        assert!(!flight.is_alive());
        assert_eq!(other.block_on(flight.outcome()), None);
    }

    #[test]
    fn a_flight_on_another_runtime_that_is_driven_is_waited_for() {
        let driven = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (sender, result) = tokio::sync::oneshot::channel();
        let flight = driven.block_on(async { Flight::start(1, HOUR, result) });
        let flight = flight.unwrap();
        let outcome = runtime().block_on(async {
            assert!(!flight.runtime.is_silent(HOUR).await);
            sender.send(7).unwrap();
            flight.outcome().await
        });
        assert_eq!(outcome, Some(Ok(7)));
    }
}
