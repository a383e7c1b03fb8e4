//! A client of people: signing in and out, and going on after an error that needs a person.

use std::{sync::Arc, time::Duration};

use tokio::{runtime::Handle, time::timeout};
use url::Url;

use super::Client;
use crate::{
    error::{Asked, Error},
    flow::{OpenSession, PromptTurn, Sessions, Sought},
    login::{AuthorizationCode, Brought, Finish, PendingLogin, SignIn},
    request::{Details, Parameters, TokenRequest},
    store::Account,
    token::AccessToken,
};

impl Client {
    /// Has the person sign in, and keeps their session.
    ///
    /// `how` says what the one prompt asks for: scopes of several APIs, if it likes. It replaces what
    /// the session had before, also if another person signs in; just the refresh token stays if the same
    /// person comes back without a new one. Callers who ask for the same while a prompt is open wait for
    /// that one.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] if the person or the issuer says no, [`Error::Login`] if nobody comes back in
    /// time or a device code ended unused, [`Error::Unavailable`] if the issuer cannot be reached,
    /// [`Error::Protocol`] if an answer breaks a rule (a wrong `state` above all: do not retry that),
    /// [`Error::Store`] if the session cannot be read or locked, and [`Error::Request`] if this client
    /// has no sessions or the issuer has no such sign-in.
    pub async fn sign_in(&self, how: impl Into<SignIn>) -> Result<Account, Error> {
        let (how, (sessions, open)) = (how.into(), self.person()?);
        let turn = open.prompt_turn(how.sought(false)).await;
        if how.can_be_shared()
            && let Some(outcome) = turn.answered()
        {
            return outcome;
        }
        self.prompt(how, sessions, open, turn, false).await
    }

    /// Goes on after an error that needs a person: has them act, and repeats the request for its
    /// audience and scopes. One that had more to it is repeated by its caller.
    ///
    /// Whatever the session covered before is asked for again with it, so that the person sees just
    /// what is new as new. Any number of callers cause one prompt. An error that needs no person is
    /// returned as it is.
    ///
    /// # Errors
    ///
    /// As [`sign_in`](Self::sign_in) and [`get_access_token`](Self::get_access_token); and
    /// [`Error::Protocol`] if another person signs in than the one whose session it is.
    pub async fn resolve(
        &self,
        error: impl Into<Error>,
        how: impl Into<SignIn>,
    ) -> Result<AccessToken, Error> {
        let (error, how) = (error.into(), how.into());
        let Some((asked, _)) = error.person_needed() else {
            return Err(error);
        };
        let (sessions, open) = self.person()?;
        let needed = Sought {
            asked: vec![asked.clone()],
            is_step_up: matches!(error, Error::StepUp(_)),
            is_silent: false,
        };
        let turn = open.prompt_turn(needed).await;
        match turn.answered() {
            Some(Err(refused)) => return Err(refused),
            // If it did not help, asking the same again would not either.
            Some(Ok(_)) => return self.get_access_token(request(asked)).await,
            None => {}
        }
        // Somebody else may have gone this way while this call waited for its turn.
        let again = match self.get_access_token(request(asked)).await {
            Err(again) if again.person_needed().is_some() => again,
            other => return other,
        };
        let how = how.going_on(&again);
        let turn = turn.seeking(how.sought(matches!(again, Error::StepUp(_))));
        self.prompt(how, sessions, open, turn, true).await?;
        self.get_access_token(request(asked)).await
    }

    /// The first half of a sign-in whose answer comes back in another request: a web back end, or an
    /// application with a URL scheme of its own.
    ///
    /// Send the person to the URL, keep the [`PendingLogin`] with their browser's session, and call
    /// [`finish`](Self::finish) with the whole URL that they come back to.
    ///
    /// # Errors
    ///
    /// [`Error::Request`] if `login` has no redirect URI, and whatever keeps the issuer's metadata from
    /// being read.
    pub async fn start(&self, login: AuthorizationCode) -> Result<(Url, PendingLogin), Error> {
        let (_, open) = self.person()?;
        let authorization = self.cache.endpoint().authorization().await?;
        login.start(&authorization, open.name(), self.cache.now())
    }

    /// The second half: checks what came back, redeems the code and keeps the session.
    ///
    /// It is the session that [`start`](Self::start) was called for which is signed in, whichever this
    /// client stands for.
    ///
    /// # Errors
    ///
    /// As [`sign_in`](Self::sign_in). A wrong `state` is [`Error::Protocol`] and means that this answer
    /// belongs to no sign-in of this browser; [`Error::Request`] that it was finished already.
    pub async fn finish(&self, pending: &PendingLogin, callback: &str) -> Result<Account, Error> {
        let client = self.session(pending.session());
        let (sessions, open) = client.person()?;
        let authorization = self.cache.endpoint().authorization().await?;
        let code = pending.accept(callback, &authorization, self.cache.now())?;
        // RFC 6749 section 4.1.2: a code that is used twice may end what came of it.
        if !sessions.is_first_answer(pending.state()) {
            return Err(Error::request(
                "this sign-in was finished already: an answer is good once",
            ));
        }
        let brought = Brought::by_callback(pending.clone(), code);
        client
            .conclude(brought, sessions, open, None, pending.goes_on())
            .await
    }

    /// Who is signed in; nothing if nobody is.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the session cannot be read, [`Error::Request`] if this client has none.
    pub async fn account(&self) -> Result<Option<Account>, Error> {
        let (sessions, open) = self.person()?;
        let session = sessions.peek(&open).await?;
        Ok(session
            .and_then(|session| session.signed_in)
            .map(|signed_in| signed_in.account))
    }

    /// Signs the person out: forgets their tokens here and in the store, and revokes the refresh token.
    ///
    /// It wins over a refresh that is under way, and other processes stop at their next miss or in
    /// their next refresh window. That the issuer cannot be reached is no error: the session is gone
    /// here all the same. Access tokens that were handed out live on until they expire.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store does not take it: then other processes still find the session. This
    /// one hands out nothing of the sign-in that it has last read, and tries again at its next call and in
    /// [`close`](Self::close).
    pub async fn sign_out(&self) -> Result<(), Error> {
        let (sessions, open) = self.person()?;
        open.forbid_late_writes();
        self.cache.clear_all(&self.principal);
        let endpoint = self.cache.endpoint();
        if sessions.is_unknown(&open).await {
            // Nothing is written for a name that nobody has signed in under.
            return Ok(());
        }
        let (before, buried) = sessions.bury(&open, SIGN_OUT_PATIENCE).await;
        // What was taken from the store a moment ago may have landed meanwhile.
        self.cache.clear_all(&self.principal);
        let mut tokens = open.take_unrevoked();
        if let Some(before) = &before {
            tokens.extend(before.refresh_tokens().cloned());
        }
        let revoking = async {
            for token in tokens {
                endpoint.revoke(&token).await;
            }
        };
        let _ = timeout(REVOCATION_LIMIT, revoking).await;
        buried
    }

    /// The prompt itself, by whoever has the turn.
    async fn prompt(
        &self,
        how: SignIn,
        sessions: &Arc<Sessions>,
        open: Arc<OpenSession>,
        turn: PromptTurn,
        same_person: bool,
    ) -> Result<Account, Error> {
        let (endpoint, clock) = (self.cache.endpoint(), self.cache.clock());
        let prompted = async {
            // Nobody is asked for what could not be kept: a store that says no is heard before.
            sessions.peek(&open).await?;
            how.run(endpoint, open.name(), clock).await
        };
        match prompted.await {
            Ok(brought) => {
                self.conclude(brought, sessions, open, Some(turn), same_person)
                    .await
            }
            Err(error) => {
                let outcome = Err(error);
                turn.end(&outcome);
                outcome
            }
        }
    }

    /// Redeems and writes what the person's part has brought, also if the caller stops waiting: the
    /// code is spent, and what it yields must not be lost. Those who wait for the turn hear of it.
    async fn conclude(
        &self,
        mut brought: Brought,
        sessions: &Arc<Sessions>,
        open: Arc<OpenSession>,
        turn: Option<PromptTurn>,
        same_person: bool,
    ) -> Result<Account, Error> {
        let client = self.clone();
        let own = Arc::clone(sessions);
        let page = brought.take_page();
        let work = async move {
            let outcome = client.keep(brought, &own, &open, same_person).await;
            if let Some(page) = page {
                page.show(outcome.is_ok()).await;
            }
            if let Some(turn) = turn {
                turn.end(&outcome);
            }
            outcome
        };
        sessions.outlive(work).await
    }

    async fn keep(
        &self,
        brought: Brought,
        sessions: &Arc<Sessions>,
        open: &Arc<OpenSession>,
        same_person: bool,
    ) -> Result<Account, Error> {
        let (endpoint, clock) = (self.cache.endpoint(), self.cache.clock());
        let obtained = brought.obtain(endpoint, clock).await?;
        let finish = Finish {
            sessions,
            endpoint,
            open,
            same_person,
        };
        let account = finish.write(obtained).await?;
        // Where it cannot be told, somebody else has signed in: nothing of theirs is handed out.
        let is_same = open.is_surely_of(&account);
        open.meets_other(&account);
        if is_same {
            self.cache.forgive_refusals(&self.principal);
        } else {
            self.cache.clear_all(&self.principal);
        }
        sessions.pay(open, endpoint);
        Ok(account)
    }

    fn person(&self) -> Result<(&Arc<Sessions>, Arc<OpenSession>), Error> {
        if Handle::try_current().is_err() {
            return Err(Error::request(
                "there is no tokio runtime here: call it within one",
            ));
        }
        self.cache.session(&self.principal).ok_or_else(|| {
            Error::request(
                "this client has no sessions: build it with Client::for_person, and use its sessions",
            )
        })
    }
}

fn request(asked: &Asked) -> TokenRequest<'static> {
    TokenRequest::from(Details::for_key(
        &asked.audience,
        &asked.scopes,
        &Parameters::none(),
    ))
}

/// How long signing out waits for a redemption under way before it goes ahead without its leave.
const SIGN_OUT_PATIENCE: Duration = Duration::from_secs(2);

/// How long signing out waits for the issuer's revocation endpoint.
const REVOCATION_LIMIT: Duration = Duration::from_secs(5);
