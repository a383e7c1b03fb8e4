//! What this process knows of one session.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    guard::Held,
    lock,
    prompt::{PromptTurn, Prompts},
};
use crate::{
    secret::Secret,
    store::{Account, Session, SessionKey},
    time::Moment,
};

/// What this process knows of one session.
pub(crate) struct OpenSession {
    pub(super) key: SessionKey,
    pub(super) family: Arc<tokio::sync::Mutex<Held>>,
    /// The revision that was last seen, here or in the store.
    revision: AtomicU64,
    looked_at: Mutex<Option<Moment>>,
    /// How often the person has signed out in this process: a late writer must not undo it.
    sign_outs: AtomicU64,
    /// The generation that a sign-out ended and the store still holds; none is zero.
    buried: AtomicU64,
    /// Whose tokens are handed out, where that is known.
    account: Mutex<Option<Account>>,
    /// Access tokens that an API has refused: they are not taken from the store again.
    rejected: Mutex<VecDeque<Secret>>,
    prompts: Prompts,
}

impl OpenSession {
    pub(super) fn new(key: SessionKey) -> Self {
        Self {
            key,
            family: Arc::default(),
            revision: AtomicU64::new(0),
            looked_at: Mutex::new(None),
            sign_outs: AtomicU64::new(0),
            buried: AtomicU64::new(0),
            account: Mutex::new(None),
            rejected: Mutex::default(),
            prompts: Prompts::default(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.key.session()
    }

    /// The revision that was last seen.
    pub(crate) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// The person has signed out of the session of this generation, and the store did not take it.
    pub(super) fn bury_over(&self, generation: u64) {
        self.buried.store(generation, Ordering::Release);
    }

    /// Whether the person has signed out of this very session, whatever the store still says.
    pub(super) fn is_buried(&self, session: &Session) -> bool {
        self.buried.load(Ordering::Acquire) == session.generation
    }

    pub(super) fn saw(&self, session: Option<&Session>) {
        let revision = session.map_or(0, |session| session.revision);
        self.revision.store(revision, Ordering::Release);
    }

    /// Whether it is time to look into the store again; whoever is told so does it.
    pub(super) fn is_to_be_looked_at(&self, now: Moment) -> bool {
        let mut looked_at = lock(&self.looked_at);
        let is_recent = looked_at.is_some_and(|at| now.since(at) < LOOK_EVERY);
        if !is_recent {
            *looked_at = Some(now);
        }
        !is_recent
    }

    pub(super) fn was_looked_at(&self, now: Moment) {
        *lock(&self.looked_at) = Some(now);
    }

    /// From now on no redemption that is under way can write what it brings.
    pub(crate) fn forbid_late_writes(&self) {
        self.sign_outs.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn sign_outs(&self) -> u64 {
        self.sign_outs.load(Ordering::Acquire)
    }

    /// Takes note of whose tokens are handed out from now on; true if they were another's before.
    pub(crate) fn meets_other(&self, account: &Account) -> bool {
        let mut known = lock(&self.account);
        let is_other = known
            .as_ref()
            .is_some_and(|known| known.is_other_than(account));
        if account.subject().is_some() {
            *known = Some(account.clone());
        }
        is_other
    }

    /// Whether the tokens that are cached here are surely those of `account`.
    pub(crate) fn is_surely_of(&self, account: &Account) -> bool {
        let known = lock(&self.account);
        known.as_ref().is_some_and(|known| known.is_surely(account))
    }

    /// Takes note of an access token that an API has refused, or that is to be forgotten.
    pub(crate) fn reject(&self, access_token: &str) {
        let mut rejected = lock(&self.rejected);
        if rejected.len() >= REJECTED {
            rejected.pop_front();
        }
        rejected.push_back(Secret::from(access_token));
    }

    pub(crate) fn has_rejected(&self, access_token: &Secret) -> bool {
        let rejected = lock(&self.rejected);
        rejected
            .iter()
            .any(|one| one.expose() == access_token.expose())
    }

    /// Waits until nobody else prompts the person of this session.
    pub(crate) async fn prompt_turn(&self) -> PromptTurn<'_> {
        self.prompts.turn().await
    }

    /// Whether there is something that the store does not have yet. In doubt, yes.
    pub(super) fn has_unsaved(&self) -> bool {
        self.family
            .try_lock()
            .map_or(true, |held| held.is_unsaved())
    }
}

/// What a person did in another process is noticed within this time.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How many refused access tokens of a session are remembered.
const REJECTED: usize = 16;
