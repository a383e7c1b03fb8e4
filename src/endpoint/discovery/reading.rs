//! Reading the metadata by one flight for all, and what is remembered of the reads that failed.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::timeout;
use url::Url;

use super::{Discovery, FAILURE_MAX, KEPT_FOR, Known, Metadata, RENEWAL_TIMEOUT};
use crate::{
    endpoint::{flight::Flight, retry::RetryPolicy, transport::Transport},
    error::{Error, UnavailableReason, Violation},
    time::Moment,
};

/// How the metadata is read.
#[derive(Clone, Copy, Debug)]
pub(in crate::endpoint) struct Reading {
    pub(in crate::endpoint) policy: RetryPolicy,
    /// Whether a remembered failure is passed, if the issuer did not ask for patience.
    pub(in crate::endpoint) is_forced: bool,
}

/// The state that a call needs which finds no usable metadata.
#[derive(Debug, Default)]
pub(super) struct Reads(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    flight: Option<Reader>,
    flights: u64,
    /// The number of the flight whose metadata is known: earlier ones publish nothing.
    published: u64,
    failures: Failures,
}

/// The reads that failed since the last good one.
#[derive(Debug, Default)]
struct Failures {
    last: Option<(Error, Moment)>,
    count: u32,
}

type Outcome = Result<Arc<Metadata>, Error>;

type Reader = Flight<Outcome>;

enum Joined {
    /// Another call has read it in the meantime.
    Known(Arc<Metadata>),
    InFlight(Reader),
    /// A flight is under way, and this call has started it.
    Started(Reader),
}

impl Discovery {
    /// The metadata, read by the one flight; `used` is what will not do.
    pub(super) async fn read(
        self: &Arc<Self>,
        transport: &Transport,
        how: Reading,
        used: Option<&Arc<Metadata>>,
    ) -> Outcome {
        for _ in 0..ROUNDS {
            let flight = match self.join(transport, how, used)? {
                Joined::Known(metadata) => return Ok(metadata),
                Joined::InFlight(flight) | Joined::Started(flight) => flight,
            };
            if let Some(outcome) = flight.outcome().await {
                return outcome;
            }
            self.abandon(&flight);
        }
        Err(Error::unavailable(UnavailableReason::Abandoned))
    }

    /// Reads the metadata again, by one caller and within seconds; till then what was known is used.
    ///
    /// An issuer that is down for a moment has not moved, so no caller waits long for it.
    pub(super) async fn renewed(
        self: &Arc<Self>,
        transport: &Transport,
        how: Reading,
        known: &Arc<Metadata>,
    ) -> Outcome {
        let outcome = match self.join(transport, how, Some(known)) {
            Ok(Joined::Known(newer)) => return Ok(newer),
            Ok(Joined::InFlight(_)) => return Ok(Arc::clone(known)),
            Ok(Joined::Started(flight)) => {
                let outcome = timeout(RENEWAL_TIMEOUT, flight.outcome()).await;
                outcome.ok().flatten()
            }
            Err(error) => Some(Err(error)),
        };
        match outcome {
            // Another issuer answers at this address now: that is no passing trouble.
            Some(Err(error)) if is_another_issuer(&error) => Err(error),
            Some(Ok(newer)) => Ok(newer),
            Some(Err(_)) | None => Ok(Arc::clone(known)),
        }
    }

    /// The flight that is under way, or one that starts now.
    fn join(
        self: &Arc<Self>,
        transport: &Transport,
        how: Reading,
        used: Option<&Arc<Metadata>>,
    ) -> Result<Joined, Error> {
        let mut state = self.reads.state();
        let newer = self.known.load_full().filter(|known| {
            let is_used = |used| self.is_of(&known.metadata, used);
            !used.is_some_and(is_used)
        });
        if let Some(newer) = newer {
            return Ok(Joined::Known(Arc::clone(&newer.metadata)));
        }
        if let Some(flight) = state.flight.as_ref().filter(|flight| flight.is_alive()) {
            return Ok(Joined::InFlight(flight.clone()));
        }
        let now = self.clock.now();
        if let Some((error, until)) = &state.failures.last
            && !now.has_reached(*until)
            && (!how.is_forced || asked_pause(error).is_some())
        {
            return Err(error.with_wait_left(now.until(*until)));
        }
        state.flights += 1;
        let id = state.flights;
        let (discovery, transport) = (Arc::clone(self), transport.clone());
        let limit = self.limit;
        let work = async move {
            let fetched = timeout(limit, discovery.fetch(&transport, how)).await;
            let fetched = fetched
                .unwrap_or_else(|_elapsed| Err(Error::unavailable(UnavailableReason::Timeout)));
            discovery.finish(id, now, fetched)
        };
        let flight = Flight::start(id, limit, work)?;
        state.flight = Some(flight.clone());
        Ok(Joined::Started(flight))
    }

    /// Publishes what flight `id` has read, or remembers its failure.
    fn finish(&self, id: u64, started: Moment, fetched: Result<Metadata, Error>) -> Outcome {
        let mut state = self.reads.state();
        state.flight.take_if(|flight| flight.id() == id);
        // Overdue, and a later flight was faster.
        let is_late = id < state.published;
        match fetched {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                if !is_late {
                    state.published = id;
                    state.failures = Failures::default();
                    self.known.store(Some(Arc::new(Known {
                        metadata: Arc::clone(&metadata),
                        until: started.plus(KEPT_FOR),
                    })));
                }
                drop(state);
                let endpoint = metadata.token_endpoint.as_ref().map(Url::as_str);
                tracing::debug!(
                    issuer = self.issuer(),
                    token_endpoint = endpoint,
                    "issuer metadata read"
                );
                Ok(metadata)
            }
            Err(error) if is_late => Err(error),
            Err(error) => {
                let pause = state.failures.add(&error, self.clock.now());
                drop(state);
                tracing::debug!(issuer = self.issuer(), %error, ?pause, "issuer metadata not read");
                Err(error)
            }
        }
    }

    /// Forgets a flight that will not end, so that the next call starts another.
    fn abandon(&self, lost: &Reader) {
        let mut state = self.reads.state();
        state.flight.take_if(|flight| flight.id() == lost.id());
    }
}

impl Reads {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failures {
    /// Remembers `error`, and says for how long.
    fn add(&mut self, error: &Error, now: Moment) -> Duration {
        let backoff = FAILURE_MAX.min(Duration::from_secs(1 << self.count.min(6)));
        let pause = asked_pause(error).unwrap_or(backoff);
        self.count = self.count.saturating_add(1);
        self.last = Some((error.clone(), now.plus(pause)));
        pause
    }
}

fn is_another_issuer(error: &Error) -> bool {
    let Error::Protocol(violation) = error else {
        return false;
    };
    matches!(violation.violation(), Violation::WrongIssuer { .. })
}

/// How long the issuer asked to be left alone, if it did.
fn asked_pause(error: &Error) -> Option<Duration> {
    let Error::Unavailable(unavailable) = error else {
        return None;
    };
    unavailable.patience()
}

/// How many lost flights one call waits for, one after the other.
const ROUNDS: u32 = 3;
