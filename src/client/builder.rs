//! [`ClientBuilder`]: every setting with its default and the reason for it.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use url::Url;

use super::Client;
use crate::{
    cache::{AudienceRule, CacheSettings, RefreshAhead, TokenCache},
    dialect::Dialect,
    endpoint::{
        CONNECT_TIMEOUT, ClientAuthentication, Endpoint, EndpointSettings, GivenEndpoints,
        HttpSettings, Issuer, Proxy, REQUEST_TIMEOUT, Transport, is_allowed_endpoint,
        without_credentials,
    },
    flow::BoxedFlow,
    request::Principal,
    scope::Audience,
    secret::Secret,
    time::{Clock, TimeSource},
};

/// A flight, with discovery and retries, ends after this: 20 s.
///
/// Longer than one request may take (15 s), so that a slow answer still counts; short enough that a
/// dead issuer is noticed before most callers have given up.
pub const DEFAULT_FLIGHT_TIMEOUT: Duration = Duration::from_secs(20);

/// A caller waits for a token at most this long: 30 s.
pub const DEFAULT_WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// A failed request is tried again at most twice within its flight, after about 200 and 400 ms.
///
/// As the platform's own SDKs do. Refusals and requests for patience are never tried again, and a
/// background refresh is not either: its next try comes soon enough.
pub const DEFAULT_RETRIES: u32 = 2;

/// This many pairs of session and audience are kept: 10,000.
///
/// About 25 MB with tokens of 1 KB. What was not used for longest makes room.
pub const DEFAULT_CACHE_CAPACITY: u64 = 10_000;

/// Settings of a [`Client`], each with a default that fits the platform.
///
/// Setters never fail; [`build`](Self::build) checks everything at once, sends nothing and needs no
/// runtime.
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
pub struct ClientBuilder {
    issuer: String,
    client_id: String,
    client_secret: Option<Secret>,
    flow: Arc<dyn BoxedFlow>,
    token_endpoint: Option<String>,
    authentication: Option<ClientAuthentication>,
    dialect: Dialect,
    audiences: AudienceRule,
    refresh_ahead: RefreshAhead,
    cache_capacity: u64,
    flight_timeout: Duration,
    wait_timeout: Duration,
    retries: u32,
    http: HttpSettings,
    clock: TimeSource,
    names: FieldNames,
}

/// What the caller calls the fields, for errors.
struct FieldNames {
    issuer: &'static str,
    client_id: &'static str,
    client_secret: &'static str,
}

impl ClientBuilder {
    pub(super) fn new(issuer: String, client_id: String, flow: Arc<dyn BoxedFlow>) -> Self {
        Self {
            issuer,
            client_id,
            client_secret: None,
            flow,
            token_endpoint: None,
            authentication: None,
            dialect: Dialect::intelliauth(),
            audiences: AudienceRule {
                expected: HashMap::new(),
                is_skipped: false,
            },
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
            clock: TimeSource::default(),
            names: FieldNames {
                issuer: "issuer",
                client_id: "client_id",
                client_secret: "client_secret",
            },
        }
    }

    /// The application's secret. Without one it is a public client, which only names itself.
    pub fn client_secret(mut self, secret: impl Into<Secret>) -> Self {
        self.client_secret = Some(secret.into());
        self
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

    /// The token endpoint's URL, used as it is: then nothing is discovered.
    pub fn token_endpoint(mut self, url: impl Into<String>) -> Self {
        self.token_endpoint = Some(url.into());
        self
    }

    /// Says that the issuer names `audience` otherwise in the token's `aud` claim.
    pub fn expect_audience(
        mut self,
        audience: impl Into<Audience>,
        in_token: impl Into<Audience>,
    ) -> Self {
        self.audiences
            .expected
            .insert(audience.into(), in_token.into());
        self
    }

    /// Takes tokens whatever their `aud` claim names.
    ///
    /// Then a wrong parameter name, or an issuer that ignores it, goes unnoticed until an API refuses
    /// the token, or worse, accepts one that was meant for another.
    pub fn danger_skip_audience_check(mut self) -> Self {
        self.audiences.is_skipped = true;
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

    /// The clock that is asked; the machine's by default.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = TimeSource::Other(Arc::new(clock));
        self
    }

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
        let endpoint = Endpoint::new(
            transport,
            EndpointSettings {
                issuer,
                given,
                client_id: self.client_id,
                client_secret: self.client_secret,
                authentication: self.authentication,
                dialect: self.dialect,
                retries: self.retries,
                clock: self.clock.clone(),
            },
        );
        let settings = CacheSettings {
            capacity: self.cache_capacity,
            refresh_ahead: self.refresh_ahead,
            flight_timeout: self.flight_timeout,
            wait_timeout: self.wait_timeout,
            audiences: self.audiences,
            clock: self.clock,
        };
        let cache = TokenCache::new(settings, endpoint, self.flow);
        Ok(Client {
            cache,
            principal: Principal::Application,
        })
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

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("issuer", &without_credentials(&self.issuer))
            .field("client_id", &self.client_id)
            .field("flow", &self.flow)
            .finish_non_exhaustive()
    }
}

/// A setting that cannot work, and the fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError {
    field: &'static str,
    problem: String,
    fix: &'static str,
}

impl BuildError {
    pub(super) fn new(field: &'static str, problem: impl Into<String>, fix: &'static str) -> Self {
        Self {
            field,
            problem: problem.into(),
            fix,
        }
    }

    /// The setting, by the name of its setter or environment variable.
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// What to do about it.
    pub fn fix(&self) -> &'static str {
        self.fix
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.field, self.problem, self.fix)
    }
}

impl std::error::Error for BuildError {}
