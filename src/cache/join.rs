//! Single flight: one call makes the request, and all other calls for the key get its result.
//!
//! - A key has at most one current flight, and one forced flight queued behind it.
//! - A flight is joined or started under the lock of its entry, so two calls cannot both start one.
//! - A flight runs in a task of its own: the call that started it may be dropped without ending it.
//! - However the task ends (a result, a panic, a runtime that is shut down), its entry is free again and
//!   its waiters get an outcome.

use std::{
    sync::{Arc, MutexGuard, atomic::Ordering},
    time::Duration,
};

use arc_swap::Guard;
use tokio::runtime::Handle;

use super::{
    deadline::NO_RUNTIME, fetch_task::FetchTask, pinned::Pinned, settings::RefreshAhead,
    token_cache::TokenCache,
};
use crate::{
    error::Error,
    request::{CacheMode, Urgency},
    session::Principal,
    slot::{Flight, FlightResult, SlotEntry, State, lock},
    time::{Clock, Moment, SystemClock},
    token::Token,
};

/// What a call that found no token has to do.
pub(super) enum Join {
    /// Use this token: another call has fetched it in the meantime.
    Token(Arc<Token>),
    /// Return this error: the last flight failed a short time ago, or no flight can be started here.
    Refused(Error),
    /// Wait for this flight.
    Waiting(FlightResult),
    /// Find the entry again: this one was evicted.
    Closed,
}

impl TokenCache {
    /// Finds a flight for a call that found no token, or starts one.
    pub(super) fn join(
        self: &Arc<Self>,
        principal: &Principal,
        slot_entry: &SlotEntry,
        mode: CacheMode,
    ) -> Join {
        let now = self.clock.now();
        let Some(state) = slot_entry.entry().state() else {
            return Join::Closed;
        };
        let is_forced = mode == CacheMode::Refresh;
        if !is_forced {
            let token = slot_entry.entry().current();
            if !token.is_narrowed && self.is_good_enough(&token, &state, now) {
                return Join::Token(Guard::into_inner(token));
            }
        }
        if let Some(flight) = joinable(&state, is_forced) {
            self.counters.joined.fetch_add(1, Ordering::Relaxed);
            return Join::Waiting(flight);
        }
        if let Some(error) = self.refusal(&state, is_forced, now) {
            self.counters.remembered.fetch_add(1, Ordering::Relaxed);
            return Join::Refused(error);
        }
        let urgency = Urgency {
            is_forced,
            in_background: false,
        };
        match self.start(principal, slot_entry, state, urgency) {
            Start::Started(flight) => Join::Waiting(flight),
            Start::NoRuntime => Join::Refused(Error::request(NO_RUNTIME)),
            Start::Closed => Join::Closed,
        }
    }

    /// Starts the refresh of a token in its window, unless one is under way or has just failed.
    pub(super) fn refresh_in_background(
        self: &Arc<Self>,
        principal: &Principal,
        slot_entry: &SlotEntry,
        token: &Arc<Token>,
        now: Moment,
    ) {
        let Some(state) = slot_entry.entry().try_state() else {
            return;
        };
        let is_current = Arc::ptr_eq(&slot_entry.entry().current(), token);
        if is_current && self.may_refresh(&state, now) {
            let urgency = Urgency {
                is_forced: false,
                in_background: true,
            };
            self.start(principal, slot_entry, state, urgency);
        }
    }

    /// Whether a call in the window should wait for a refresh.
    pub(super) fn is_refresh_due(&self, slot_entry: &SlotEntry, now: Moment) -> bool {
        slot_entry
            .entry()
            .try_state()
            .is_some_and(|state| self.may_refresh(&state, now))
    }

    fn may_refresh(&self, state: &State, now: Moment) -> bool {
        state.allows_refresh(now) && self.throttle.wait(now).is_none()
    }

    /// Whether a token is good enough for a call that is about to join a flight.
    fn is_good_enough(&self, token: &Token, state: &State, now: Moment) -> bool {
        let waits_in_window = self.settings.refresh_ahead == RefreshAhead::Inline;
        token.freshness.is_fresh(now)
            || (token.freshness.is_usable(now)
                && !(waits_in_window && self.may_refresh(state, now)))
    }

    /// When so many flights one after the other must have ended, by the system clock.
    fn overdue_after(&self, flights: u32) -> Moment {
        let limit = self.settings.flight_timeout.saturating_mul(flights);
        SystemClock::new().now().plus(limit.saturating_add(GRACE))
    }

    /// The runtime of this thread. Without one, a background refresh uses the runtime of the last flight;
    /// a call that waits must not, since it would depend on another thread driving that runtime.
    fn runtime(&self, urgency: Urgency) -> Option<Handle> {
        let mut last = lock(&self.runtime);
        match Handle::try_current() {
            Ok(current) => {
                *last = Some(current.clone());
                Some(current)
            }
            Err(_outside) => last.clone().filter(|_| urgency.in_background),
        }
    }

    /// Starts a task that makes the request and publishes its outcome, whatever happens to it.
    fn start(
        self: &Arc<Self>,
        principal: &Principal,
        slot_entry: &SlotEntry,
        mut state: MutexGuard<'_, State>,
        urgency: Urgency,
    ) -> Start {
        let Some(runtime) = self.runtime(urgency) else {
            return Start::NoRuntime;
        };
        let Some(pinned) = Pinned::new(principal, slot_entry.slot()) else {
            return Start::Closed;
        };
        let result = FlightResult::new(self.next_sequence(), &runtime);
        let before = state
            .current_flight()
            .filter(|current| current.is_forced && urgency.is_forced)
            .map(|current| current.result.clone());
        let is_queued = before.is_some();
        let flight = Flight {
            id: result.id(),
            is_forced: urgency.is_forced,
            overdue_from: self.overdue_after(if is_queued { 2 } else { 1 }),
            result: result.clone(),
        };
        state.add_flight(flight, is_queued);
        lock(&self.in_flight).insert(result.id(), result.clone());
        let fetch_task = FetchTask {
            cache: Arc::clone(self),
            slot_entry: slot_entry.clone(),
            pinned,
            id: result.id(),
            sequence: 0,
            urgency,
            result: result.clone(),
        };
        // A runtime that has ended drops the task inside `spawn`, and the drop takes this lock.
        drop(state);
        runtime.spawn(fetch_task.run(before));
        Start::Started(result)
    }
}

/// A flight that this call may join: the current one, or for a forced call the one that has yet to start.
fn joinable(state: &State, is_forced: bool) -> Option<FlightResult> {
    let flight = if is_forced {
        state.queued_flight()
    } else {
        state.current_flight()
    };
    flight.map(|flight| flight.result.clone())
}

/// How much later than its limit a flight may end on a busy machine before it counts as lost.
const GRACE: Duration = Duration::from_secs(1);

enum Start {
    Started(FlightResult),
    NoRuntime,
    Closed,
}
