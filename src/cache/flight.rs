//! Who makes the one request, and how everybody else gets what it brought.

use std::sync::{Arc, MutexGuard, atomic::Ordering};

use tokio::{sync::watch, time::timeout};

use super::{
    Guard, TokenCache,
    admission::{Admission, Admitted},
    index::Pinned,
    landing,
    slot::{Flight, Place, State},
    throttle::Met,
};
use crate::{
    error::{Error, Unavailable, UnavailableReason},
    flow::FlowContext,
    request::CacheMode,
    time::Moment,
    token::Token,
};

/// What a flight ends with, for everybody who waited for it.
pub(crate) type Outcome = Result<Arc<Token>, Error>;

/// What becomes of a call that found no token.
pub(super) enum Boarding {
    /// Another call has brought one in the meantime.
    Token(Arc<Token>),
    /// The last try failed not long ago, or nothing can be started here.
    Refused(Error),
    Waiting(watch::Receiver<Option<Outcome>>),
    /// The place was given up: look for it again.
    Closed,
}

impl TokenCache {
    /// Finds a flight for a call that found no token, or starts one.
    pub(super) fn board(self: &Arc<Self>, place: &Place, mode: CacheMode) -> Boarding {
        let now = self.clock.now();
        let Some(state) = place.entry().state() else {
            return Boarding::Closed;
        };
        let is_forced = mode == CacheMode::Refresh;
        if !is_forced {
            let token = place.entry().current();
            if !token.is_narrowed && self.is_good_enough(&token, &state, now) {
                return Boarding::Token(Guard::into_inner(token));
            }
        }
        if let Some(flight) = joinable(&state, is_forced) {
            self.counters.joined.fetch_add(1, Ordering::Relaxed);
            return Boarding::Waiting(flight);
        }
        if let Some(error) = self.refusal(&state, is_forced, now) {
            self.counters.remembered.fetch_add(1, Ordering::Relaxed);
            return Boarding::Refused(error);
        }
        let kind = Kind {
            is_forced,
            is_background: false,
        };
        match self.launch(place, state, kind) {
            Launch::Started(flight) => Boarding::Waiting(flight),
            Launch::NoRuntime => Boarding::Refused(Error::request(
                "there is no tokio runtime to carry the request: call this inside of one",
            )),
            Launch::Closed => Boarding::Closed,
        }
    }

    /// Starts the refresh of a token in its window, unless it is under way or has just failed.
    pub(super) fn refresh_in_background(
        self: &Arc<Self>,
        place: &Place,
        token: &Arc<Token>,
        now: Moment,
    ) {
        let Some(state) = place.entry().try_state() else {
            return;
        };
        let is_current = Arc::ptr_eq(&place.entry().current(), token);
        if is_current && self.may_refresh(&state, now) {
            let kind = Kind {
                is_forced: false,
                is_background: true,
            };
            self.launch(place, state, kind);
        }
    }

    /// Whether a call in the window should wait for a refresh.
    pub(super) fn is_refresh_due(&self, place: &Place, now: Moment) -> bool {
        place
            .entry()
            .try_state()
            .is_some_and(|state| self.may_refresh(&state, now))
    }

    fn may_refresh(&self, state: &State, now: Moment) -> bool {
        state.allows_refresh(now) && self.throttle.wait(now).is_none()
    }

    /// Whether a token does for a call that has come this far.
    fn is_good_enough(&self, token: &Token, state: &State, now: Moment) -> bool {
        use super::RefreshAhead;
        let waits_in_window = self.settings.refresh_ahead == RefreshAhead::Inline;
        token.freshness.is_fresh(now)
            || (token.freshness.is_usable(now)
                && !(waits_in_window && self.may_refresh(state, now)))
    }

    /// The error of a failure that is remembered, or of the issuer that wants to be left alone.
    fn refusal(&self, state: &State, is_forced: bool, now: Moment) -> Option<Error> {
        let must_wait =
            |failure: &super::backoff::Failure| !is_forced || failure.holds_everybody(now);
        let remembered = || {
            state
                .failure
                .as_deref()
                .filter(|failure| must_wait(failure))?;
            state.remembered(now)
        };
        let held = || {
            let wait = self.throttle.wait(now)?;
            let error = Unavailable::new(UnavailableReason::RateLimited).with_retry_after(wait);
            Some(Error::Unavailable(error))
        };
        remembered().or_else(held)
    }

    /// Starts a task that makes the request and lands whatever happens to it.
    fn launch(
        self: &Arc<Self>,
        place: &Place,
        mut state: MutexGuard<'_, State>,
        kind: Kind,
    ) -> Launch {
        let Some(runtime) = self.runtime() else {
            return Launch::NoRuntime;
        };
        let Some(pinned) = Pinned::new(&self.index, place.slot()) else {
            return Launch::Closed;
        };
        let (sender, outcome) = watch::channel(None);
        let id = self.next_sequence();
        let flight = Flight {
            id,
            is_forced: kind.is_forced,
            outcome: outcome.clone(),
        };
        let before = state
            .current
            .as_ref()
            .filter(|current| current.is_forced && kind.is_forced);
        let before = before.map(|current| current.outcome.clone());
        let slot = if before.is_some() {
            &mut state.queued
        } else {
            &mut state.current
        };
        *slot = Some(Box::new(flight));
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        let flying = Flying {
            cache: Arc::clone(self),
            place: place.clone(),
            _pinned: pinned,
            id,
            kind,
            sender: Some(sender),
        };
        // A runtime that has ended drops the flight here and now, and that takes the lock.
        drop(state);
        runtime.spawn(flying.depart(before));
        Launch::Started(outcome)
    }
}

/// A flight that this call may join: any, or for a forced call one that departs after it.
fn joinable(state: &State, is_forced: bool) -> Option<watch::Receiver<Option<Outcome>>> {
    let flight = if is_forced {
        &state.queued
    } else {
        &state.current
    };
    flight.as_ref().map(|flight| flight.outcome.clone())
}

#[derive(Clone, Copy, Debug)]
struct Kind {
    is_forced: bool,
    is_background: bool,
}

enum Launch {
    Started(watch::Receiver<Option<Outcome>>),
    NoRuntime,
    Closed,
}

/// A flight's own task. However it ends, its place is free again and its waiters are told.
struct Flying {
    cache: Arc<TokenCache>,
    place: Place,
    _pinned: Pinned,
    id: u64,
    kind: Kind,
    sender: Option<watch::Sender<Option<Outcome>>>,
}

impl Flying {
    /// Makes the request, after the forced flight before it has landed.
    async fn depart(mut self, before: Option<watch::Receiver<Option<Outcome>>>) {
        if let Some(before) = before {
            let _landed = landing(before).await;
            self.leave_queue();
            if let Some(error) = self.must_stay() {
                self.place.entry().abandon(self.id);
                self.tell(Err(error));
                return;
            }
        }
        let sequence = self.cache.next_sequence();
        let admitted = self.fly().await;
        self.land(sequence, &admitted);
    }

    /// From now on this is the flight that calls can join.
    fn leave_queue(&self) {
        if let Some(mut state) = self.place.entry().state()
            && let Some(queued) = state.queued.take_if(|queued| queued.id == self.id)
        {
            state.current = Some(queued);
        }
    }

    /// What the flight before was told may forbid this one: the issuer wants to be left alone.
    fn must_stay(&self) -> Option<Error> {
        let state = self.place.entry().state()?;
        let now = self.cache.clock.now();
        self.cache.refusal(&state, self.kind.is_forced, now)
    }

    async fn fly(&self) -> Admitted {
        let (cache, details) = (&self.cache, self.place.details());
        let asked = details.asked();
        let started = cache.clock.now();
        cache.counters.flights.fetch_add(1, Ordering::Relaxed);
        if self.kind.is_background {
            cache.counters.background.fetch_add(1, Ordering::Relaxed);
        }
        tracing::debug!(
            audience = %asked.audience, scopes = %asked.scopes,
            forced = self.kind.is_forced, background = self.kind.is_background,
            "token request departs"
        );
        let cx = FlowContext {
            endpoint: &cache.endpoint,
            asked: &asked,
            parameters: &details.parameters,
            principal: self.place.principal(),
            in_background: self.kind.is_background,
        };
        match timeout(cache.settings.flight_timeout, cache.flow.acquire(cx)).await {
            Err(_elapsed) => Error::unavailable(UnavailableReason::Timeout).into(),
            Ok(Err(error)) => error.into(),
            Ok(Ok(response)) => {
                let admission = Admission {
                    asked: &asked,
                    parameters: &details.parameters,
                    rule: &cache.settings.audiences,
                    started,
                    landed: cache.clock.now(),
                };
                admission.admit(response)
            }
        }
    }

    fn land(&mut self, sequence: u64, admitted: &Admitted) {
        let now = self.cache.clock.now();
        self.place.entry().land(self.id, sequence, admitted, now);
        self.report(admitted, now);
        let outcome = match (&admitted.error, &admitted.token) {
            (None, Some(token)) => Ok(Arc::clone(token)),
            (Some(error), _) => Err(self.remembered(error, now)),
            (None, None) => Err(Error::unavailable(UnavailableReason::Abandoned)),
        };
        self.tell(outcome);
    }

    fn tell(&mut self, outcome: Outcome) {
        if let Some(sender) = self.sender.take() {
            sender.send_replace(Some(outcome));
        }
    }

    /// The error as it will be returned from now on: with the time to come back.
    fn remembered(&self, error: &Error, now: Moment) -> Error {
        let remembered = self
            .place
            .entry()
            .state()
            .and_then(|state| state.remembered(now));
        match remembered {
            Some(remembered) if error.is_retryable() && remembered.is_retryable() => remembered,
            _ => error.clone(),
        }
    }

    fn report(&self, admitted: &Admitted, now: Moment) {
        let details = self.place.details();
        let Some(error) = &admitted.error else {
            tracing::debug!(audience = %details.audience, scopes = %details.scopes, "token cached");
            return;
        };
        self.cache.counters.failures.fetch_add(1, Ordering::Relaxed);
        if let Error::Unavailable(unavailable) = error
            && let Some(wait) = unavailable
                .issuer_retry_after()
                .filter(|wait| !wait.is_zero())
        {
            let slot = self.place.slot().id();
            let key = Met {
                audience: details.audience.clone(),
                scopes: details.scopes.clone(),
                slot,
            };
            self.cache.throttle.met(key, now, wait);
        }
        let old = self.place.entry().current();
        let is_old = |token| !Arc::ptr_eq(token, &old);
        if old.freshness.is_usable(now) && admitted.token.as_ref().is_none_or(is_old) {
            tracing::warn!(
                audience = %details.audience, scopes = %details.scopes, %error,
                "refresh failed, the old token stays in use"
            );
        } else {
            tracing::debug!(
                audience = %details.audience, scopes = %details.scopes, %error,
                "token request failed"
            );
        }
    }
}

impl Drop for Flying {
    fn drop(&mut self) {
        // Without a word yet: the runtime was shut down under it, or the flow panicked. Dropping the
        // sender tells the waiters.
        if self.sender.is_some() {
            self.place.entry().abandon(self.id);
        }
        if self.cache.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.cache.landed.notify_waiters();
        }
    }
}
