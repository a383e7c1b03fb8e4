//! Who makes the one request, and how everybody else gets what it brought.

mod flying;

use std::{
    sync::{Arc, MutexGuard, atomic::Ordering},
    time::Duration,
};

use tokio::{runtime::Handle, select, sync::SetOnce};

use super::{
    Guard, TokenCache,
    deadline::NO_RUNTIME,
    index::Pinned,
    lock,
    slot::{Flight, Place, State},
};
use flying::Flying;

use crate::{
    endpoint::Carrier,
    error::{Error, Unavailable, UnavailableReason},
    request::CacheMode,
    time::{Clock, Moment, SystemClock},
    token::Token,
};

/// What a flight ends with, for everybody who waited for it.
pub(crate) type Outcome = Result<Arc<Token>, Error>;

/// Where a flight ends: set once, and seen by everybody who waits for it.
#[derive(Clone)]
pub(crate) struct Landing(Arc<Strip>);

struct Strip {
    id: u64,
    outcome: SetOnce<Outcome>,
    carrier: Carrier,
}

impl Landing {
    fn new(id: u64, runtime: &Handle) -> Self {
        Self(Arc::new(Strip {
            id,
            outcome: SetOnce::new(),
            carrier: Carrier::new(runtime.clone()),
        }))
    }

    /// Waits for the end of the flight, however long that takes.
    pub(super) async fn wait(&self) -> &Outcome {
        self.0.outcome.wait().await
    }

    /// Waits for the end of the flight; nothing if its runtime stands still, and this is another one.
    pub(super) async fn outcome(&self) -> Option<Outcome> {
        if self.0.carrier.is_here() {
            return Some(self.wait().await.clone());
        }
        // Apart, since ten thousand callers may wait, and this is larger.
        let outcome = async {
            select! {
                biased;
                outcome = self.wait() => Some(outcome.clone()),
                () = self.0.carrier.stalled() => None,
            }
        };
        Box::pin(outcome).await
    }

    pub(super) fn id(&self) -> u64 {
        self.0.id
    }

    fn is_known(&self) -> bool {
        self.0.outcome.initialized()
    }

    fn tell(&self, outcome: Outcome) {
        // Said once: what comes later changes nothing for those who were told.
        let _late = self.0.outcome.set(outcome);
    }
}

/// What becomes of a call that found no token.
pub(super) enum Boarding {
    /// Another call has brought one in the meantime.
    Token(Arc<Token>),
    /// The last try failed not long ago, or nothing can be started here.
    Refused(Error),
    Waiting(Landing),
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
            Launch::NoRuntime => Boarding::Refused(Error::request(NO_RUNTIME)),
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
            state.failure().filter(|failure| must_wait(failure))?;
            state.remembered(now)
        };
        let held = || {
            let wait = self.throttle.wait(now)?;
            let error = Unavailable::new(UnavailableReason::RateLimited).with_retry_after(wait);
            Some(Error::Unavailable(error))
        };
        remembered().or_else(held)
    }

    /// When that many flights after one another have to have landed, by the machine's clock.
    fn overdue_after(&self, flights: u32) -> Moment {
        let limit = self.settings.flight_timeout.saturating_mul(flights);
        SystemClock::new().now().plus(limit.saturating_add(GRACE))
    }

    /// The runtime of this thread. For what nobody waits for, else the one of the last flight: a
    /// call that waits would depend on that being driven.
    fn runtime(&self, kind: Kind) -> Option<Handle> {
        let mut last = lock(&self.runtime);
        match Handle::try_current() {
            Ok(current) => {
                *last = Some(current.clone());
                Some(current)
            }
            Err(_outside) => last.clone().filter(|_| kind.is_background),
        }
    }

    /// Starts a task that makes the request and lands whatever happens to it.
    fn launch(
        self: &Arc<Self>,
        place: &Place,
        mut state: MutexGuard<'_, State>,
        kind: Kind,
    ) -> Launch {
        let Some(runtime) = self.runtime(kind) else {
            return Launch::NoRuntime;
        };
        let Some(pinned) = Pinned::new(&self.index, place.slot()) else {
            return Launch::Closed;
        };
        let landing = Landing::new(self.next_sequence(), &runtime);
        let before = state
            .airborne()
            .filter(|current| current.is_forced && kind.is_forced)
            .map(|current| current.landing.clone());
        let is_queued = before.is_some();
        let flight = Flight {
            id: landing.id(),
            is_forced: kind.is_forced,
            overdue_from: self.overdue_after(if is_queued { 2 } else { 1 }),
            landing: landing.clone(),
        };
        state.announce(flight, is_queued);
        lock(&self.in_flight).insert(landing.id(), landing.clone());
        let flying = Flying {
            cache: Arc::clone(self),
            place: place.clone(),
            _pinned: pinned,
            id: landing.id(),
            sequence: 0,
            kind,
            landing: landing.clone(),
        };
        // A runtime that has ended drops the flight here and now, and that takes the lock.
        drop(state);
        runtime.spawn(flying.depart(before));
        Launch::Started(landing)
    }
}

/// A flight that this call may join: any, or for a forced call one that departs after it.
fn joinable(state: &State, is_forced: bool) -> Option<Landing> {
    let flight = if is_forced {
        state.next()
    } else {
        state.airborne()
    };
    flight.map(|flight| flight.landing.clone())
}

/// How much later than its limit a flight may land on a busy machine before it is given up for lost.
const GRACE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
struct Kind {
    is_forced: bool,
    is_background: bool,
}

enum Launch {
    Started(Landing),
    NoRuntime,
    Closed,
}
