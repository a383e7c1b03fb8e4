//! The issuer's public keys: fetched by one flight for all, refreshed ahead, kept through an outage.

mod fetch;
mod pause;
mod publish;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

#[cfg(feature = "resource-server")]
pub(crate) use super::transport::Proxy;
pub(crate) use super::transport::{Connections, Fault, HttpSettings, Transport};
use super::{discovery::Discovery, flight::Flight, issuer::Issuer};
use crate::{
    error::{Error, UnavailableReason},
    jwt::KeySet,
    time::{Moment, TimeSource},
};
use arc_swap::ArcSwapOption;
use fetch::Location;
use tokio::time::timeout;

/// Where the keys of one issuer come from. Clones share what they know.
#[derive(Clone, Debug)]
pub(crate) struct KeySource(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    discovery: Arc<Discovery>,
    transport: Transport,
    clock: TimeSource,
    known: ArcSwapOption<Known>,
    state: Mutex<State>,
}

/// Keys, and when their use changes.
#[derive(Debug)]
struct Known {
    keys: Arc<KeySet>,
    /// From here on they are refreshed while they are used.
    refresh_from: Moment,
    /// From here on they are used only if there is trouble with newer ones.
    until: Moment,
    /// From here on they are not used at all.
    stale_until: Moment,
}

/// The state that a call needs which finds no fresh keys.
#[derive(Debug, Default)]
struct State {
    flight: Option<Flight<FetchOutcome>>,
    flights: u64,
    /// The number of the flight whose keys are known: earlier ones publish nothing.
    published: u64,
    /// Why the last flight failed, and until when no call tries again.
    failure: Option<(Error, Moment)>,
    failures: u32,
    /// How long an unknown key is no reason to fetch.
    next_for_unknown: Option<Moment>,
    location: Option<Location>,
}

impl KeySource {
    /// Prepares to fetch the keys of `issuer`. Nothing is sent.
    #[cfg_attr(
        not(any(test, feature = "resource-server")),
        expect(dead_code, reason = "a verifier begins with it")
    )]
    pub(crate) fn new(
        issuer: &str,
        http: &HttpSettings,
        connections: &Connections,
        clock: TimeSource,
    ) -> Result<Self, Fault> {
        let issuer = Issuer::new(issuer).map_err(|(problem, fix)| ("issuer", problem, fix))?;
        let transport = Transport::new(&issuer, http, connections, clock.clone())?;
        let discovery = Discovery::new(issuer, None, FLIGHT_TIMEOUT, clock.clone());
        Ok(Self::through(Arc::new(discovery), &transport, clock))
    }

    /// Prepares to fetch the keys of an issuer whose metadata is read anyway.
    pub(super) fn through(
        discovery: Arc<Discovery>,
        transport: &Transport,
        clock: TimeSource,
    ) -> Self {
        Self(Arc::new(Shared {
            discovery,
            transport: transport.clone(),
            clock,
            known: ArcSwapOption::empty(),
            state: Mutex::default(),
        }))
    }

    /// The keys if they are fresh at `now`; in the last fifth of their life one caller starts to fetch
    /// the next ones, and no caller waits for them.
    pub(crate) fn fresh(&self, now: Moment) -> Option<Arc<KeySet>> {
        let known = self.0.known.load();
        let known = known
            .as_ref()
            .filter(|known| !now.has_reached(known.until))?;
        if now.has_reached(known.refresh_from) {
            let _in_background = self.join(now, Reason::Life);
        }
        Some(Arc::clone(&known.keys))
    }

    /// The keys: fresh ones, or after some waiting those that have outlived their time in an outage.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] or [`Error::Protocol`] when there are none that may be used.
    pub(crate) async fn current(&self) -> Result<Arc<KeySet>, Error> {
        let now = self.0.clock.now();
        if let Some(keys) = self.fresh(now) {
            return Ok(keys);
        }
        let stale = self.0.known.load_full();
        let stale = stale.filter(|known| !now.has_reached(known.stale_until));
        let patience = stale
            .as_ref()
            .map_or(PATIENCE_WITHOUT, |_| PATIENCE_WITH_STALE);
        let failure = self.wait_for_flight(Reason::Life, patience).await.err();
        match (failure, stale) {
            (None, _) => self.published(),
            (Some(_outage), Some(stale)) => Ok(Arc::clone(&stale.keys)),
            (Some(failure), None) => Err(failure),
        }
    }

    /// Newer keys than `used`, in which the key of a token is missing; nothing if there are none, or
    /// if that was looked up a moment ago.
    ///
    /// # Errors
    ///
    /// As [`current`](Self::current): then it is unknown whether the token's key is a new one.
    pub(crate) async fn newer(&self, used: &Arc<KeySet>) -> Result<Option<Arc<KeySet>>, Error> {
        let is_newer = |keys: &Arc<KeySet>| !Arc::ptr_eq(keys, used);
        let now = self.0.clock.now();
        if let Some(keys) = self.fresh(now).filter(is_newer) {
            return Ok(Some(keys));
        }
        self.wait_for_flight(Reason::UnknownKey, PATIENCE_WITHOUT)
            .await?;
        Ok(Some(self.published()?).filter(is_newer))
    }

    /// Waits for the flight that `reason` calls for, if it does; if that flight is lost with its runtime,
    /// for the next.
    async fn wait_for_flight(&self, reason: Reason, patience: Duration) -> FetchOutcome {
        for _ in 0..ROUNDS {
            let Joined::InFlight(flight) = self.join(self.0.clock.now(), reason)? else {
                return Ok(());
            };
            // A later caller waits no longer. On another runtime it takes time to find out whether the
            // flight can end at all.
            let since = Some(flight.age()).filter(|_| flight.is_on_this_runtime());
            let left = patience.saturating_sub(since.unwrap_or_default());
            match timeout(left, flight.outcome()).await {
                Err(_elapsed) => return Err(Error::unavailable(UnavailableReason::Timeout)),
                Ok(Some(outcome)) => return outcome,
                Ok(None) => self.0.abandon(&flight),
            }
        }
        Err(Error::unavailable(UnavailableReason::Abandoned))
    }

    /// The flight that is under way, or one that starts now if `reason` is a good one.
    fn join(&self, now: Moment, reason: Reason) -> Result<Joined, Error> {
        let mut state = self.0.state();
        if let Some(flight) = state.flight.as_ref().filter(|flight| flight.is_alive()) {
            return Ok(Joined::InFlight(flight.clone()));
        }
        if reason == Reason::Life && !self.0.is_aging(now) {
            return Ok(Joined::NotNeeded);
        }
        if let Some((error, until)) = &state.failure
            && !now.has_reached(*until)
        {
            return Err(error.with_wait_left(now.until(*until)));
        }
        if reason == Reason::UnknownKey {
            let is_too_soon = |next: &Moment| !now.has_reached(*next);
            if let Some(next) = state.next_for_unknown.filter(is_too_soon) {
                // Where that fetch failed, it is unknown whether the key is a new one.
                let failure = state.failure.as_ref();
                return failure.map_or(Ok(Joined::NotNeeded), |(error, _)| {
                    Err(error.with_wait_left(now.until(next)))
                });
            }
            state.next_for_unknown = Some(now.plus(UNKNOWN_KEY_PAUSE));
        }
        state.flights += 1;
        let (id, shared) = (state.flights, Arc::clone(&self.0));
        let flight = Flight::start(id, FLIGHT_TIMEOUT, async move {
            let started = shared.clock.now();
            let fetched = timeout(FLIGHT_TIMEOUT, shared.fetch()).await;
            let fetched = fetched
                .unwrap_or_else(|_elapsed| Err(Error::unavailable(UnavailableReason::Timeout)));
            shared.finish(id, started, fetched)
        })?;
        state.flight = Some(flight.clone());
        Ok(Joined::InFlight(flight))
    }

    fn published(&self) -> Result<Arc<KeySet>, Error> {
        let known = self.0.known.load_full();
        let keys = known.map(|known| Arc::clone(&known.keys));
        keys.ok_or_else(|| Error::unavailable(UnavailableReason::Abandoned))
    }
}

/// How a flight ends; its keys are published.
type FetchOutcome = Result<(), Error>;

/// Why keys are to be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// Those that are known grow old, or there are none.
    Life,
    /// A token names another one.
    UnknownKey,
}

enum Joined {
    InFlight(Flight<FetchOutcome>),
    /// What is known is new enough.
    NotNeeded,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_aging(&self, now: Moment) -> bool {
        let known = self.known.load();
        known
            .as_ref()
            .is_none_or(|known| now.has_reached(known.refresh_from))
    }
}

/// How long keys are used without asking again: a key that the issuer removes stops working within
/// this time, and the issuer is asked six times an hour.
pub(crate) const LIFE: Duration = Duration::from_secs(600);

/// The part of their life after which keys that are in use are refreshed: two minutes in which an
/// answer can be slow, or an outage short, before a caller notices.
const REFRESH_AT: f64 = 0.8;

/// How long the last known keys are used while newer ones cannot be had. An issuer that is down for a
/// day is repaired by then; a key that was withdrawn because it leaked is worth no more than that.
pub(crate) const STALE_MAX: Duration = Duration::from_secs(24 * 3600);

/// A token with an unknown key costs its sender nothing, so it must not cost the issuer a request.
pub(crate) const UNKNOWN_KEY_PAUSE: Duration = Duration::from_secs(30);

/// How long a request waits for newer keys before it is answered with old ones.
const PATIENCE_WITH_STALE: Duration = Duration::from_secs(2);

/// How long a request waits for keys without which it cannot be answered.
const PATIENCE_WITHOUT: Duration = Duration::from_secs(5);

/// Metadata and keys are two small documents.
const FLIGHT_TIMEOUT: Duration = Duration::from_secs(10);

/// How many lost flights one call waits for, one after the other.
const ROUNDS: u32 = 3;

#[cfg(test)]
mod tests;
