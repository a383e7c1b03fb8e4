//! The runtime of a flight, as callers on another runtime see it.

use std::{future::pending, time::Duration};

use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};

/// The runtime on which a flight runs.
///
/// One that no thread drives (a worker is stuck, a runtime is kept and not used) never ends and never
/// completes a task, so callers on other runtimes should not wait for it.
#[derive(Clone, Debug)]
pub(crate) struct FlightRuntime(Handle);

impl FlightRuntime {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self(runtime)
    }

    /// Whether it is the runtime of the caller.
    pub(crate) fn is_current(&self) -> bool {
        Handle::try_current().is_ok_and(|current| current.id() == self.0.id())
    }

    /// Ends when it runs no task any more; never, where it is the caller's own.
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

    /// Whether it runs no new task within `patience`.
    pub(super) async fn is_silent(&self, patience: Duration) -> bool {
        timeout(patience, self.0.spawn(async {})).await.is_err()
    }
}

/// How often a waiting call checks the runtime.
const CHECK_EVERY: Duration = Duration::from_millis(500);

/// How long an empty task may take before the runtime counts as stalled.
const SILENCE_MAX: Duration = Duration::from_secs(1);
