//! The task that makes the request and publishes its outcome, whatever happens to it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::timeout;

use super::{admission::Admission, pinned::Pinned, throttle::ThrottleKey, token_cache::TokenCache};
use crate::{
    error::{Asked, Error, Unavailable, UnavailableReason},
    flow::FlowContext,
    request::Urgency,
    session::Principal,
    slot::{Admitted, FlightResult, Outcome, SlotEntry, lock},
    time::Moment,
};

/// A flight's own task. However it ends, its entry is free again and its waiters have an outcome.
pub(super) struct FetchTask {
    pub(super) cache: Arc<TokenCache>,
    pub(super) slot_entry: SlotEntry,
    pub(super) pinned: Pinned,
    pub(super) id: u64,
    /// The number of its start among all flights; zero before it has started.
    pub(super) sequence: u64,
    pub(super) urgency: Urgency,
    pub(super) result: FlightResult,
}

impl FetchTask {
    fn principal(&self) -> &Principal {
        self.pinned.owner()
    }

    /// Makes the request, after the forced flight before it has ended.
    pub(super) async fn run(mut self, before: Option<FlightResult>) {
        if let Some(before) = before {
            before.wait().await;
            self.become_current();
            if let Some(error) = self.refused_meanwhile() {
                self.slot_entry.entry().abandon(self.id);
                self.notify(Err(error));
                return;
            }
        }
        self.sequence = self.cache.next_sequence();
        let admitted = self.request().await;
        self.publish(&admitted);
    }

    /// Makes this the flight that calls can join.
    fn become_current(&self) {
        if let Some(mut state) = self.slot_entry.entry().state() {
            state.start_queued(self.id);
        }
    }

    /// The pause that the issuer asked the flight before this one for, if it still runs.
    fn refused_meanwhile(&self) -> Option<Error> {
        let state = self.slot_entry.entry().state()?;
        let now = self.cache.clock.now();
        self.cache.refusal(&state, self.urgency.is_forced, now)
    }

    async fn request(&self) -> Admitted {
        let (cache, target) = (&self.cache, self.slot_entry.target());
        let started = cache.clock.now();
        cache.counters.flights.fetch_add(1, Ordering::Relaxed);
        if self.urgency.in_background {
            cache.counters.background.fetch_add(1, Ordering::Relaxed);
        }
        tracing::debug!(
            audience = %target.asked.audience, scopes = %target.asked.scopes,
            forced = self.urgency.is_forced, background = self.urgency.in_background,
            "token request starts"
        );
        let cx = FlowContext {
            endpoint: &cache.endpoint,
            target: &target,
            urgency: self.urgency,
            principal: self.principal(),
            replaces_usable: self.replaces_usable(started),
        };
        match timeout(cache.settings.flight_timeout, cache.flow.acquire(cx)).await {
            Err(_elapsed) => Error::unavailable(UnavailableReason::Timeout).into(),
            Ok(Err(error)) => error.into(),
            Ok(Ok(response)) => {
                let admission = Admission {
                    target: &target,
                    rule: cache.endpoint.audiences(),
                    started,
                    received_at: cache.clock.now(),
                };
                admission.admit(response)
            }
        }
    }

    /// Whether callers could still use the token that this one is to replace.
    fn replaces_usable(&self, now: Moment) -> bool {
        let token = self.slot_entry.entry().current();
        token.freshness.is_usable(now) && !token.is_narrowed
    }

    fn publish(&self, admitted: &Admitted) {
        let now = self.cache.clock.now();
        if admitted.resets
            && let Some(open) = self.principal().session()
        {
            let before = self.sequence.saturating_sub(1);
            self.cache.forget_before(open, before);
        }
        let entry = self.slot_entry.entry();
        entry.publish(self.id, self.sequence, admitted, now);
        self.slot_entry.settle(now);
        self.report(admitted, now);
        let outcome = match (&admitted.error, &admitted.token) {
            (None, Some(token)) => Ok(Arc::clone(token)),
            (Some(error), _) => Err(self.remembered(error, now)),
            (None, None) => Err(Error::unavailable(UnavailableReason::Abandoned)),
        };
        self.notify(outcome);
    }

    fn notify(&self, outcome: Outcome) {
        self.result.notify(outcome);
    }

    /// The error as it is returned from now on: with the time after which to ask again.
    fn remembered(&self, error: &Error, now: Moment) -> Error {
        let remembered = self
            .slot_entry
            .entry()
            .state()
            .and_then(|state| state.remembered(now));
        match remembered {
            Some(remembered) if error.is_retryable() && remembered.is_retryable() => remembered,
            _ => error.clone(),
        }
    }

    fn report(&self, admitted: &Admitted, now: Moment) {
        let target = self.slot_entry.target();
        let Asked { audience, scopes } = &target.asked;
        let Some(error) = &admitted.error else {
            tracing::debug!(%audience, %scopes, "token cached");
            return;
        };
        self.cache.counters.failures.fetch_add(1, Ordering::Relaxed);
        if let Error::Unavailable(unavailable) = error
            && let Some(wait) = issuer_wide(unavailable)
        {
            let key = ThrottleKey {
                principal: self.principal().clone(),
                target: target.clone(),
            };
            self.cache.throttle.record(key, now, wait);
        }
        let old = self.slot_entry.entry().current();
        let is_old = |token| !Arc::ptr_eq(token, &old);
        if old.freshness.is_usable(now) && admitted.token.as_ref().is_none_or(is_old) {
            tracing::warn!(
                %audience, %scopes, %error,
                "refresh failed, the old token stays in use"
            );
        } else {
            tracing::debug!(
                %audience, %scopes, %error,
                "token request failed"
            );
        }
    }
}

/// The pause that may hold for the whole issuer; that of a locked account is one person's.
fn issuer_wide(unavailable: &Unavailable) -> Option<Duration> {
    let is_personal = unavailable.answer()?.code() == Some("account_locked");
    unavailable.patience().filter(|_| !is_personal)
}

impl Drop for FetchTask {
    fn drop(&mut self) {
        let is_silent = !self.result.is_set();
        if is_silent && std::thread::panicking() {
            // The flow panicked, and would again: a failure like any other, remembered for a while.
            self.publish(&Error::unavailable(UnavailableReason::Abandoned).into());
        } else if is_silent {
            // The runtime was shut down under it.
            self.slot_entry.entry().abandon(self.id);
            self.notify(Err(Error::unavailable(UnavailableReason::Abandoned)));
        }
        lock(&self.cache.in_flight).remove(&self.id);
    }
}
