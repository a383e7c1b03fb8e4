//! What a client's calls share: slots, settings, and what is under way.

use std::{
    collections::BTreeMap,
    fmt,
    pin::pin,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::runtime::Handle;

use super::{
    deadline,
    index::Index,
    key::KeyRef,
    pinned::Pinned,
    settings::CacheSettings,
    stats::{Counters, Stats},
    throttle::Throttle,
};
use crate::{
    endpoint::Endpoint,
    error::{DeniedReason, Error, Unavailable, UnavailableReason},
    flow::BoxedFlow,
    request::Details,
    scope::Audience,
    session::{CachedTokens, OpenSession, OpenSessions, Principal, Sessions},
    slot::{FlightResult, Slot, SlotEntry, State, lock},
    time::{Moment, TimeSource},
    token::Token,
};

/// All tokens of one application at one issuer.
///
/// - A hit reads `index` and the clock alone.
/// - A flight is in `in_flight` from its start to its end, however it ends.
pub(crate) struct TokenCache {
    pub(super) index: Index,
    pub(super) clock: TimeSource,
    pub(super) settings: CacheSettings,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) flow: Arc<dyn BoxedFlow>,
    /// Where people's tokens come from; none for an application.
    sessions: Option<Arc<Sessions>>,
    /// The sessions that are in use here, whether their tokens come from a store or from a [`Flow`](crate::Flow).
    open: Arc<OpenSessions>,
    pub(super) throttle: Throttle,
    /// Orders flights by their start: an older one never overwrites what a newer one published.
    sequence: AtomicU64,
    /// The flights that have not ended, by their number.
    pub(super) in_flight: Mutex<BTreeMap<u64, FlightResult>>,
    /// The runtime of the last flight: for background refreshes that are started outside of any runtime.
    pub(super) runtime: Mutex<Option<Handle>>,
    pub(super) counters: Counters,
}

impl TokenCache {
    pub(crate) fn new(
        settings: CacheSettings,
        endpoint: Arc<Endpoint>,
        flow: Arc<dyn BoxedFlow>,
        sessions: Option<Arc<Sessions>>,
    ) -> Arc<Self> {
        let clock = settings.clock.clone();
        let open = sessions.as_ref().map(|all| Arc::clone(all.open_sessions()));
        let cache = Arc::new(Self {
            index: Index::new(settings.capacity, clock.clone()),
            clock,
            settings,
            endpoint,
            flow,
            sessions,
            open: open.unwrap_or_default(),
            throttle: Throttle::default(),
            sequence: AtomicU64::new(0),
            in_flight: Mutex::default(),
            runtime: Mutex::new(None),
            counters: Counters::default(),
        });
        if let Some(sessions) = &cache.sessions {
            let cached: Weak<Self> = Arc::downgrade(&cache);
            sessions.are_cached_by(cached);
        }
        cache
    }

    /// The session of this name: the one that is in use, or a new one.
    pub(crate) fn principal(&self, session: &str) -> Principal {
        Principal::Session(self.open.open(session))
    }

    /// Whether tokens come from the sessions of people.
    pub(crate) fn has_sessions(&self) -> bool {
        self.sessions.is_some()
    }

    /// The session behind `principal`, where a store has it.
    pub(crate) fn session<'a>(
        &'a self,
        principal: &'a Principal,
    ) -> Option<(&'a Arc<Sessions>, &'a Arc<OpenSession>)> {
        self.sessions.as_ref().zip(principal.session())
    }

    /// Keeps the slot for `details` from being evicted as long as the result lives.
    pub(crate) fn pin(&self, principal: &Principal, details: &Details) -> Pinned {
        let key = KeyRef::of(principal, details);
        self.index.pin(&key, details.audience())
    }

    pub(crate) fn entry_for(&self, pinned: &Pinned, details: &Details) -> SlotEntry {
        pinned.slot().entry_for(details.scopes(), self.clock.now())
    }

    /// Forgets `rejected` if it is still what would be handed out.
    ///
    /// A token that itself replaced a rejected one moments ago is kept: the API refuses whatever the
    /// issuer mints, and another request would change nothing.
    pub(crate) fn reject(&self, principal: &Principal, rejected: &Arc<Token>) -> Result<(), Error> {
        let audience = rejected.audience().as_str();
        let key = KeyRef::new(principal, audience, &rejected.target.parameters);
        let existing = |slot: &Arc<Slot>| slot.existing(&rejected.target.asked.scopes);
        let Some(slot_entry) = self.index.with_slot(&key, existing) else {
            return Ok(());
        };
        let now = self.clock.now();
        if let Some((_, open)) = self.session(principal) {
            open.reject(rejected.secret());
        }
        if slot_entry.entry().reject(rejected, now) {
            tracing::debug!(%audience, "token was rejected by its API and is forgotten");
            return Ok(());
        }
        if slot_entry.entry().current().header == rejected.header {
            let asked = &rejected.target.asked;
            return Err(Error::denied(asked, DeniedReason::RejectedByApi));
        }
        Ok(())
    }

    /// Forgets everything about `audience`, for this principal; flights under way publish nothing.
    pub(crate) fn clear(&self, principal: &Principal, audience: &Audience) {
        let sequence = self.next_sequence();
        let session = self.session(principal);
        self.index.of_audience(principal, audience, |slot| {
            if let Some((_, open)) = &session {
                // The session's store must not bring it back either.
                slot.tokens(|token| open.reject(token.secret()));
            }
            slot.clear(sequence);
        });
    }

    /// Forgets everything of this session that was asked for before flight `sequence`.
    pub(super) fn forget_before(&self, open: &Arc<OpenSession>, sequence: u64) {
        self.index.of_session(open, |slot| slot.clear(sequence));
    }

    /// Forgets everything of this session; flights under way publish nothing.
    pub(crate) fn clear_all(&self, open: &Arc<OpenSession>) {
        self.forget_before(open, self.next_sequence());
    }

    /// The remembered failure of this key, or the pause that the issuer asked for on all keys.
    pub(super) fn refusal(&self, state: &State, is_forced: bool, now: Moment) -> Option<Error> {
        let held = || {
            let wait = self.throttle.wait(now)?;
            let error = Unavailable::new(UnavailableReason::RateLimited).with_retry_after(wait);
            Some(Error::Unavailable(error))
        };
        state.refusal(is_forced, now).or_else(held)
    }

    /// Waits until the flights that are under way now have ended, at most as long as two may take.
    pub(crate) async fn drain(&self) -> Result<(), Error> {
        let flights: Vec<FlightResult> = lock(&self.in_flight).values().cloned().collect();
        let limit = self.settings.flight_timeout.saturating_mul(2);
        let all = pin!(async {
            for flight in flights {
                flight.wait().await;
            }
            Ok(())
        });
        // The time is up, or the runtime has no timer: there is nothing more to wait for.
        let _ = deadline::within(limit, all).await;
        match &self.sessions {
            Some(sessions) => sessions.close(limit).await,
            None => Ok(()),
        }
    }

    pub(crate) fn now(&self) -> Moment {
        self.clock.now()
    }

    pub(crate) fn clock(&self) -> &TimeSource {
        &self.clock
    }

    pub(crate) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    pub(crate) fn stats(&self) -> Stats {
        self.counters.read(&self.index, self.open.count())
    }

    pub(crate) fn issuer(&self) -> &str {
        self.endpoint.issuer()
    }

    pub(crate) fn client_id(&self) -> &str {
        self.endpoint.client_id()
    }

    pub(super) fn next_sequence(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl CachedTokens for TokenCache {
    fn forget(&self, open: &Arc<OpenSession>) {
        self.clear_all(open);
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache")
            .field("flow", &self.flow)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
