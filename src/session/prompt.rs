//! One prompt at a time for each person, and its outcome for all callers that waited for it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::{
    account::Account,
    error::{Asked, Error},
};

/// The prompts of one session.
///
/// One is shown at a time: its caller holds `last`. `count` grows when one ends, so that a caller knows whether the one
/// in `last` ended while it waited.
#[derive(Debug, Default)]
pub(super) struct Prompts {
    last: Arc<Mutex<Option<Prompted>>>,
    count: Arc<AtomicU64>,
}

/// What a prompt asks of the person.
#[derive(Clone, Debug, Default)]
pub(crate) struct PromptRequest {
    pub(crate) asked: Vec<Asked>,
    /// Whether they have to prove more than they did before.
    pub(crate) is_step_up: bool,
    /// Whether no page may be shown: then that it failed says nothing of one that shows some.
    pub(crate) is_silent: bool,
}

/// How the last prompt ended.
#[derive(Debug)]
struct Prompted {
    number: u64,
    request: PromptRequest,
    outcome: Result<Account, Error>,
}

/// The right to prompt: one person answers one prompt at a time.
pub(crate) struct PromptTurn {
    last: OwnedMutexGuard<Option<Prompted>>,
    count: Arc<AtomicU64>,
    since: u64,
    request: PromptRequest,
}

impl Prompts {
    /// Waits until no other caller prompts the person.
    pub(super) async fn turn(&self, request: PromptRequest) -> PromptTurn {
        let since = self.count.load(Ordering::Acquire);
        PromptTurn {
            last: Arc::clone(&self.last).lock_owned().await,
            count: Arc::clone(&self.count),
            since,
            request,
        }
    }
}

impl PromptTurn {
    /// How the prompt ended that this caller has waited for, if it asked for all that this one would.
    pub(crate) fn answered(&self) -> Option<Result<Account, Error>> {
        let last = self.last.as_ref().filter(|last| last.number > self.since)?;
        if self.request.is_step_up && !last.request.is_step_up {
            return None;
        }
        if last.request.is_silent && last.outcome.is_err() {
            return None;
        }
        let was_asked = |one: &Asked| {
            let mut those = last.request.asked.iter();
            those.any(|that| that.audience == one.audience && that.scopes.is_superset(&one.scopes))
        };
        let is_covered = self.request.asked.iter().all(was_asked);
        is_covered.then(|| last.outcome.clone())
    }

    /// The same turn, for a prompt that asks for this.
    pub(crate) fn asking(self, request: PromptRequest) -> Self {
        Self { request, ..self }
    }

    /// Tells those who wait how it ended.
    pub(crate) fn end(mut self, outcome: &Result<Account, Error>) {
        let number = self.count.fetch_add(1, Ordering::AcqRel) + 1;
        *self.last = Some(Prompted {
            number,
            request: std::mem::take(&mut self.request),
            outcome: outcome.clone(),
        });
    }
}
