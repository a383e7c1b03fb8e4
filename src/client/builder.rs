//! [`ClientBuilder`]: every setting with its default and the reason for it.

mod build;
mod endpoints;
mod secret;

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use super::{
    Client, DEFAULT_CACHE_CAPACITY, DEFAULT_FLIGHT_TIMEOUT, DEFAULT_RETRIES, DEFAULT_STORE_TIMEOUT,
    DEFAULT_WAIT_TIMEOUT, People,
};
use crate::{
    cache::RefreshAhead,
    dialect::{AudienceRule, Dialect},
    endpoint::{
        CONNECT_TIMEOUT, ClientAuthentication, Connections, HttpSettings, Proxy, REQUEST_TIMEOUT,
        SecretSource, without_credentials,
    },
    flow::BoxedFlow,
    scope::Audience,
    store::{BoxedStore, SessionStore},
    time::{Clock, TimeSource},
};

/// Settings of a [`Client`], or of [`People`], each with a default that fits the platform.
///
/// Setters never fail; `build` checks everything at once, sends nothing and needs no runtime. `Built` is
/// what it yields: a [`Client`] from [`Client::for_application`] and [`Client::builder`], and [`People`]
/// from [`Client::for_person`], whose builder alone has [`store`](ClientBuilder::store).
///
/// # Examples
///
/// ```
/// use intelliauth::Client;
///
/// let error = Client::for_application("http://tenant.example", "app_1")
///     .client_secret("not-a-real-one")
///     .build()
///     .unwrap_err();
/// assert_eq!(error.field(), "issuer");
/// assert!(error.to_string().contains("use https"));
/// ```
#[must_use = "a builder does nothing before `build`"]
pub struct ClientBuilder<Built = Client> {
    issuer: String,
    client_id: String,
    client_secret: SecretSource,
    /// Nothing for people, whose tokens come from their sessions.
    flow: Option<Arc<dyn BoxedFlow>>,
    /// Nothing for an application.
    store: Option<Arc<dyn BoxedStore>>,
    store_timeout: Duration,
    /// By their names in the metadata.
    endpoints: Vec<(&'static str, String)>,
    authentication: Option<ClientAuthentication>,
    dialect: Dialect,
    audiences: AudienceRule,
    refresh_ahead: RefreshAhead,
    cache_capacity: u64,
    flight_timeout: Duration,
    wait_timeout: Duration,
    retries: u32,
    http: HttpSettings,
    connections: Connections,
    clock: TimeSource,
    names: FieldNames,
    built: PhantomData<fn() -> Built>,
}

/// What the caller calls the fields, for errors.
struct FieldNames {
    issuer: &'static str,
    client_id: &'static str,
    client_secret: &'static str,
}

impl ClientBuilder<People> {
    /// Where people's sessions are kept; [`MemoryStore`](crate::MemoryStore) by default, so that they
    /// end with the program.
    pub fn store(mut self, store: impl SessionStore) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// How long one call into the store may take; [`DEFAULT_STORE_TIMEOUT`] by default.
    ///
    /// A store that takes longer costs its own session an error, and no other.
    pub fn store_timeout(mut self, timeout: Duration) -> Self {
        self.store_timeout = timeout;
        self
    }
}

impl<Built> ClientBuilder<Built> {
    pub(super) fn new(issuer: String, client_id: String, flow: Option<Arc<dyn BoxedFlow>>) -> Self {
        Self {
            issuer,
            client_id,
            client_secret: SecretSource::None,
            flow,
            store: None,
            store_timeout: DEFAULT_STORE_TIMEOUT,
            endpoints: Vec::new(),
            authentication: None,
            dialect: Dialect::intelliauth(),
            audiences: AudienceRule::default(),
            refresh_ahead: RefreshAhead::Background,
            cache_capacity: DEFAULT_CACHE_CAPACITY,
            flight_timeout: DEFAULT_FLIGHT_TIMEOUT,
            wait_timeout: DEFAULT_WAIT_TIMEOUT,
            retries: DEFAULT_RETRIES,
            http: HttpSettings {
                connect_timeout: CONNECT_TIMEOUT,
                request_timeout: REQUEST_TIMEOUT,
                proxy: Proxy::System,
                root_certificates: Vec::new(),
            },
            connections: Connections::new(),
            clock: TimeSource::default(),
            names: FieldNames {
                issuer: "issuer",
                client_id: "client_id",
                client_secret: "client_secret",
            },
            built: PhantomData,
        }
    }

    /// How the client authenticates; by default the issuer's metadata decides.
    pub fn client_authentication(mut self, method: ClientAuthentication) -> Self {
        self.authentication = Some(method);
        self
    }

    /// How this issuer speaks OAuth; [`Dialect::intelliauth`] by default.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Says that the issuer names `audience` otherwise in the token's `aud` claim.
    pub fn expect_audience(
        mut self,
        audience: impl Into<Audience>,
        in_token: impl Into<Audience>,
    ) -> Self {
        self.audiences.rename(audience.into(), in_token.into());
        self
    }

    /// Takes tokens whatever their `aud` claim names.
    ///
    /// Then a wrong parameter name, or an issuer that ignores it, goes unnoticed until an API refuses
    /// the token, or worse, accepts one that was meant for another.
    pub fn danger_skip_audience_check(mut self) -> Self {
        self.audiences.skip();
        self
    }

    /// When tokens are refreshed; [`RefreshAhead::Background`] by default.
    pub fn refresh_ahead(mut self, mode: RefreshAhead) -> Self {
        self.refresh_ahead = mode;
        self
    }

    /// How many pairs of session and audience are kept; [`DEFAULT_CACHE_CAPACITY`] by default.
    pub fn cache_capacity(mut self, slots: u64) -> Self {
        self.cache_capacity = slots;
        self
    }

    /// How long one flight may take; [`DEFAULT_FLIGHT_TIMEOUT`] by default.
    pub fn flight_timeout(mut self, timeout: Duration) -> Self {
        self.flight_timeout = timeout;
        self
    }

    /// How long a caller waits; [`DEFAULT_WAIT_TIMEOUT`] by default, and each request can say otherwise.
    pub fn wait_timeout(mut self, timeout: Duration) -> Self {
        self.wait_timeout = timeout;
        self
    }

    /// How long one HTTP request may take, connecting included; 15 s by default.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.http.request_timeout = timeout;
        self
    }

    /// How long connecting may take; 5 s by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.http.connect_timeout = timeout;
        self
    }

    /// How often a failed request is tried again; [`DEFAULT_RETRIES`] by default.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Sends requests through a proxy (`http://host:port`) instead of the one the system names.
    ///
    /// An issuer on this machine is always reached directly.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.http.proxy = Proxy::Url(url.into());
        self
    }

    /// Sends requests directly, whatever proxy the system names.
    pub fn no_proxy(mut self) -> Self {
        self.http.proxy = Proxy::None;
        self
    }

    /// Trusts the certificates in `pem` as well as the system's.
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.http.root_certificates.push(pem.into());
        self
    }

    /// The connections to use, with other clients; its own by default.
    pub fn connections(mut self, connections: &Connections) -> Self {
        self.connections = connections.clone();
        self
    }

    /// The clock that is asked; the machine's by default.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = TimeSource::Other(Arc::new(clock));
        self
    }

    pub(super) fn name_fields(
        &mut self,
        issuer: &'static str,
        client_id: &'static str,
        client_secret: &'static str,
    ) {
        self.names = FieldNames {
            issuer,
            client_id,
            client_secret,
        };
    }
}

impl<Built> fmt::Debug for ClientBuilder<Built> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("issuer", &without_credentials(&self.issuer))
            .field("client_id", &self.client_id)
            .field("flow", &self.flow)
            .finish_non_exhaustive()
    }
}
