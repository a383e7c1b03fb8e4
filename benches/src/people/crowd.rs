//! People who are signed in without having signed in one by one: the one place that uses what the SDK has for people.

use anyhow::{Context as _, Result, ensure};
use intelliauth::{
    AudienceHandle, AuthorizationCode, Client, MemoryStore, People, Saved, SessionKey,
    SessionRecord, SessionStore as _,
};
use tokio::runtime::{Builder, Runtime};

use crate::{endpoint::Endpoint, tokens::audience};

/// So many APIs each of them calls.
pub(super) const APIS: usize = 3;

const CLIENT_ID: &str = "app_benchmark";
const CALLBACK: &str = "https://app.example.com/callback";

/// One application, and the people who use it.
pub(super) struct Crowd {
    people: People,
    store: MemoryStore,
    runtime: Runtime,
    endpoint: Endpoint,
}

/// The name of one of them, as long as a session's usual name.
pub(super) fn name(number: usize) -> String {
    format!("person-{number:025}")
}

impl Crowd {
    /// An application without people, and with room for so many slots.
    pub(super) fn empty(endpoint: &Endpoint, capacity: usize) -> Result<Self> {
        let store = MemoryStore::new();
        let people = Client::for_person(endpoint.url(), CLIENT_ID)
            .store(store.clone())
            .cache_capacity(capacity as u64)
            .build()?;
        Ok(Self {
            people,
            store,
            runtime: Builder::new_current_thread().enable_all().build()?,
            endpoint: endpoint.clone(),
        })
    }

    /// Signs one person in, and writes the same record for so many: each has a token for each API in it.
    pub(super) fn plant(&self, count: usize) -> Result<()> {
        self.sign_in(PATTERN)?;
        let client = self.client(PATTERN);
        self.runtime.block_on(async {
            for api in 0..APIS {
                client.get_access_token(audience(api)).await?;
            }
            self.people.close().await?;
            let record = self.store.load(&self.key(PATTERN)).await?;
            let record = record.context("the sign-in left no record")?;
            let record = String::from_utf8(record.as_bytes().to_vec())?;
            for person in (0..count).map(name) {
                let record = SessionRecord::from_bytes(record.replace(PATTERN, &person));
                let saved = self.store.save(&self.key(&person), &record, None).await?;
                ensure!(saved == Saved::Saved, "{person} is there already");
            }
            Ok(())
        })
    }

    fn key(&self, name: &str) -> SessionKey {
        SessionKey::new(self.endpoint.url(), CLIENT_ID, name)
    }

    /// The client of one person's session, to be kept.
    pub(super) fn client(&self, name: &str) -> Client {
        self.people.session(name).client().clone()
    }

    /// Makes a slot for one person and API, with nothing in it.
    pub(super) fn hold(&self, name: &str, api: usize) -> AudienceHandle {
        self.client(name).audience(audience(api))
    }

    /// One call of one person, whose session is found by its name.
    pub(super) fn call(&self, name: &str, api: usize) -> bool {
        let session = self.people.session(name);
        let token = session.client().get_access_token(audience(api));
        self.runtime.block_on(token).is_ok()
    }

    /// The token that is cached for one person, whose session is found by its name.
    pub(super) fn is_cached(&self, name: &str, api: usize) -> bool {
        let session = self.people.session(name);
        session.client().current(audience(api)).is_some()
    }

    /// The whole way of a person through their browser and back.
    pub(super) fn sign_in(&self, name: &str) -> Result<()> {
        let session = self.people.session(name);
        let login = (0..APIS).fold(AuthorizationCode::redirect_to(CALLBACK), |login, api| {
            login.request(audience(api))
        });
        self.runtime.block_on(async {
            let (url, pending) = session.begin_sign_in(login).await?;
            let state = url.query_pairs().find(|(name, _)| name == "state");
            let (_, state) = state.context("the URL has no state")?;
            let callback = format!("{CALLBACK}?code=a-code&state={state}");
            session.finish_sign_in(&pending, &callback).await?;
            Ok(())
        })
    }

    pub(super) fn sign_out(&self, name: &str) -> Result<()> {
        let session = self.people.session(name);
        self.runtime.block_on(session.sign_out())?;
        Ok(())
    }

    /// How long the text of a person's tokens is.
    pub(super) fn token_length(&self, name: &str) -> Result<usize> {
        let token = self.client(name).current(audience(0));
        Ok(token.context("there is no token")?.secret().len())
    }

    pub(super) fn flights(&self) -> u64 {
        self.people.stats().flights
    }

    pub(super) fn slots(&self) -> usize {
        self.people.stats().slots
    }
}

/// As long as the name of a person.
const PATTERN: &str = "pattern-of-all-people-00000000000";
