//! What a process runs: the sessions themselves, as an application calls them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    CLIENT_ID, ISSUER,
    environment::ProcessEnvironment,
    executor::ProcessId,
    issuer::{ModelIssuer, asked, scopes_of},
    store::ModelStore,
    world::World,
};
use crate::{
    account::Account,
    endpoint::TokenReply,
    error::Error,
    request::{Parameters, Target, Urgency},
    scope::Scopes,
    session::{LoginTokens, OpenSession, SessionSettings, Sessions, Wanted},
    time::Moment,
    token::TokenResponse,
};

/// The name of the extra parameter that some requests have.
pub(super) const PARAMETER: &str = "claims";

/// The sessions of one process.
pub(super) struct Program {
    sessions: Arc<Sessions>,
    /// Held for as long as the process lives, as the slots of a cache do.
    open: Mutex<BTreeMap<String, Arc<OpenSession>>>,
}

/// A request for an access token.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) audience: &'static str,
    pub(super) scopes: String,
    pub(super) parameter: Option<&'static str>,
    pub(super) is_forced: bool,
    pub(super) replaces_usable: bool,
    pub(super) departed: Moment,
}

/// What a person's part of a sign-in has brought.
pub(super) struct Login {
    pub(super) reply: TokenReply,
    pub(super) audiences: Vec<&'static str>,
    /// Nothing if it is not told who it was.
    pub(super) subject: Option<String>,
    pub(super) same_person: bool,
}

/// Where a sign-in counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    InStore,
    OnlyHere,
}

impl Program {
    pub(super) fn start(world: &Arc<World>, process: ProcessId) -> Arc<Self> {
        let settings = SessionSettings {
            issuer: ISSUER.to_owned(),
            client_id: CLIENT_ID.to_owned(),
            store: Arc::new(ModelStore::new(world, process)),
            store_timeout: STORE_TIMEOUT,
            environment: Arc::new(ProcessEnvironment::new(&world.executor, process)),
            issuer_calls: Arc::new(ModelIssuer::new(world, process)),
        };
        Arc::new(Self {
            sessions: Sessions::new(settings),
            open: Mutex::default(),
        })
    }

    fn open(&self, session: &str) -> Arc<OpenSession> {
        let opened = self.sessions.open_sessions().open(session);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(session.to_owned(), Arc::clone(&opened));
        opened
    }

    pub(super) async fn access_token(
        self: Arc<Self>,
        session: String,
        ask: Ask,
    ) -> Result<TokenResponse, Error> {
        let open = self.open(&session);
        let mut parameters = Parameters::none();
        if let Some(value) = ask.parameter {
            parameters = parameters.with(PARAMETER.to_owned(), value.to_owned());
        }
        let wanted = Wanted {
            target: Target {
                asked: asked(ask.audience, &ask.scopes),
                parameters,
            },
            urgency: Urgency {
                is_forced: ask.is_forced,
                in_background: ask.replaces_usable,
            },
            replaces_usable: ask.replaces_usable,
            departed: ask.departed,
        };
        self.sessions.access_token(&open, wanted).await
    }

    pub(super) async fn sign_in(
        self: Arc<Self>,
        session: String,
        login: Login,
    ) -> Result<Kept, Error> {
        let open = self.open(&session);
        let tokens = LoginTokens {
            reply: login.reply,
            asked: login
                .audiences
                .iter()
                .map(|audience| asked(audience, &scopes_of(audience)))
                .collect(),
            identity_scopes: Scopes::from_reply("openid"),
            account: Account::new(login.subject, None, None),
        };
        let (sessions, same_person) = (Arc::clone(&self.sessions), login.same_person);
        let work = async move { sessions.sign_in(&open, tokens, same_person).await };
        match self.sessions.outlive(work).await {
            Ok(_account) => Ok(Kept::InStore),
            Err(Error::Store(error)) if error.account().is_some() => Ok(Kept::OnlyHere),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn sign_out(self: Arc<Self>, session: String) -> Result<(), Error> {
        let open = self.open(&session);
        self.sessions.sign_out(&open).await.map(|_| ())
    }

    /// The account that is signed in, if there is one.
    pub(super) async fn account(
        self: Arc<Self>,
        session: String,
    ) -> Result<Option<Account>, Error> {
        let open = self.open(&session);
        self.sessions.account(&open).await
    }

    pub(super) async fn close(self: Arc<Self>, limit: Duration) -> Result<(), Error> {
        self.sessions.close(limit).await
    }

    /// An API has refused this access token.
    pub(super) fn reject(&self, session: &str, access_token: &str) {
        self.open(session).reject(access_token);
    }
}

/// How long one call into the store may take.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);
