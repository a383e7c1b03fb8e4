//! One session in this process.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use tokio::sync::watch;

use super::{
    loaded::Loaded,
    open_sessions::Registration,
    prompt::{PromptRequest, PromptTurn, Prompts},
    state::State,
};
use crate::{error::Error, scope::Audience, slot::SessionSlots};

/// One session in this process, from [`OpenSessions::open`](super::OpenSessions::open): there is one for
/// each name at a time.
pub(crate) struct OpenSession {
    registration: Registration,
    slots: SessionSlots,
    /// Made when it is needed: a flow of the application's own needs nothing but a name.
    known: OnceLock<Box<Known>>,
}

/// What is known of a session. Its state has one mutex, which no await is held over.
#[derive(Default)]
struct Known {
    inner: Mutex<Inner>,
    prompts: Prompts,
}

/// What the session's one mutex guards; each step over it is a whole transition.
///
/// There is a queue for as long as a redemption waits in it, and a load for as long as it is under way: one that
/// began before the last thing was seen is joined by no later caller.
#[derive(Default)]
pub(super) struct Inner {
    pub(super) state: State,
    /// The queue of each family's redemptions in this process: the store's lock knows none.
    queues: HashMap<Option<Audience>, Queue>,
    /// The load that others can join.
    pub(super) loading: Option<Loading>,
}

/// One redemption at a time.
pub(super) type Queue = Arc<tokio::sync::Mutex<()>>;

/// What a load has found, once it has ended.
pub(super) type LoadOutcome = Option<Result<Arc<Loaded>, Error>>;

/// A load that is under way.
pub(super) struct Loading {
    /// How often the session had been seen when it began: it knows nothing of what came after.
    pub(super) count: u64,
    pub(super) outcome: watch::Receiver<LoadOutcome>,
}

impl OpenSession {
    pub(super) fn new(registration: Registration) -> Self {
        Self {
            registration,
            slots: SessionSlots::default(),
            known: OnceLock::new(),
        }
    }

    /// The name that the application gave the session.
    pub(crate) fn name(&self) -> &str {
        self.registration.name()
    }

    pub(super) fn shared_name(&self) -> &Arc<str> {
        self.registration.name()
    }

    /// The slots of the cache that are this session's.
    pub(crate) fn slots(&self) -> &SessionSlots {
        &self.slots
    }

    /// Looks at or changes what is known, in one step.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut Inner) -> R) -> R {
        let inner = &self.known.get_or_init(Box::default).inner;
        // What is guarded is valid between any two statements, also after a panic elsewhere.
        act(&mut inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// As [`with`](Self::with), of the state alone.
    pub(super) fn state<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        self.with(|inner| act(&mut inner.state))
    }

    /// The queue of the family that serves this audience, or all of them.
    pub(super) fn queue(&self, audience: Option<&Audience>) -> Queue {
        self.with(|inner| {
            // Those that are not waited in are not needed.
            inner.queues.retain(|_, queue| Arc::strong_count(queue) > 1);
            let queue = inner.queues.entry(audience.cloned()).or_default();
            Arc::clone(queue)
        })
    }

    /// The sign-in that was last seen in force, as the revision of what was refused.
    pub(crate) fn revision(&self) -> u64 {
        self.state(|state| state.in_force().0)
    }

    /// Whether there is something that the store has not taken.
    pub(super) fn has_pending(&self) -> bool {
        self.state(|state| state.has_pending())
    }

    /// Takes note of an access token that an API has refused, or that is to be forgotten.
    pub(crate) fn reject(&self, access_token: &str) {
        self.state(|state| state.access_tokens.reject(access_token));
    }

    /// Waits until the person of this session is not prompted for something else.
    pub(crate) async fn prompt_turn(&self, request: PromptRequest) -> PromptTurn {
        let prompts = &self.known.get_or_init(Box::default).prompts;
        prompts.turn(request).await
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.registration.remove(self);
    }
}

impl fmt::Debug for OpenSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OpenSession").field(&self.name()).finish()
    }
}
