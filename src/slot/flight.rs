//! A flight as its entry and its waiters see it, and what it ends with.

use std::sync::Arc;

use tokio::{runtime::Handle, select, sync::SetOnce};

use crate::{
    endpoint::FlightRuntime,
    error::Error,
    time::{Clock, Moment, SystemClock},
    token::Token,
};

/// A flight under way, or one that is queued, as its entry keeps it.
///
/// - An entry has at most one that calls join and a forced one behind it, and forgets each when it has ended.
/// - One that is overdue counts as gone, though it may end later: then the order of publications decides.
pub(crate) struct Flight {
    pub(crate) id: u64,
    pub(crate) is_forced: bool,
    /// When it must have ended if its runtime is driven at all, by the system clock.
    pub(crate) overdue_from: Moment,
    pub(crate) result: FlightResult,
}

/// What a flight ends with, for every call that waited for it.
pub(crate) type Outcome = Result<Arc<Token>, Error>;

/// The result of a flight, as its waiters see it.
///
/// - It is set once, by the flight's task or by the drop of that; a second outcome is ignored.
/// - Waiting for it ends nothing, and a caller that stops waiting changes nothing.
#[derive(Clone)]
pub(crate) struct FlightResult(Arc<Shared>);

struct Shared {
    id: u64,
    outcome: SetOnce<Outcome>,
    runtime: FlightRuntime,
}

impl FlightResult {
    pub(crate) fn new(id: u64, runtime: &Handle) -> Self {
        Self(Arc::new(Shared {
            id,
            outcome: SetOnce::new(),
            runtime: FlightRuntime::new(runtime.clone()),
        }))
    }

    /// Waits for the end of the flight, however long that takes.
    pub(crate) async fn wait(&self) -> &Outcome {
        self.0.outcome.wait().await
    }

    /// Waits for the end of the flight; `None` if it is on another runtime, and that one is stalled.
    pub(crate) async fn outcome(&self) -> Option<Outcome> {
        if self.0.runtime.is_current() {
            return Some(self.wait().await.clone());
        }
        // On the heap: this future is larger, and ten thousand callers may hold one.
        let outcome = async {
            select! {
                biased;
                outcome = self.wait() => Some(outcome.clone()),
                () = self.0.runtime.stalled() => None,
            }
        };
        Box::pin(outcome).await
    }

    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.outcome.initialized()
    }

    pub(crate) fn notify(&self, outcome: Outcome) {
        // The first outcome stands: waiters may have read it already.
        let _late = self.0.outcome.set(outcome);
    }
}

/// What a flight ends with: a token to cache, an error for the callers that waited, or both.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) token: Option<Arc<Token>>,
    pub(crate) error: Option<Error>,
    /// Whether every earlier token has to be forgotten: the session is another person's now, or has ended.
    pub(crate) resets: bool,
}

impl From<Error> for Admitted {
    fn from(error: Error) -> Self {
        let resets = matches!(&error, Error::Login(login) if login.is_signed_out());
        Self {
            token: None,
            error: Some(error),
            resets,
        }
    }
}

impl Flight {
    /// Whether its runtime must have stopped driving it: then no call should wait for it.
    pub(crate) fn is_overdue(&self) -> bool {
        SystemClock::new().now().has_reached(self.overdue_from)
    }
}
