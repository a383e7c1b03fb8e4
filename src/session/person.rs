//! What a person does: they sign in, they sign out; and what is asked about them.

use std::{sync::Arc, time::Duration};

use super::{
    LoginTokens, OpenSession, Sessions,
    change::{Applied, Change},
    driver::{SaveOutcome, TRIES, contended},
    environment::within,
    loaded::{Current, Loaded},
    loading::base,
    record::{Session, SignInId, SignedIn},
    sign_in::SignIn,
    state::State,
};
use crate::{
    account::Account,
    endpoint::Revocation,
    error::{Asked, Error, StoreError, StoreErrorKind, Violation},
    secret::Secret,
    time::Moment,
};

impl Sessions {
    /// Keeps a sign-in; nothing of it is handed up before. It runs in work that outlives its caller.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] with the account where the session could not be kept: it counts in this process
    /// then, and is written when the store takes it. [`Error::Request`] where the person has signed out, or another
    /// sign-in has come later, while this one was under way.
    pub(crate) async fn sign_in(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
        login: LoginTokens,
        same_person: bool,
    ) -> Result<Account, Error> {
        let outcome = self.try_sign_in(open, login, same_person).await;
        self.revoke_queued(open);
        outcome
    }

    async fn try_sign_in(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
        login: LoginTokens,
        same_person: bool,
    ) -> Result<Account, Error> {
        let account = login.account.clone();
        let first = login.asked.first().cloned();
        let requested_at = login.reply.requested_at;
        let id = SignInId(self.environment.random());
        let families = self.issuer.dialect().token_family;
        let issuer = (families, self.issuer.audiences());
        let sign_in = SignIn::new(id, login, same_person, issuer);
        if let Some(token) = sign_in.token() {
            open.state(|state| state.access_tokens.requested(token, requested_at));
        }
        let mut sign_in = Box::new(sign_in);
        sign_in.after = open.state(|state| state.seen_sign_ins());
        sign_in.comes_after(open.state(|state| state.since()));
        let loaded = match self.load_or_base(open).await {
            Ok(loaded) => loaded,
            // Who the person has to be is not known, so this may be another one.
            Err(error) if same_person => return Err(error),
            Err(error) => {
                self.hold(open, Change::SignIn(sign_in), &Arc::new(Loaded::UNREAD));
                self.forget_cached(open);
                return Err(error.of_account(&account));
            }
        };
        let committed = self.commit(open, loaded, Change::SignIn(sign_in)).await;
        if committed.applied == Applied::OtherPerson {
            return Err(Error::protocol(first.as_ref(), Violation::OtherAccount));
        }
        open.state(|state| state.serve(committed.sign_in));
        // What was cached before is of the sign-in that this one replaces.
        self.forget_cached(open);
        match committed.unsaved {
            Some(error) => Err(error.of_account(&account)),
            None if committed.applied == Applied::SignedOut => {
                Err(Error::request("the person has signed out while signing in"))
            }
            None if committed.applied.has_given_way() => {
                Err(Error::request("another sign-in has come later"))
            }
            None => Ok(account),
        }
    }

    /// Signs the person out, also if the caller stops waiting; what became of their refresh tokens.
    pub(crate) async fn sign_out(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
    ) -> Result<Revocation, Error> {
        // Before anything is awaited: from now on nothing of it is handed out here.
        let now = self.now();
        open.state(|state| state.sign_out_of_seen(now));
        self.open.keep_pending(open);
        self.forget_cached(open);
        let (sessions, own) = (Arc::clone(self), Arc::clone(open));
        self.outlive(async move {
            let signed_out = sessions.write_tombstone(&own).await;
            // What was taken from the store a moment before may have been cached meanwhile.
            sessions.forget_cached(&own);
            sessions.open.keep_pending(&own);
            let tokens = own.state(State::take_to_revoke);
            let revoked = sessions.revoke_within(tokens, REVOCATION_LIMIT).await;
            signed_out.map(|()| revoked)
        })
        .await
    }

    async fn write_tombstone(self: &Arc<Self>, open: &Arc<OpenSession>) -> Result<(), Error> {
        let mut is_first = true;
        let began = open.state(|state| state.since());
        let began = began.max(self.now().wall_milliseconds());
        let deadline = self.now().plus(SIGN_OUT_LIMIT);
        for _ in 0..TRIES {
            if self.now().has_reached(deadline) {
                break;
            }
            let loaded = self.load(open).await?;
            let current = self.current_to_sign_out(open, &loaded, (is_first, began));
            is_first = false;
            if !current.is_ahead() {
                return Ok(());
            }
            // A rotation or another family's mark came in between: their record is signed out as well.
            if let SaveOutcome::Saved(_) = self.save(open, &loaded, &current).await? {
                return Ok(());
            }
        }
        Err(contended())
    }

    /// The session as it is once its person has signed out of what is in force now.
    ///
    /// What another process writes meanwhile is signed out of as well, if it came before.
    fn current_to_sign_out(
        &self,
        open: &OpenSession,
        loaded: &Loaded,
        (is_first, began): (bool, u64),
    ) -> Current {
        let now = self.now();
        open.state(|state| {
            let current = state.current(loaded, now);
            let came_before = |session: &Session| is_first || session.since < began;
            if current.session.as_ref().is_some_and(came_before) {
                state.saw_sign_in(current.in_force());
                state.sign_out(now);
                return state.current(loaded, now);
            }
            current
        })
    }

    /// Revokes refresh tokens, and waits for that a while; it goes on after that.
    async fn revoke_within(self: &Arc<Self>, tokens: Vec<Secret>, limit: Duration) -> Revocation {
        if tokens.is_empty() {
            return Revocation::NothingToRevoke;
        }
        let (done, ended) = tokio::sync::oneshot::channel();
        let sessions = Arc::clone(self);
        self.spawn(async move {
            let mut outcome = Revocation::NothingToRevoke;
            for token in tokens {
                outcome = outcome.and(sessions.issuer.revoke(&token).await);
            }
            // The caller may have stopped waiting.
            let _ = done.send(outcome);
        });
        let ended = within(&*self.environment, limit, ended).await;
        ended.and_then(Result::ok).unwrap_or(Revocation::UnderWay)
    }

    /// Who is signed in; nothing if the person has signed out, or never signed in.
    pub(crate) async fn account(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
    ) -> Result<Option<Account>, Error> {
        let signed_in = self.signed_in(open).await?;
        Ok(signed_in.map(|signed_in| signed_in.account))
    }

    /// What the sign-in has brought, as the session is now.
    pub(crate) async fn signed_in(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
    ) -> Result<Option<SignedIn>, Error> {
        let (sessions, own) = (Arc::clone(self), Arc::clone(open));
        self.outlive(async move {
            let (_, current) = sessions.load_current(&own).await?;
            sessions.revoke_queued(&own);
            if current.is_ahead() {
                sessions.settle_later(&own);
            }
            Ok(current.session.and_then(|session| session.signed_in))
        })
        .await
    }

    /// Whether a person is signed in, for a session of which nothing is cached.
    ///
    /// # Errors
    ///
    /// [`Error::Login`] if none is.
    pub(crate) async fn ensure_signed_in(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
        asked: &Asked,
    ) -> Result<(), Error> {
        let (sessions, own) = (Arc::clone(self), Arc::clone(open));
        let is_signed_in = self.outlive(async move {
            let loaded = sessions.load_shared(&own).await;
            let loaded = loaded.or_else(|error| base(&own, error))?;
            let now = sessions.now();
            let current = own.state(|state| state.current(&loaded, now));
            sessions.revoke_queued(&own);
            if current.is_ahead() {
                sessions.settle_later(&own);
            }
            Ok(current.signed_in().is_some())
        });
        if is_signed_in.await? {
            Ok(())
        } else {
            Err(Error::signed_out(asked))
        }
    }

    /// The revision of the session: read from the store at most once a second.
    ///
    /// A store that cannot be read says nothing new.
    pub(crate) async fn revision(self: &Arc<Self>, open: &Arc<OpenSession>) -> u64 {
        let now = self.now();
        let is_recent = |at: Moment| now.since(at) < LOAD_EVERY;
        if !open.state(|state| state.seen_at()).is_some_and(is_recent) {
            let _ = self.signed_in(open).await;
            // A store that fails is not asked at every call either.
            open.state(|state| state.tried_to_load(now));
        }
        open.revision()
    }

    /// Waits for what is under way, and writes what could not be written before.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if something could still not be written: it is lost when the process ends.
    pub(crate) async fn close(self: &Arc<Self>, limit: Duration) -> Result<(), Error> {
        let (sessions, mut under_way) = (Arc::clone(self), self.under_way.subscribe());
        let (sender, outcome) = tokio::sync::oneshot::channel();
        // Not counted as under way itself.
        self.environment.spawn(Box::pin(async move {
            let environment = Arc::clone(&sessions.environment);
            let idle = under_way.wait_for(|count| *count == 0);
            // Too late: what is under way has its own limits.
            let _ = within(&*environment, limit, idle).await;
            let closing = sessions.settle_all();
            let settled = within(&*environment, limit, closing).await;
            let idle = under_way.wait_for(|count| *count == 0);
            let _ = within(&*environment, limit, idle).await;
            let _ = sender.send(settled.unwrap_or_else(|| Err(unanswered())));
        }));
        outcome.await.unwrap_or_else(|_| {
            // Without a thread to run it on nothing can be written.
            let is_written = self.open.with_pending().is_empty();
            is_written.then_some(()).ok_or_else(unanswered)
        })
    }

    async fn settle_all(self: &Arc<Self>) -> Result<(), Error> {
        let mut failures = Vec::new();
        for open in self.open.with_pending() {
            if let Err(error) = self.settle(&open).await {
                failures.push((open.name().to_owned(), error));
            }
        }
        let unwritten = failures.len();
        let first = failures.into_iter().next();
        first.map_or(Ok(()), |(_, error)| Err(error.of_unwritten(unwritten)))
    }
}

fn unanswered() -> Error {
    let what = "the session store has not answered before the client was closed";
    Error::Store(StoreError::new(StoreErrorKind::Io, what))
}

/// How long a sign-out tries against rotations that come in between.
const SIGN_OUT_LIMIT: Duration = Duration::from_secs(10);

/// How long signing out waits for the issuer's revocation endpoint.
const REVOCATION_LIMIT: Duration = Duration::from_secs(5);

/// What a person did in another process is noticed within this time.
const LOAD_EVERY: Duration = Duration::from_secs(1);
