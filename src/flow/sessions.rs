//! People's sessions: one redemption at a time for each, and nothing lost on the way to the store.
//!
//! The order is always: the flight of a slot, the family's mutex, the store's lock. Whoever holds the
//! latter two awaits the issuer and the store, and nothing else.

mod guard;

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use guard::Held;
pub(crate) use guard::{SessionGuard, Written};
use tokio::sync::watch;

use crate::{
    error::{Error, StoreError, StoreErrorKind, UnavailableReason},
    scope::Audience,
    secret::Secret,
    store::{Account, BoxedStore, Session, SessionKey, SessionRecord, SignedIn, Unusable},
    time::{Moment, TimeSource},
};

/// The sessions of all people who use one application.
pub(crate) struct Sessions {
    issuer: String,
    client_id: String,
    store: Arc<dyn BoxedStore>,
    clock: TimeSource,
    open: Mutex<HashMap<Arc<str>, Arc<OpenSession>>>,
    /// How many redemptions are under way: they end even if everybody who waited is gone.
    under_way: watch::Sender<usize>,
}

/// What this process knows of one session.
pub(crate) struct OpenSession {
    key: SessionKey,
    family: Arc<tokio::sync::Mutex<Held>>,
    /// The generation that was last seen, here or in the store.
    generation: AtomicU64,
    looked: Mutex<Option<Moment>>,
    /// How often the person has signed out in this process: a late writer must not undo it.
    sign_outs: AtomicU64,
    account: Mutex<Option<Account>>,
    /// Access tokens that an API has refused: they are not taken from the store again.
    rejected: Mutex<VecDeque<Secret>>,
    prompt: tokio::sync::Mutex<Option<Prompted>>,
    prompts: AtomicU64,
}

/// How the last prompt ended, for those who waited for it.
#[derive(Debug)]
pub(crate) struct Prompted {
    number: u64,
    asked: Vec<Audience>,
    outcome: Result<Account, Error>,
}

/// The right to prompt: one person answers one prompt at a time.
pub(crate) struct PromptTurn<'a> {
    last: tokio::sync::MutexGuard<'a, Option<Prompted>>,
    open: &'a OpenSession,
    since: u64,
}

/// Counts a redemption for as long as it lives.
pub(crate) struct UnderWay(Arc<Sessions>);

impl Sessions {
    pub(crate) fn new(
        issuer: String,
        client_id: String,
        store: Arc<dyn BoxedStore>,
        clock: TimeSource,
    ) -> Arc<Self> {
        Arc::new(Self {
            issuer,
            client_id,
            store,
            clock,
            open: Mutex::default(),
            under_way: watch::Sender::new(0),
        })
    }

    /// What is known here of the session called `name`.
    pub(crate) fn open(&self, name: &Arc<str>) -> Arc<OpenSession> {
        let mut open = lock(&self.open);
        if let Some(session) = open.get(name) {
            return Arc::clone(session);
        }
        if open.len() >= SWEEP_FROM && open.len().is_power_of_two() {
            open.retain(|_, session| Arc::strong_count(session) > 1 || session.has_unsaved());
        }
        let key = SessionKey::new(self.issuer.as_str(), self.client_id.as_str(), &**name);
        let session = Arc::new(OpenSession::new(key));
        open.insert(Arc::clone(name), Arc::clone(&session));
        session
    }

    /// The session as the store has it now, without a lock; nothing if nobody has signed in.
    pub(crate) async fn peek(&self, open: &OpenSession) -> Result<Option<Session>, Error> {
        let record = self.store.load(&open.key).await.map_err(Error::Store)?;
        *lock(&open.looked) = Some(self.clock.now());
        let session = match record.map(|record| Session::read(&record, &open.key)) {
            None | Some(Err(Unusable::Damaged)) => None,
            Some(Err(Unusable::Newer)) => return Err(newer()),
            Some(Ok(session)) => Some(session),
        };
        open.saw(session.as_ref());
        Ok(session)
    }

    /// The generation of the session: read from the store at most once a second.
    ///
    /// A store that cannot be read says nothing new.
    pub(crate) async fn generation(&self, open: &OpenSession) -> u64 {
        let now = self.clock.now();
        let is_recent = lock(&open.looked).is_some_and(|at| now.since(at) < LOOK_EVERY);
        if !is_recent {
            *lock(&open.looked) = Some(now);
            let _ = self.peek(open).await;
        }
        open.generation.load(Ordering::Acquire)
    }

    /// Waits for the family and for the store's lock, so that this redemption is the only one.
    pub(crate) async fn guard(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
    ) -> Result<SessionGuard, Error> {
        // Whoever waits longer than its flight would redeem for nobody.
        let turn = Arc::clone(&open.family).lock_owned();
        let held = tokio::time::timeout(LOCK_PATIENCE, turn).await;
        let held = held.map_err(|_elapsed| Error::unavailable(UnavailableReason::Timeout))?;
        let lock = self.store.lock(&open.key, LOCK_PATIENCE).await;
        let lock = lock.map_err(Error::Store)?;
        Ok(SessionGuard::new(
            Arc::clone(self),
            Arc::clone(open),
            held,
            lock,
        ))
    }

    pub(crate) fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Writes the tombstone, after waiting `patience` for the guard; what stood there before it.
    pub(crate) async fn bury(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
        patience: Duration,
    ) -> Result<Option<SignedIn>, Error> {
        let guarded = async {
            let mut guard = self.guard(open).await?;
            let before = guard.read().await?;
            guard.bury().await?;
            Ok::<_, Error>(before)
        };
        if let Ok(Ok(before)) = tokio::time::timeout(patience, guarded).await {
            return Ok(before);
        }
        // Its holder takes too long, or the lock cannot be had: the person's word counts.
        let before = self.bury_unguarded(open).await?;
        Ok(before.and_then(|session| session.signed_in))
    }

    async fn bury_unguarded(&self, open: &OpenSession) -> Result<Option<Session>, Error> {
        let before = self.peek(open).await?;
        let tombstone = Session {
            generation: before.as_ref().map_or(0, |session| session.generation) + 1,
            signed_in: None,
        };
        self.save(open, &tombstone).await?;
        Ok(before)
    }

    pub(crate) fn begin(self: &Arc<Self>) -> UnderWay {
        self.under_way.send_modify(|count| *count += 1);
        UnderWay(Arc::clone(self))
    }

    /// Waits for the redemptions under way, and writes what could not be written before.
    pub(crate) async fn settle(self: &Arc<Self>, limit: Duration) {
        let mut under_way = self.under_way.subscribe();
        let idle = under_way.wait_for(|count| *count == 0);
        // Too late: there is nothing more to wait for.
        let _ = tokio::time::timeout(limit, idle).await;
        let unsaved: Vec<_> = lock(&self.open)
            .values()
            .filter(|session| session.has_unsaved())
            .cloned()
            .collect();
        for session in unsaved {
            if let Ok(mut guard) = self.guard(&session).await {
                // Reading writes first what could not be written.
                let _ = guard.read().await;
            }
        }
    }

    async fn save(&self, open: &OpenSession, session: &Session) -> Result<(), Error> {
        let record: SessionRecord = session.write(&open.key);
        let saved = self.store.save(&open.key, &record).await;
        saved.map_err(Error::Store)?;
        open.saw(Some(session));
        Ok(())
    }
}

impl OpenSession {
    fn new(key: SessionKey) -> Self {
        Self {
            key,
            family: Arc::default(),
            generation: AtomicU64::new(0),
            looked: Mutex::new(None),
            sign_outs: AtomicU64::new(0),
            account: Mutex::new(None),
            rejected: Mutex::default(),
            prompt: tokio::sync::Mutex::default(),
            prompts: AtomicU64::new(0),
        }
    }

    /// The generation that was last seen.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(crate) fn name(&self) -> &str {
        self.key.session()
    }

    /// From now on no redemption that is under way can write what it brings.
    pub(crate) fn forbid_late_writes(&self) {
        self.sign_outs.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes note of whose tokens are handed out from now on; true if they were another's before.
    pub(crate) fn meets_other(&self, account: &Account) -> bool {
        let mut known = lock(&self.account);
        let is_other = known
            .as_ref()
            .is_some_and(|known| known.is_other_than(account));
        *known = Some(account.clone());
        is_other
    }

    /// Takes note of an access token that an API has refused.
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
        let since = self.prompts.load(Ordering::Acquire);
        PromptTurn {
            last: self.prompt.lock().await,
            open: self,
            since,
        }
    }

    fn saw(&self, session: Option<&Session>) {
        let generation = session.map_or(0, |session| session.generation);
        self.generation.store(generation, Ordering::Release);
    }

    /// Whether there is something that the store does not have yet. In doubt, yes.
    fn has_unsaved(&self) -> bool {
        self.family
            .try_lock()
            .map_or(true, |held| held.is_unsaved())
    }
}

impl PromptTurn<'_> {
    /// How the prompt ended that this caller has waited for, if it asked for all of `audiences`.
    pub(crate) fn answered(&self, audiences: &[Audience]) -> Option<Result<Account, Error>> {
        let last = self.last.as_ref().filter(|last| last.number > self.since)?;
        let is_same = audiences.iter().all(|one| last.asked.contains(one));
        is_same.then(|| last.outcome.clone())
    }

    /// Tells those who wait how it ended.
    pub(crate) fn end(mut self, asked: Vec<Audience>, outcome: &Result<Account, Error>) {
        let number = self.open.prompts.fetch_add(1, Ordering::AcqRel) + 1;
        *self.last = Some(Prompted {
            number,
            asked,
            outcome: outcome.clone(),
        });
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.send_modify(|count| *count -= 1);
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

fn newer() -> Error {
    Error::Store(StoreError::new(
        StoreErrorKind::Unreadable,
        "a newer version of this crate wrote the session, and it is left as it is",
    ))
}

/// Locks, also after a panic elsewhere: what is guarded here is valid between any two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a person did in another process is noticed within this time.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long one redemption waits for those of other processes: it must have time left for its own
/// within its flight (20 s).
const LOCK_PATIENCE: Duration = Duration::from_secs(15);

/// From so many sessions on, those that nobody uses are let go of as their number doubles.
const SWEEP_FROM: usize = 1024;

/// How many refused access tokens of a session are remembered.
const REJECTED: usize = 16;
