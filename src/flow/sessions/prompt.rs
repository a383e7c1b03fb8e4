//! One prompt at a time for each person, and its outcome for everybody who waited for it.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, MutexGuard};

use crate::{
    error::{Asked, Error},
    store::Account,
};

/// The prompts of one session.
#[derive(Debug, Default)]
pub(super) struct Prompts {
    last: Mutex<Option<Prompted>>,
    count: AtomicU64,
}

/// How the last prompt ended.
#[derive(Debug)]
struct Prompted {
    number: u64,
    asked: Vec<Asked>,
    outcome: Result<Account, Error>,
}

/// The right to prompt: one person answers one prompt at a time.
pub(crate) struct PromptTurn<'a> {
    last: MutexGuard<'a, Option<Prompted>>,
    count: &'a AtomicU64,
    since: u64,
}

impl Prompts {
    /// Waits until nobody else prompts the person.
    pub(super) async fn turn(&self) -> PromptTurn<'_> {
        let since = self.count.load(Ordering::Acquire);
        PromptTurn {
            last: self.last.lock().await,
            count: &self.count,
            since,
        }
    }
}

impl PromptTurn<'_> {
    /// How the prompt ended that this caller has waited for, if it asked for all that `asked` names.
    pub(crate) fn answered(&self, asked: &[Asked]) -> Option<Result<Account, Error>> {
        let last = self.last.as_ref().filter(|last| last.number > self.since)?;
        let was_asked = |one: &Asked| {
            let mut those = last.asked.iter();
            those.any(|that| that.audience == one.audience && that.scopes.is_superset(&one.scopes))
        };
        asked.iter().all(was_asked).then(|| last.outcome.clone())
    }

    /// Tells those who wait how it ended.
    pub(crate) fn end(mut self, asked: Vec<Asked>, outcome: &Result<Account, Error>) {
        let number = self.count.fetch_add(1, Ordering::AcqRel) + 1;
        *self.last = Some(Prompted {
            number,
            asked,
            outcome: outcome.clone(),
        });
    }
}
