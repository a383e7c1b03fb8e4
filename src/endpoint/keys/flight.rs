//! One fetch in a task of its own, and those who wait for it.

use std::{sync::Arc, time::Duration};

use tokio::{
    runtime::Handle,
    sync::watch,
    time::{Instant, timeout, timeout_at},
};

use super::Shared;
use crate::error::{Error, UnavailableReason};

type Landing = Option<Result<(), Error>>;

/// A fetch that is under way.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    landing: watch::Receiver<Landing>,
    /// By the machine's clock, as are all waits.
    departed: Instant,
}

impl Flight {
    /// Starts to fetch. Whoever gives up waiting harms nobody.
    pub(super) fn depart(shared: Arc<Shared>) -> Result<Self, Error> {
        let runtime = Handle::try_current()
            .map_err(|_outside| Error::unavailable(UnavailableReason::Abandoned))?;
        let (sender, landing) = watch::channel(None);
        runtime.spawn(async move {
            let started = shared.clock.now();
            let fetched = timeout(FLIGHT_TIMEOUT, shared.fetch()).await;
            let fetched = fetched
                .unwrap_or_else(|_elapsed| Err(Error::unavailable(UnavailableReason::Timeout)));
            let landed = shared.land(started, fetched);
            // Nobody may be waiting.
            let _ = sender.send(Some(landed));
        });
        Ok(Self {
            landing,
            departed: Instant::now(),
        })
    }

    /// Whether it can still land: its task was not lost with a runtime that ended, or that nobody
    /// drives.
    pub(super) fn is_alive(&self) -> bool {
        let is_lost = self.landing.has_changed().is_err();
        !is_lost && self.departed.elapsed() < FLIGHT_TIMEOUT + GRACE
    }

    /// Waits for its end, until `patience` after its start.
    pub(super) async fn landed(mut self, patience: Duration) -> Result<(), Error> {
        let landing = self.landing.wait_for(Option::is_some);
        match timeout_at(self.departed + patience, landing).await {
            Ok(Ok(landed)) => landed.clone().unwrap_or(Ok(())),
            Ok(Err(_lost)) => Err(Error::unavailable(UnavailableReason::Abandoned)),
            Err(_elapsed) => Err(Error::unavailable(UnavailableReason::Timeout)),
        }
    }
}

/// Metadata and keys are two small documents.
const FLIGHT_TIMEOUT: Duration = Duration::from_secs(10);

/// A flight that should have landed this long ago never will.
const GRACE: Duration = Duration::from_secs(1);
