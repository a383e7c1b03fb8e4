//! From settings to a client: what is checked, and what is said about it.

use std::sync::Arc;

use url::Url;

use super::ClientBuilder;
use crate::{
    cache::{CacheSettings, TokenCache},
    client::{BuildError, Client, DEFAULT_SESSION},
    endpoint::{
        ClientAuthentication, Endpoint, EndpointSettings, GivenEndpoints, Issuer, Transport,
        is_allowed_endpoint, without_credentials,
    },
    flow::{BoxedFlow, RefreshToken, Sessions},
    request::Principal,
    secret::Secret,
    store::{BoxedStore, MemoryStore},
    time::TimeSource,
};

impl ClientBuilder {
    /// Builds the client. Nothing is sent.
    ///
    /// # Errors
    ///
    /// [`BuildError`], which names the first setting that is wrong, and the fix.
    pub fn build(self) -> Result<Client, BuildError> {
        let names = &self.names;
        let issuer = Issuer::new(&self.issuer)
            .map_err(|(problem, fix)| BuildError::new(names.issuer, problem, fix))?;
        self.check()?;
        let given = self.given_endpoints(&issuer)?;
        let transport = Transport::new(&issuer, &self.http, self.clock.clone())
            .map_err(|(field, problem, fix)| BuildError::new(field, problem, fix))?;
        let endpoint = Arc::new(Endpoint::new(
            transport,
            EndpointSettings {
                issuer,
                given,
                client_id: self.client_id,
                client_secret: self.client_secret,
                authentication: self.authentication,
                dialect: self.dialect,
                audiences: self.audiences,
                retries: self.retries,
                clock: self.clock.clone(),
            },
        ));
        let settings = CacheSettings {
            capacity: self.cache_capacity,
            refresh_ahead: self.refresh_ahead,
            flight_timeout: self.flight_timeout,
            wait_timeout: self.wait_timeout,
            clock: self.clock,
        };
        let (flow, sessions) = match self.flow {
            Some(flow) => (flow, None),
            None => people(&endpoint, self.store, settings.clock.clone()),
        };
        let principal = match &sessions {
            Some(_) => Principal::Session(DEFAULT_SESSION.into()),
            None => Principal::Application,
        };
        let cache = TokenCache::new(settings, endpoint, flow, sessions);
        Ok(Client { cache, principal })
    }

    fn check(&self) -> Result<(), BuildError> {
        let names = &self.names;
        let wrong = |field, problem: &str, fix| Err(BuildError::new(field, problem, fix));
        if self.client_id.is_empty() {
            return wrong(
                names.client_id,
                "it is empty",
                "pass the application's client id",
            );
        }
        if self.client_secret.as_ref().is_some_and(Secret::is_empty) {
            let fix = "pass the application's secret, or none at all for a public client";
            return wrong(names.client_secret, "it is empty", fix);
        }
        if self.flow.is_some() && self.store.is_some() {
            let fix = "start with Client::for_person, or leave the store out";
            return wrong("store", "only a client of people has sessions", fix);
        }
        let needs_secret = self
            .authentication
            .is_some_and(|method| method != ClientAuthentication::None);
        if needs_secret && self.client_secret.is_none() {
            let fix = "set client_secret, or choose ClientAuthentication::None";
            return wrong(
                "client_authentication",
                "it needs a secret, and there is none",
                fix,
            );
        }
        if self.cache_capacity == 0 {
            let fix = "keep at least one slot: a client that caches nothing is a client that is throttled";
            return wrong("cache_capacity", "it is zero", fix);
        }
        let times = [
            ("flight_timeout", self.flight_timeout),
            ("wait_timeout", self.wait_timeout),
            ("request_timeout", self.http.request_timeout),
            ("connect_timeout", self.http.connect_timeout),
        ];
        match times.into_iter().find(|(_, time)| time.is_zero()) {
            Some((field, _)) => wrong(field, "it is zero", "allow it some time"),
            None => Ok(()),
        }
    }

    fn given_endpoints(&self, issuer: &Issuer) -> Result<Option<GivenEndpoints>, BuildError> {
        let field = "token_endpoint";
        let Some(text) = &self.token_endpoint else {
            return Ok(None);
        };
        let shown = without_credentials(text);
        let token_endpoint = Url::parse(text).map_err(|error| {
            BuildError::new(
                field,
                format!("{shown:?} is no URL ({error})"),
                "write the whole URL",
            )
        })?;
        if !is_allowed_endpoint(issuer, &token_endpoint) {
            let fix = "use https; plain http is for an issuer and an endpoint on this machine";
            return Err(BuildError::new(
                field,
                format!("{shown:?} is not encrypted"),
                fix,
            ));
        }
        Ok(Some(GivenEndpoints { token_endpoint }))
    }
}

/// Where people's tokens come from: their sessions, in a store.
fn people(
    endpoint: &Endpoint,
    store: Option<Arc<dyn BoxedStore>>,
    clock: TimeSource,
) -> (Arc<dyn BoxedFlow>, Option<Arc<Sessions>>) {
    let store = store.unwrap_or_else(|| Arc::new(MemoryStore::new()));
    let (issuer, client_id) = (endpoint.issuer(), endpoint.client_id());
    let sessions = Sessions::new(issuer.to_owned(), client_id.to_owned(), store, clock);
    let flow = RefreshToken::new(Arc::clone(&sessions));
    (Arc::new(flow), Some(sessions))
}
