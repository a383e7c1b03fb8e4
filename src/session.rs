//! People's sessions: what a sign-in has left, and how it yields a token for each API.
//!
//! What a session *is* is never stored in this process: it is the record that was loaded, with this
//! process's pending changes applied to it ([`state`], [`change`]: pure). A write is one
//! compare-and-set; where it is superseded, the record is loaded and the changes are applied again.
//! [`driver`] asks the store and [`attempt`] the issuer; both run on the client's own runtime
//! ([`background`]), so that an answer outlives its caller.

mod access_tokens;
mod announced;
mod attempt;
mod background;
mod change;
mod decision;
mod driver;
mod environment;
mod issuer;
mod listed;
mod loaded;
mod loading;
mod login_tokens;
mod open;
mod open_sessions;
mod person;
mod principal;
mod prompt;
mod record;
mod redemption;
mod refused;
mod rotation;
mod rules;
mod session_name;
mod sign_in;
#[cfg(test)]
mod simulation;
mod state;
mod transition;

use std::{
    collections::VecDeque,
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    task::Poll,
    time::Duration,
};

pub(crate) use announced::CachedTokens;
pub(crate) use environment::{Environment, Issuer, Machine};
pub(crate) use issuer::issuer_of;
pub use listed::SessionInfo;
pub(crate) use login_tokens::LoginTokens;
pub(crate) use open::OpenSession;
pub(crate) use open_sessions::OpenSessions;
pub(crate) use principal::Principal;
pub(crate) use prompt::{PromptRequest, PromptTurn};
pub(crate) use record::SignedIn;
use tokio::sync::{oneshot, watch};

use crate::{
    error::{Error, UnavailableReason},
    request::{Target, Urgency},
    secret::Secret,
    store::{BoxedStore, SessionKey, StoreChanges},
    time::Moment,
};

/// The sessions of all people who use one application.
///
/// What is known of one session stands in its [`OpenSession`]; here is what they share. The store and the issuer are
/// asked in work that outlives its caller, each store call with a time limit, and no lock is held over an await.
pub(crate) struct Sessions {
    issuer_url: String,
    client_id: String,
    store: Arc<dyn BoxedStore>,
    /// How long one call into the store may take.
    store_timeout: Duration,
    environment: Arc<dyn Environment>,
    issuer: Arc<dyn Issuer>,
    open: Arc<OpenSessions>,
    /// What the store announces, until it is followed.
    changes: Mutex<Option<StoreChanges>>,
    /// Who has cached their tokens.
    cached: OnceLock<Weak<dyn CachedTokens>>,
    /// Sign-ins that were answered: a second answer must not send the code again.
    answered: Mutex<VecDeque<Secret>>,
    /// How much is under way.
    under_way: watch::Sender<usize>,
}

/// What sessions are made of.
pub(crate) struct SessionSettings {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) store: Arc<dyn BoxedStore>,
    pub(crate) store_timeout: Duration,
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) issuer_calls: Arc<dyn Issuer>,
}

/// What a flight asks of a session.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) target: Target,
    pub(crate) urgency: Urgency,
    /// Whether there is a token that still does: then one like it is no gain.
    pub(crate) replaces_usable: bool,
    pub(crate) departed: Moment,
}

/// Counts what is under way for as long as it lives.
struct UnderWay(Arc<Sessions>);

impl Sessions {
    pub(crate) fn new(settings: SessionSettings) -> Arc<Self> {
        let changes = settings.store.changes();
        let (issuer, client_id) = (settings.issuer.clone(), settings.client_id.clone());
        let digest =
            move |name: &str| SessionKey::new(issuer.as_str(), client_id.as_str(), name).digest();
        let open = match changes {
            Some(_) => OpenSessions::announced(digest),
            None => OpenSessions::default(),
        };
        Arc::new(Self {
            issuer_url: settings.issuer,
            client_id: settings.client_id,
            store: settings.store,
            store_timeout: settings.store_timeout,
            environment: settings.environment,
            issuer: settings.issuer_calls,
            open: Arc::new(open),
            changes: Mutex::new(changes),
            cached: OnceLock::new(),
            answered: Mutex::default(),
            under_way: watch::Sender::new(0),
        })
    }

    /// The sessions of which something is known in this process.
    pub(crate) fn open_sessions(&self) -> &Arc<OpenSessions> {
        &self.open
    }

    fn key(&self, open: &OpenSession) -> SessionKey {
        SessionKey::new(
            self.issuer_url.as_str(),
            self.client_id.as_str(),
            open.name(),
        )
    }

    /// Whether a record under this key is of this issuer and application.
    fn is_own(&self, key: &SessionKey) -> bool {
        key.issuer() == self.issuer_url && key.client_id() == self.client_id
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

    /// Runs `work` to its end, also if the caller stops waiting or its program's runtime ends.
    pub(crate) async fn outlive<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let (sender, outcome) = oneshot::channel();
        self.spawn(async move {
            // The caller may be gone.
            let _ = sender.send(work.await);
        });
        let abandoned = |_gone| Err(Error::unavailable(UnavailableReason::Abandoned));
        outcome.await.unwrap_or_else(abandoned)
    }

    /// Runs `work` for as long as the caller waits for it, on the client's own runtime.
    pub(crate) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let (mut sender, outcome) = oneshot::channel();
        self.environment.spawn_daemon(Box::pin(async move {
            let mut work = pin!(work);
            let finished = poll_fn(|cx| match work.as_mut().poll(cx) {
                Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
                Poll::Pending => sender.poll_closed(cx).map(|()| None),
            });
            if let Some(outcome) = finished.await {
                // The caller may be gone by now.
                let _ = sender.send(outcome);
            }
        }));
        let abandoned = |_gone| Err(Error::unavailable(UnavailableReason::Abandoned));
        outcome.await.unwrap_or_else(abandoned)
    }

    /// Runs `work` to its end; [`close`](Self::close) alone waits for it.
    fn spawn(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        self.follow_changes();
        self.under_way.send_modify(|count| *count += 1);
        let under_way = UnderWay(Arc::clone(self));
        self.environment.spawn(Box::pin(async move {
            work.await;
            drop(under_way);
        }));
    }

    pub(crate) fn now(&self) -> Moment {
        self.environment.now()
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

/// Locks, also after a panic elsewhere: what is guarded here is valid between any two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many answered sign-ins are remembered: those of the last minutes, even of a busy back end.
const ANSWERED: usize = 1024;
