//! The runtime that carries a flight, as those see it who wait on another one.

use std::{future::pending, time::Duration};

use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};

/// The runtime that carries a flight.
///
/// One that nobody drives (a worker that is stuck, a runtime that is kept and not used) never ends and
/// never carries out anything, so nobody else should wait for it.
#[derive(Clone, Debug)]
pub(crate) struct FlightRuntime(Handle);

impl FlightRuntime {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self(runtime)
    }

    /// Whether it is the one that waits.
    pub(crate) fn is_current(&self) -> bool {
        Handle::try_current().is_ok_and(|current| current.id() == self.0.id())
    }

    /// Ends when it gives no sign of life; never, where it is the one that waits.
    pub(crate) async fn stalled(&self) {
        if self.is_current() {
            pending::<()>().await;
        }
        loop {
            sleep(CHECK_EVERY).await;
            if self.is_silent(SILENCE_MAX).await {
                return;
            }
        }
    }

    /// Whether it carries out nothing within so long.
    pub(super) async fn is_silent(&self, patience: Duration) -> bool {
        timeout(patience, self.0.spawn(async {})).await.is_err()
    }
}

/// How often a waiter looks after it.
const CHECK_EVERY: Duration = Duration::from_millis(500);

/// How long it may take over something that takes no time.
const SILENCE_MAX: Duration = Duration::from_secs(1);
