//! What one client knows of the connections to its issuer.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::settings::KEPT_FOR;
use crate::time::{Clock, Moment, SystemClock};

/// Whether a request may go over a kept connection, and whether it probably does.
///
/// A connection can end silently, and a request over it waits for its whole time limit. One
/// of HTTP/2 would stay in use after that.
#[derive(Debug, Default)]
pub(super) struct Line(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Until then a connection may be idle that has brought an answer.
    warm_until: Option<Moment>,
    /// Until then there may be one that was silent.
    shunned_until: Option<Moment>,
}

impl Line {
    /// Whether kept connections are to be left alone, until those that there are have ended.
    pub(super) fn is_shunned(&self) -> bool {
        is_ahead(self.state().shunned_until)
    }

    /// Whether a request that is sent now finds a connection that has been used before.
    pub(super) fn is_warm(&self) -> bool {
        is_ahead(self.state().warm_until)
    }

    /// A kept connection has brought an answer.
    pub(super) fn answered(&self) {
        self.state().warm_until = Some(now().plus(KEPT_FOR));
    }

    /// A kept connection was silent.
    pub(super) fn was_silent(&self) {
        let mut state = self.state();
        state.warm_until = None;
        // Twice: what was sent just before may have kept it busy since.
        state.shunned_until = Some(now().plus(KEPT_FOR * 2));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_ahead(line: Option<Moment>) -> bool {
    line.is_some_and(|line| !now().has_reached(line))
}

/// By the system clock, as all waits for the network.
fn now() -> Moment {
    SystemClock::new().now()
}
