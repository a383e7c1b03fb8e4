//! [`Session`]: one person, signing in and out, and going on after an error that needs them.

mod conclude;
mod leaving;
mod signed_out;

use std::{fmt, sync::Arc};

use url::Url;

use super::Client;
use crate::{
    account::Account,
    cache::TokenCache,
    error::{Asked, Error},
    login::{AuthorizationCode, LoginGrant, PendingLogin, SignIn},
    request::{Target, TokenRequest},
    session::{OpenSession, Principal, PromptRequest, Sessions},
    token::AccessToken,
};
pub use signed_out::SignedOut;

/// The session of one person: they sign in once, and it yields a token for each API.
///
/// From [`People::session`](crate::People::session). It is one name in the store: who is signed in under
/// it, if any person is, says [`account`](Self::account). Clones share everything, and a session can be made
/// anew for each request of a web back end.
///
/// # Examples
///
/// ```no_run
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// use intelliauth::{AuthorizationCode, Client};
///
/// let people = Client::for_person("https://banking-cymmetri.intelliauth.local", "app_01HZX0DESKTOP").build()?;
/// let person = people.default_session();
/// person.sign_in(AuthorizationCode::loopback().request("api.banking.cymmetri.com")).await?;
/// let token = person.client().get_access_token("api.banking.cymmetri.com").await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Session {
    client: Client,
    sessions: Arc<Sessions>,
    open: Arc<OpenSession>,
}

impl Session {
    pub(super) fn new(cache: Arc<TokenCache>, sessions: Arc<Sessions>, name: &str) -> Self {
        let open = sessions.open_sessions().open(name);
        let principal = Principal::Session(Arc::clone(&open));
        Self {
            client: Client { cache, principal },
            sessions,
            open,
        }
    }

    /// The name of the session.
    pub fn name(&self) -> &str {
        self.open.name()
    }

    /// The client that gets this person's tokens.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Has the person sign in, and keeps their session.
    ///
    /// `how` says what the one prompt asks for: scopes of several APIs, if it likes. It replaces what
    /// the session had before, also if another person signs in. Of the same person's session stays the
    /// refresh token, if they come back without a new one, and where each API has a refresh token of its own
    /// ([`TokenFamily::PerAudience`](crate::TokenFamily::PerAudience)) what belongs to the other APIs. Callers who ask for the same while a prompt is open wait for
    /// that one.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] if the person or the issuer says no, [`Error::Login`] if they do not come back in
    /// time or a device code ended unused, [`Error::Unavailable`] if the issuer cannot be reached,
    /// [`Error::Protocol`] if an answer breaks a rule (a wrong `state` above all: do not retry that),
    /// [`Error::Store`] if the session cannot be read, and then the person was not asked, or cannot be written: then it
    /// names the [account](crate::StoreError::account), the person is signed in in this process, and the session is
    /// written when the store takes it. [`Error::Request`] if the issuer has no such sign-in, or if the person
    /// has signed out meanwhile.
    pub async fn sign_in(&self, how: impl Into<SignIn>) -> Result<Account, Error> {
        let how = how.into();
        let turn = self.open.prompt_turn(how.prompt_request(false)).await;
        if how.can_be_shared()
            && let Some(outcome) = turn.answered()
        {
            return outcome;
        }
        self.prompt(how, turn, false).await
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
    /// As [`sign_in`](Self::sign_in) and [`Client::get_access_token`]; and
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
        let needed = PromptRequest {
            asked: vec![asked.clone()],
            is_step_up: matches!(error, Error::StepUp(_)),
            is_silent: false,
        };
        let turn = self.open.prompt_turn(needed).await;
        match turn.answered() {
            Some(Err(refused)) => return Err(refused),
            // If it did not help, asking the same again would not either.
            Some(Ok(_)) => return self.client.get_access_token(request(asked)).await,
            None => {}
        }
        // Another call may have resolved it while this one waited for its turn.
        let again = match self.client.get_access_token(request(asked)).await {
            Err(again) if again.person_needed().is_some() => again,
            // What an API has found too weak is no answer, however fresh it is.
            Ok(token) if token.was_too_weak(&error) => error.clone(),
            other => return other,
        };
        let how = how.going_on(&again);
        let turn = turn.asking(how.prompt_request(matches!(again, Error::StepUp(_))));
        let outcome = self.prompt(how, turn, true).await;
        if !conclude::is_signed_in(&outcome) {
            outcome?;
        }
        self.client.get_access_token(request(asked)).await
    }

    /// The first half of a sign-in whose answer comes back in another request: a web back end, or an
    /// application with a URL scheme of its own.
    ///
    /// Send the person to the URL, keep the [`PendingLogin`] with their browser's session, and call
    /// [`finish_sign_in`](Self::finish_sign_in) with the whole URL that they come back to.
    ///
    /// # Errors
    ///
    /// [`Error::Request`] if `login` has no redirect URI, and whatever keeps the issuer's metadata from
    /// being read.
    pub async fn begin_sign_in(
        &self,
        login: AuthorizationCode,
    ) -> Result<(Url, PendingLogin), Error> {
        let authorization = self.authorization().await?;
        login.begin(&authorization, self.name(), self.client.cache.now())
    }

    /// The second half: checks what came back, redeems the code and keeps the session.
    ///
    /// `pending` has to be one of this session: where the browser's session does not say which that is,
    /// [`PendingLogin::session`] does.
    ///
    /// # Errors
    ///
    /// As [`sign_in`](Self::sign_in). A wrong `state` is [`Error::Protocol`] and means that this answer
    /// belongs to no sign-in of this browser; [`Error::Request`] that it was finished already, or was begun
    /// for another session.
    pub async fn finish_sign_in(
        &self,
        pending: &PendingLogin,
        callback: &str,
    ) -> Result<Account, Error> {
        if pending.session() != self.name() {
            return Err(Error::request(format!(
                "this sign-in was begun for session {:?}, and not for {:?}: finish it with people.session(pending.session())",
                pending.session(),
                self.name(),
            )));
        }
        let cache = &self.client.cache;
        let authorization = self.authorization().await?;
        let code = pending.accept(callback, &authorization, cache.now())?;
        // RFC 6749 section 4.1.2: a code that is used twice may end what came of it.
        if !self.sessions.is_first_answer(pending.state()) {
            return Err(Error::request(
                "this sign-in was finished already: an answer is good once",
            ));
        }
        let granted = LoginGrant::by_callback(pending.clone(), code);
        self.conclude(granted, None, pending.goes_on()).await
    }

    /// The account of the person who is signed in, if any.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the session cannot be read.
    pub async fn account(&self) -> Result<Option<Account>, Error> {
        self.sessions.account(&self.open).await
    }

    /// Signs the person out: forgets their tokens here and in the store, and revokes the refresh token.
    ///
    /// It wins over a refresh that is under way, and other processes stop at their next miss or in
    /// their next refresh window. That the issuer does not revoke is no error: the session is gone here all
    /// the same, and [`SignedOut`] says what became of the refresh token. Access tokens that were handed out
    /// live on until they expire.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store does not take it: then other processes still find the session. This
    /// one hands out nothing of the sign-in that it has last read, and tries again at its next call and in
    /// [`People::close`](crate::People::close).
    pub async fn sign_out(&self) -> Result<SignedOut, Error> {
        let revocation = self.sessions.sign_out(&self.open).await?;
        Ok(SignedOut::new(revocation))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("name", &self.name())
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

fn request(asked: &Asked) -> TokenRequest<'static> {
    TokenRequest::from(Target::from(asked.clone()))
}
