//! From settings to a client: what is checked, and what is said about it.

use std::sync::Arc;

use super::ClientBuilder;
use crate::{
    cache::{CacheSettings, TokenCache},
    client::{BuildError, Client, People},
    endpoint::{ClientAuthentication, Endpoint, EndpointSettings, Issuer, Transport},
    flow::{ClientCredentials, RefreshToken},
    session::{Machine, Principal, SessionSettings, Sessions, issuer_of},
    store::MemoryStore,
};

impl ClientBuilder<Client> {
    /// Builds the client. Nothing is sent.
    ///
    /// # Errors
    ///
    /// [`BuildError`], which names the first setting that is wrong, and the fix.
    pub fn build(mut self) -> Result<Client, BuildError> {
        let flow = self.flow.take();
        let (settings, endpoint) = self.parts()?;
        let flow = flow.unwrap_or_else(|| Arc::new(ClientCredentials::new()));
        Ok(Client {
            cache: TokenCache::new(settings, endpoint, flow, None),
            principal: Principal::Application,
        })
    }
}

impl ClientBuilder<People> {
    /// Builds what the sessions of people come from. Nothing is sent, and no store is touched.
    ///
    /// # Errors
    ///
    /// [`BuildError`], which names the first setting that is wrong, and the fix.
    pub fn build(mut self) -> Result<People, BuildError> {
        let (store, store_timeout) = (self.store.take(), self.store_timeout);
        let (settings, endpoint) = self.parts()?;
        let store = store.unwrap_or_else(|| Arc::new(MemoryStore::new()));
        let sessions = Sessions::new(SessionSettings {
            issuer: endpoint.issuer().to_owned(),
            client_id: endpoint.client_id().to_owned(),
            store,
            store_timeout,
            environment: Arc::new(Machine::new(settings.clock.clone())),
            issuer_calls: issuer_of(&endpoint),
        });
        let flow = Arc::new(RefreshToken::new(Arc::clone(&sessions)));
        let cache = TokenCache::new(settings, endpoint, flow, Some(Arc::clone(&sessions)));
        Ok(People { cache, sessions })
    }
}

impl<Built> ClientBuilder<Built> {
    /// What every client is made of, once all settings were checked.
    fn parts(self) -> Result<(CacheSettings, Arc<Endpoint>), BuildError> {
        let names = &self.names;
        let issuer = Issuer::new(&self.issuer)
            .map_err(|(problem, fix)| BuildError::new(names.issuer, problem, fix))?;
        self.check()?;
        let given = self.given_endpoints(&issuer)?;
        let transport = Transport::new(&issuer, &self.http, &self.connections, self.clock.clone())
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
                flight_timeout: self.flight_timeout,
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
        Ok((settings, endpoint))
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
        if self.client_secret.is_empty() {
            let fix = "pass the application's secret, or none at all for a public client";
            return wrong(names.client_secret, "it is empty", fix);
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
            ("store_timeout", self.store_timeout),
            ("request_timeout", self.http.request_timeout),
            ("connect_timeout", self.http.connect_timeout),
        ];
        match times.into_iter().find(|(_, time)| time.is_zero()) {
            Some((field, _)) => wrong(field, "it is zero", "allow it some time"),
            None => Ok(()),
        }
    }
}
