//! One scope set of a slot: its token, its flights, its last failure.

use std::{
    sync::{Arc, Mutex, MutexGuard, TryLockError},
    time::Duration,
};

use arc_swap::{ArcSwap, Guard};

use super::{
    failure::Failure,
    flight::{Admitted, Flight},
    locked::lock,
};
use crate::{error::Error, scope::Scopes, time::Moment, token::Token};

/// One scope set of a slot.
///
/// - A hit reads `current` alone; everything else is written under the lock of `state`.
/// - Only a flight publishes a token, and never over what a flight that started later has published.
/// - A failure never replaces a token that is still usable.
/// - A closed entry has no token, no flight is started in it, and it stays closed.
pub(crate) struct Entry {
    scopes: Scopes,
    /// All that a hit reads of the entry.
    current: ArcSwap<Token>,
    state: Mutex<State>,
}

/// What a call needs that finds no fresh token.
#[derive(Default)]
pub(crate) struct State {
    /// `None` while nothing is under way and nothing failed, since a million entries may be cached.
    pending: Option<Box<Pending>>,
    /// The start of the flight whose token is current; flights that started earlier publish nothing.
    published: u64,
    is_closed: bool,
    /// The API refused the last token, and no other was published since.
    awaits_replacement: bool,
    /// The current token came after the API had refused the one before.
    is_replacement: bool,
}

/// The flights under way, and the last failure.
#[derive(Default)]
struct Pending {
    /// The flight that a call can join.
    current: Option<Flight>,
    /// A forced flight that starts when the current one has ended.
    queued: Option<Flight>,
    failure: Option<Failure>,
    /// The start of the flight whose failure is remembered; an earlier one does not replace it.
    failed: u64,
}

/// A replacement that the API refuses as well within this time is not replaced again.
const REPLACEMENT_TRIAL: Duration = Duration::from_secs(30);

impl Entry {
    pub(super) fn new(scopes: Scopes, nothing: Arc<Token>) -> Self {
        Self {
            scopes,
            current: ArcSwap::new(nothing),
            state: Mutex::default(),
        }
    }

    #[inline]
    pub(crate) fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    #[inline]
    pub(crate) fn current(&self) -> Guard<Arc<Token>> {
        self.current.load()
    }

    /// The state; `None` if the entry is closed.
    pub(crate) fn state(&self) -> Option<MutexGuard<'_, State>> {
        let state = lock(&self.state);
        (!state.is_closed).then_some(state)
    }

    /// The state if no other thread holds its lock: for callers that must not wait.
    pub(crate) fn try_state(&self) -> Option<MutexGuard<'_, State>> {
        let state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        (!state.is_closed).then_some(state)
    }

    /// Publishes what the flight that started as `sequence` ended with, unless a newer one was faster.
    pub(crate) fn publish(&self, id: u64, sequence: u64, admitted: &Admitted, now: Moment) {
        let mut state = lock(&self.state);
        state.forget(id);
        if sequence <= state.published {
            return;
        }
        let failed = state.pending.as_ref().map_or(0, |pending| pending.failed);
        let current = self.current.load();
        // A refresh that was granted less than the current token has failed: that one stays in use.
        let is_loss =
            admitted.error.is_some() && !current.is_narrowed && current.freshness.is_usable(now);
        if let Some(token) = &admitted.token
            && !is_loss
        {
            state.published = sequence;
            if sequence > failed {
                state.clear_failure();
            }
            state.is_replacement = std::mem::take(&mut state.awaits_replacement);
            self.current.store(Arc::clone(token));
        }
        // The answer to a later flight counts for more, above all its `Retry-After`.
        let is_news = sequence > failed;
        if let Some(error) = admitted.error.as_ref().filter(|_| is_news) {
            let token = self.current.load();
            let before = state.failure();
            let failure = Failure::new(error, before, &token.freshness, now, fastrand::f64());
            let pending = state.pending();
            (pending.failure, pending.failed) = (Some(failure), sequence);
        }
    }

    /// Removes a flight that ended without an outcome.
    pub(crate) fn abandon(&self, id: u64) {
        lock(&self.state).forget(id);
    }

    /// The session's revision at which a person had to act, while that failure is remembered.
    pub(crate) fn needs_person(&self, now: Moment) -> Option<u64> {
        let state = self.try_state()?;
        state.failure()?.needs_person(now)
    }

    /// Forgets that a person had to act, if that was at this revision of the session.
    pub(crate) fn clear_failure_of(&self, revision: u64, now: Moment) {
        let mut state = lock(&self.state);
        if let Some(pending) = &mut state.pending {
            pending
                .failure
                .take_if(|failure| failure.needs_person(now) == Some(revision));
            state.settle();
        }
    }

    /// Forgets `rejected`; false if it is not current, or has just replaced a rejected one.
    pub(crate) fn reject(&self, rejected: &Arc<Token>, now: Moment) -> bool {
        let mut state = lock(&self.state);
        // Compared by value: the session's store may have returned it again since.
        let is_current = self.current.load().header == rejected.header;
        let is_on_trial = state.is_replacement && rejected.freshness.age(now) < REPLACEMENT_TRIAL;
        if !is_current || is_on_trial {
            return false;
        }
        state.awaits_replacement = true;
        self.current.store(Arc::new(Token::nothing()));
        true
    }

    pub(super) fn clear(&self, sequence: u64) {
        let mut state = lock(&self.state);
        if sequence < state.published {
            // A newer token is published already, and the one before it must not come back.
            return;
        }
        let is_closed = state.is_closed;
        let asked_pause = state.take_asked_pause();
        *state = State {
            pending: asked_pause,
            published: sequence,
            is_closed,
            ..State::default()
        };
        self.current.store(Arc::new(Token::nothing()));
    }

    /// Closes the entry for good, unless a flight is under way.
    pub(super) fn close(&self) -> bool {
        let Some(mut state) = self.try_state() else {
            return false;
        };
        let pending = state.pending.as_deref();
        state.is_closed = !pending.is_some_and(Pending::has_flight);
        if state.is_closed {
            // A handle may have found it a moment ago, and no later `clear` would reach it.
            self.current.store(Arc::new(Token::nothing()));
        }
        state.is_closed
    }

    /// Whether to forget the entry would let a caller ask too early. In doubt, yes.
    pub(super) fn has_live_failure(&self, now: Moment) -> bool {
        let Some(state) = self.try_state() else {
            return true;
        };
        state.failure().is_some_and(|failure| failure.is_live(now))
    }
}

impl Pending {
    fn has_flight(&self) -> bool {
        self.current.is_some() || self.queued.is_some()
    }
}

impl State {
    /// The flight that a call can join, unless it is overdue.
    pub(crate) fn current_flight(&self) -> Option<&Flight> {
        let flight = self.pending.as_ref()?.current.as_ref();
        flight.filter(|flight| !flight.is_overdue())
    }

    /// The forced flight that starts next, unless it is overdue.
    pub(crate) fn queued_flight(&self) -> Option<&Flight> {
        let flight = self.pending.as_ref()?.queued.as_ref();
        flight.filter(|flight| !flight.is_overdue())
    }

    /// Adds a flight that starts at once, or when the current one has ended.
    pub(crate) fn add_flight(&mut self, flight: Flight, is_queued: bool) {
        let pending = self.pending();
        let position = if is_queued {
            &mut pending.queued
        } else {
            &mut pending.current
        };
        *position = Some(flight);
    }

    /// The queued flight `id` starts: from now on it is the one that calls can join.
    pub(crate) fn start_queued(&mut self, id: u64) {
        let pending = self.pending();
        if let Some(queued) = pending.queued.take_if(|queued| queued.id == id) {
            pending.current = Some(queued);
        }
        self.settle();
    }

    fn failure(&self) -> Option<&Failure> {
        self.pending.as_ref()?.failure.as_ref()
    }

    fn pending(&mut self) -> &mut Pending {
        self.pending.get_or_insert_default()
    }

    /// The flight `id` has ended.
    fn forget(&mut self, id: u64) {
        if let Some(pending) = &mut self.pending {
            pending.current.take_if(|flight| flight.id == id);
            pending.queued.take_if(|flight| flight.id == id);
            self.settle();
        }
    }

    /// A flight that started after the failed one has published a token.
    fn clear_failure(&mut self) {
        if let Some(pending) = &mut self.pending {
            pending.failure = None;
            self.settle();
        }
    }

    /// What remains of the state when the entry is cleared: a pause that the issuer asked for.
    fn take_asked_pause(&mut self) -> Option<Box<Pending>> {
        let mut pending = self.pending.take()?;
        let failure = pending.failure.take_if(|failure| failure.is_asked_for())?;
        let failed = pending.failed;
        Some(Box::new(Pending {
            failure: Some(failure),
            failed,
            ..Pending::default()
        }))
    }

    fn settle(&mut self) {
        self.pending
            .take_if(|pending| !pending.has_flight() && pending.failure.is_none());
    }

    /// The remembered error to return now.
    pub(crate) fn remembered(&self, now: Moment) -> Option<Error> {
        self.failure()?.error(now)
    }

    /// The remembered error, if it is to be returned to a call that would start a flight now.
    pub(crate) fn refusal(&self, is_forced: bool, now: Moment) -> Option<Error> {
        let failure = self.failure()?;
        let must_wait = !is_forced || failure.holds_forced_calls(now);
        must_wait.then(|| failure.error(now)).flatten()
    }

    /// Whether a token in its window may be refreshed now.
    pub(crate) fn allows_refresh(&self, now: Moment) -> bool {
        self.current_flight().is_none()
            && self
                .failure()
                .is_none_or(|failure| failure.allows_refresh(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        request::{Parameters, Target},
        time::{Clock, ManualClock},
        token::{Freshness, Granted, Source},
    };

    fn admitted(secret: &str, now: Moment) -> Admitted {
        let target = Target::new("api".into(), Scopes::none(), Parameters::none());
        let grant = Granted {
            scopes: Scopes::none(),
            scopes_are_reported: false,
            audience_is_checked: false,
            came_from: Source::Issuer,
        };
        let freshness = Freshness::new(now, Duration::from_secs(3600), 0.0);
        Admitted {
            token: Token::new(secret, target, grant, freshness).map(Arc::new),
            error: None,
            resets: false,
        }
    }

    #[test]
    fn a_closed_entry_hands_out_nothing_to_a_caller_that_found_it_before() {
        let now = ManualClock::new().now();
        let entry = Entry::new(Scopes::none(), Arc::new(Token::nothing()));
        entry.publish(1, 1, &admitted("a-token", now), now);
        assert!(entry.close());
        assert_eq!(entry.current().secret(), "");
        assert!(entry.state().is_none(), "nor is anything started in it");
    }

    #[test]
    fn forgetting_what_came_before_leaves_what_has_been_published_since() {
        let now = ManualClock::new().now();
        let entry = Entry::new(Scopes::none(), Arc::new(Token::nothing()));
        let shown = || entry.current().secret().to_owned();
        entry.publish(1, 6, &admitted("newer", now), now);
        entry.clear(4);
        assert_eq!(shown(), "newer");
        // A flight that started before that one is still too late.
        entry.publish(2, 5, &admitted("older", now), now);
        assert_eq!(shown(), "newer");
        // Flights that started up to then publish nothing any more.
        entry.clear(6);
        assert_eq!(shown(), "");
        entry.publish(3, 6, &admitted("newer", now), now);
        assert_eq!(shown(), "");
        entry.publish(4, 7, &admitted("newest", now), now);
        assert_eq!(shown(), "newest");
    }
}
