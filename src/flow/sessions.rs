//! People's sessions: one redemption at a time for each, and nothing lost on the way to the store.
//!
//! The order is always: the flight of a slot, the family's mutex, the store's lock. Whoever holds the
//! latter two awaits the issuer and the store, and nothing else.

mod ferry;
mod guard;
mod looked;
mod open;
mod prompt;
mod sign_out;
mod unsaved;

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ferry::Ferry;
pub(crate) use guard::SessionGuard;
pub(crate) use guard::{Change, Written};
pub(crate) use looked::Looked;
pub(crate) use open::OpenSession;
pub(crate) use prompt::{PromptTurn, Sought};
use tokio::{runtime::Handle, sync::watch};

use crate::{
    endpoint::Endpoint,
    error::{Error, StoreError, StoreErrorKind, UnavailableReason},
    secret::Secret,
    store::{BoxedStore, Session, SessionKey, Unusable},
    time::{Moment, TimeSource},
};

/// The sessions of all people who use one application.
pub(crate) struct Sessions {
    issuer: String,
    client_id: String,
    store: Arc<dyn BoxedStore>,
    clock: TimeSource,
    open: Mutex<HashMap<Arc<str>, Arc<OpenSession>>>,
    /// Those that were let go of, until whoever has cached their tokens is told.
    swept: Mutex<Vec<Arc<str>>>,
    /// Sign-ins that were answered: a second answer must not send the code again.
    answered: Mutex<VecDeque<Secret>>,
    ferry: Arc<Ferry>,
    /// How much is under way on the ferry.
    under_way: watch::Sender<usize>,
}

/// Counts what is under way for as long as it lives.
struct UnderWay(Arc<Sessions>);

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
            swept: Mutex::default(),
            answered: Mutex::default(),
            ferry: Arc::default(),
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
            open.retain(|name, session| {
                let is_needed = Arc::strong_count(session) > 1 || session.has_unsaved();
                if !is_needed {
                    lock(&self.swept).push(Arc::clone(name));
                }
                is_needed
            });
        }
        let key = SessionKey::new(self.issuer.as_str(), self.client_id.as_str(), &**name);
        let session = Arc::new(OpenSession::new(key));
        open.insert(Arc::clone(name), Arc::clone(&session));
        session
    }

    /// The names of sessions of which nothing is known here any more.
    ///
    /// Whose tokens are cached under them is not known either: they must not be handed out.
    pub(crate) fn take_swept(&self) -> Vec<Arc<str>> {
        std::mem::take(&mut *lock(&self.swept))
    }

    /// Takes note that the sign-in with this `state` was answered; false if it was before.
    pub(crate) fn is_first_answer(&self, state: &Secret) -> bool {
        let mut answered = lock(&self.answered);
        if answered.iter().any(|one| one.expose() == state.expose()) {
            return false;
        }
        if answered.len() >= ANSWERED {
            answered.pop_front();
        }
        answered.push_back(state.clone());
        true
    }

    /// Runs `work` to its end, also if the caller stops waiting or the program ends.
    pub(crate) async fn outlive<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let under_way = self.begin();
        let carried = self.ferry.carry(async move {
            let outcome = work.await;
            drop(under_way);
            outcome
        });
        let abandoned = || Err(Error::unavailable(UnavailableReason::Abandoned));
        carried.await.unwrap_or_else(abandoned)
    }

    /// The session as the store has it now, without a lock; nothing if nobody has signed in.
    pub(crate) async fn peek(&self, open: &OpenSession) -> Result<Option<Session>, Error> {
        Ok(self.look(open).await?.into_found())
    }

    /// The session as it is now, without a lock: what the store has, or what it would not take.
    pub(crate) async fn look(&self, open: &OpenSession) -> Result<Looked, Error> {
        let looks = open.looks();
        let stored = self.stored(open).await?;
        let found = stored.found();
        if let Some(unsaved) = open.instead_of(found) {
            return Ok(Looked::Found(unsaved.session));
        }
        open.saw_since(looks, found);
        Ok(match stored {
            Looked::Found(session) if open.is_buried(&session) => Looked::Found(Session {
                signed_in: None,
                ..session
            }),
            stored => stored,
        })
    }

    /// The record itself, whatever is known beside it.
    async fn stored(&self, open: &OpenSession) -> Result<Looked, Error> {
        let record = self.store.load(&open.key).await.map_err(Error::Store)?;
        open.was_looked_at(self.clock.now());
        match record.map(|record| Session::read(&record, &open.key)) {
            None => Ok(Looked::Nothing),
            Some(Err(Unusable::Damaged)) => Ok(Looked::Damaged),
            Some(Err(Unusable::Newer)) => Err(newer()),
            Some(Ok(session)) => Ok(Looked::Found(session)),
        }
    }

    /// Writes what the store would not take, if it does now: reading does that first.
    async fn catch_up(self: &Arc<Self>, open: &Arc<OpenSession>) {
        if let Ok(mut guard) = self.guard(open).await {
            let _ = guard.read().await;
        }
    }

    /// Tries again to write what the store would not take, without anybody waiting for it.
    pub(crate) fn save_kept(self: &Arc<Self>, open: &Arc<OpenSession>) {
        if open.unsaved().is_none() {
            return;
        }
        let (sessions, open, under_way) = (Arc::clone(self), Arc::clone(open), self.begin());
        self.ferry.embark(Box::pin(async move {
            sessions.catch_up(&open).await;
            drop(under_way);
        }));
    }

    /// The revision of the session: read from the store at most once a second.
    ///
    /// A store that cannot be read says nothing new.
    pub(crate) async fn revision(&self, open: &OpenSession) -> u64 {
        if open.is_to_be_looked_at(self.clock.now()) {
            let _ = self.peek(open).await;
        }
        open.revision()
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

    fn begin(self: &Arc<Self>) -> UnderWay {
        self.under_way.send_modify(|count| *count += 1);
        UnderWay(Arc::clone(self))
    }

    /// Waits for what is under way, and writes what could not be written before.
    pub(crate) async fn settle(self: &Arc<Self>, limit: Duration, endpoint: &Arc<Endpoint>) {
        if Handle::try_current().is_err() {
            // Nothing tells the time here, and nothing could be written.
            return;
        }
        let mut under_way = self.under_way.subscribe();
        let idle = under_way.wait_for(|count| *count == 0);
        // Too late: there is nothing more to wait for.
        let _ = tokio::time::timeout(limit, idle).await;
        let unsaved: Vec<_> = lock(&self.open)
            .values()
            .filter(|session| session.has_unsaved())
            .cloned()
            .collect();
        let saving = async {
            for session in unsaved {
                self.catch_up(&session).await;
                self.pay(&session, endpoint);
            }
            let idle = under_way.wait_for(|count| *count == 0);
            let _ = idle.await;
        };
        let _ = tokio::time::timeout(limit, saving).await;
    }

    async fn save(&self, open: &OpenSession, session: &Session) -> Result<(), Error> {
        let record = session.write(&open.key).map_err(Error::Store)?;
        let saved = self.store.save(&open.key, &record).await;
        saved.map_err(Error::Store)?;
        open.saw(Some(session));
        Ok(())
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

/// How long one redemption waits for those of other processes: it must have time left for its own
/// within its flight (20 s).
const LOCK_PATIENCE: Duration = Duration::from_secs(15);

/// From so many sessions on, those that nobody uses are let go of as their number doubles.
const SWEEP_FROM: usize = 1024;

/// How many answered sign-ins are remembered: those of the last minutes, even of a busy back end.
const ANSWERED: usize = 1024;
