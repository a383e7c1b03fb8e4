//! What this process knows of one session.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    lock,
    prompt::{PromptTurn, Prompts, Sought},
    unsaved::Unsaved,
};
use crate::{
    secret::Secret,
    store::{Account, Session, SessionKey, SignedIn},
    time::Moment,
};

/// What this process knows of one session.
pub(crate) struct OpenSession {
    pub(super) key: SessionKey,
    /// The right to redeem and to write in this process.
    pub(super) family: Arc<tokio::sync::Mutex<()>>,
    seen: Mutex<Seen>,
    /// A session that the store would not take.
    pub(super) unsaved: Mutex<Option<Unsaved>>,
    looked_at: Mutex<Option<Moment>>,
    /// How often the person has signed out in this process: a late writer must not undo it.
    sign_outs: AtomicU64,
    /// The sign-in that a sign-out ended and the store may still hold; none is zero.
    buried: AtomicU64,
    /// Whether its refresh tokens could not be read then, and so were not revoked.
    owes_revocation: AtomicBool,
    unrevoked: Mutex<Vec<Secret>>,
    /// Whose tokens are handed out, where that is known.
    account: Mutex<Option<Account>>,
    /// Access tokens that an API has refused: they are not taken from the store again.
    rejected: Mutex<VecDeque<Secret>>,
    prompts: Prompts,
}

/// What was last seen, here or in the store.
#[derive(Debug, Default)]
struct Seen {
    revision: u64,
    /// The sign-in that stands in the store.
    sign_in: u64,
    looks: u64,
}

impl Seen {
    fn note(&mut self, session: Option<&Session>) {
        self.revision = session.map_or(0, |session| session.revision);
        self.looks += 1;
        // A record that is gone may come back: a share that is not mounted looks empty.
        if let Some(session) = session {
            self.sign_in = session.sign_in;
        }
    }
}

impl OpenSession {
    pub(super) fn new(key: SessionKey) -> Self {
        Self {
            key,
            family: Arc::default(),
            seen: Mutex::default(),
            unsaved: Mutex::default(),
            looked_at: Mutex::new(None),
            sign_outs: AtomicU64::new(0),
            buried: AtomicU64::new(0),
            owes_revocation: AtomicBool::new(false),
            unrevoked: Mutex::default(),
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
        lock(&self.seen).revision
    }

    /// The person has signed out of this sign-in, and the store did not take it.
    ///
    /// Neither generation nor revision say which one it was: tokens rotate and families end in other
    /// processes, and both start anew when the record is lost.
    pub(super) fn bury_over(&self, sign_in: u64) {
        self.buried.store(sign_in, Ordering::Release);
    }

    /// As [`bury_over`](Self::bury_over), of a session that could not be read: the last one that was.
    pub(super) fn bury_unread(&self) {
        let last = lock(&self.seen).sign_in;
        self.bury_over(last);
        self.owes_revocation.store(last != 0, Ordering::Release);
    }

    /// The store has the tombstone, or something that came after it.
    pub(super) fn is_at_rest(&self) {
        self.bury_over(0);
    }

    /// Takes note of a record that is in the store: whoever wrote it came after what is to be buried.
    pub(super) fn rests_under(&self, session: &Session) {
        if self.buried.load(Ordering::Acquire) != session.sign_in {
            self.is_at_rest();
        }
    }

    /// Whether the person has signed out of this very session, whatever the store still says.
    pub(super) fn is_buried(&self, session: &Session) -> bool {
        let buried = self.buried.load(Ordering::Acquire);
        buried != 0 && buried == session.sign_in && session.signed_in.is_some()
    }

    /// Whether what is buried now was not revoked when the person signed out; told once.
    pub(super) fn owes_revocation(&self) -> bool {
        self.owes_revocation.swap(false, Ordering::AcqRel)
    }

    /// Takes note of what is to be revoked still of a session that is buried now.
    pub(super) fn owe(&self, signed_in: &SignedIn) {
        lock(&self.unrevoked).extend(signed_in.refresh_tokens().cloned());
    }

    /// Refresh tokens of a session that the person has signed out of: they are to be revoked.
    pub(crate) fn take_unrevoked(&self) -> Vec<Secret> {
        std::mem::take(&mut *lock(&self.unrevoked))
    }

    pub(super) fn saw(&self, session: Option<&Session>) {
        lock(&self.seen).note(session);
    }

    /// Takes note of the revision of a session that is in memory alone.
    pub(super) fn saw_unsaved(&self, revision: u64) {
        let mut seen = lock(&self.seen);
        seen.revision = revision;
        seen.looks += 1;
    }

    /// How often a session has been seen: to be told to [`saw_since`](Self::saw_since).
    pub(super) fn looks(&self) -> u64 {
        lock(&self.seen).looks
    }

    /// As [`saw`](Self::saw), of a look that began then: one that was slow tells nothing new.
    pub(super) fn saw_since(&self, looks: u64, session: Option<&Session>) {
        let mut seen = lock(&self.seen);
        if seen.looks == looks {
            seen.note(session);
        }
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
        // What was to replace it goes: what stands in the store must not come in its place.
        let over = self.unsaved().map_or(0, |unsaved| unsaved.over);
        if over != 0 {
            self.bury_over(over);
            self.owes_revocation.store(true, Ordering::Release);
        }
        self.sign_outs.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn sign_outs(&self) -> u64 {
        self.sign_outs.load(Ordering::Acquire)
    }

    /// Whether the tokens that are handed out are another's than those of `account`.
    pub(crate) fn is_of_other(&self, account: &Account) -> bool {
        let known = lock(&self.account);
        let is_other = |known: &Account| known.is_other_than(account);
        known.as_ref().is_some_and(is_other)
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
    pub(crate) async fn prompt_turn(&self, sought: Sought) -> PromptTurn {
        self.prompts.turn(sought).await
    }

    /// Whether there is something that the store does not have yet. In doubt, yes.
    pub(crate) fn has_unsaved(&self) -> bool {
        self.has_kept()
            || self.buried.load(Ordering::Acquire) != 0
            || !lock(&self.unrevoked).is_empty()
    }

    /// Whether there is a session that the store would not take. In doubt, yes.
    pub(crate) fn has_kept(&self) -> bool {
        self.family.try_lock().is_err() || lock(&self.unsaved).is_some()
    }
}

/// What a person did in another process is noticed within this time.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How many refused access tokens of a session are remembered.
const REJECTED: usize = 16;
