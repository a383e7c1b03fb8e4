//! [`VerifierBuilder`]: every setting with its default.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    metadata::ResourceMetadata,
    rules::Rules,
    verified_tokens::VerifiedTokens,
    verifier::{Parts, Verifier},
};
use crate::{
    endpoint::keys::{Connections, HttpSettings, KeySource, Proxy},
    jwt::{Algorithm, Headers},
    time::{Clock, TimeSource},
};

/// Settings of a [`Verifier`].
#[must_use]
pub struct VerifierBuilder {
    rules: Rules,
    resource: Option<String>,
    remembered: usize,
    http: HttpSettings,
    connections: Connections,
    clock: TimeSource,
}

impl VerifierBuilder {
    pub(super) fn new(issuer: String, audience: String) -> Self {
        Self {
            rules: Rules {
                issuer,
                audience,
                algorithms: vec![Algorithm::Rs256],
                is_profile_strict: false,
                takes_scope_arrays: false,
                takes_scp: false,
            },
            resource: None,
            remembered: REMEMBERED,
            http: HttpSettings {
                connect_timeout: Duration::from_secs(5),
                request_timeout: Duration::from_secs(10),
                proxy: Proxy::System,
                root_certificates: Vec::new(),
            },
            connections: Connections::new(),
            clock: TimeSource::default(),
        }
    }

    /// The algorithms that are accepted; RS256 alone by default, which is what the platform signs with.
    ///
    /// A token's own choice counts only if it is on this list and fits the key.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.rules.algorithms = algorithms.into_iter().collect();
        self
    }

    /// The API's own URL as its callers write it (RFC 9728 section 1.2); by default the API does not describe
    /// itself.
    ///
    /// Then a router publishes [`ResourceMetadata`], and challenges say where that is. Clients that go by it ask
    /// the issuer for a token for this URL (RFC 8707): it is the audience too, unless the issuer knows the API by
    /// another name.
    pub fn resource(mut self, url: impl Into<String>) -> Self {
        self.resource = Some(url.into());
        self
    }

    /// Requires all that RFC 9068 does: `typ` must be `at+jwt`, and `sub`, `client_id`, `iat` and
    /// `jti` must be there.
    pub fn strict_profile(mut self) -> Self {
        self.rules.is_profile_strict = true;
        self
    }

    /// Takes scopes as an array of texts too, as some issuers write them.
    pub fn scope_arrays(mut self) -> Self {
        self.rules.takes_scope_arrays = true;
        self
    }

    /// Takes scopes from the claim `scp` too, as some issuers call it.
    pub fn scp_claim(mut self) -> Self {
        self.rules.takes_scp = true;
        self
    }

    /// How many verified tokens are remembered; about 4,096 by default, none with zero.
    ///
    /// A remembered token is compared as a whole. It is verified again when the issuer's keys change.
    pub fn remembered_tokens(mut self, capacity: usize) -> Self {
        self.remembered = capacity;
        self
    }

    /// Sends requests to the issuer through this proxy, written as `http://host:port`.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.http.proxy = Proxy::Url(url.into());
        self
    }

    /// Uses no proxy, whatever the system's settings say.
    pub fn no_proxy(mut self) -> Self {
        self.http.proxy = Proxy::None;
        self
    }

    /// Trusts the certificates in this PEM file too, for an issuer with a private authority.
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.http.root_certificates.push(pem.into());
        self
    }

    /// What to share a set-up of TLS with: other verifiers, and clients; nothing by default. A verifier
    /// keeps no connection.
    pub fn connections(mut self, connections: &Connections) -> Self {
        self.connections = connections.clone();
        self
    }

    /// The clock to ask; the machine's by default.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = TimeSource::Other(Arc::new(clock));
        self
    }

    /// Builds the verifier. Nothing is sent: an API starts while its issuer is down.
    ///
    /// # Errors
    ///
    /// [`SetupError`], which names the first setting that is wrong, and the fix.
    pub fn build(self) -> Result<Verifier, SetupError> {
        let wrong = |(field, problem, fix)| SetupError {
            field,
            problem,
            fix,
        };
        if self.rules.audience.is_empty() {
            let fix = "pass the API's own name, which its tokens must have in `aud`";
            return Err(wrong(("audience", "it is empty".to_owned(), fix)));
        }
        if self.rules.algorithms.is_empty() {
            let fix = "allow at least one, or leave the default";
            return Err(wrong(("algorithms", "the list is empty".to_owned(), fix)));
        }
        let resource = self.resource.as_deref();
        let metadata = resource.map(|url| ResourceMetadata::new(url, &self.rules.issuer));
        let metadata = metadata
            .transpose()
            .map_err(|(problem, fix)| wrong(("resource", problem, fix)))?;
        let keys = KeySource::new(
            &self.rules.issuer,
            &self.http,
            &self.connections,
            self.clock.clone(),
        );
        Ok(Verifier::new(Parts {
            keys: keys.map_err(wrong)?,
            rules: self.rules,
            metadata,
            headers: Headers::default(),
            verified_tokens: VerifiedTokens::new(self.remembered.min(REMEMBERED_MAX)),
            clock: self.clock,
        }))
    }
}

impl fmt::Debug for VerifierBuilder {
    /// Without issuer and proxy, whose URLs may have a password by mistake.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifierBuilder")
            .field("audience", &self.rules.audience)
            .field("algorithms", &self.rules.algorithms)
            .field("remembered", &self.remembered)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

/// A setting that cannot work, and the fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupError {
    field: &'static str,
    problem: String,
    fix: &'static str,
}

impl SetupError {
    /// The setting, by the name of its setter.
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// What to do about it.
    pub fn fix(&self) -> &'static str {
        self.fix
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.field, self.problem, self.fix)
    }
}

impl std::error::Error for SetupError {}

/// Enough for the callers of one API within a token's life; 4 MiB with tokens of a kilobyte.
const REMEMBERED: usize = 4096;

/// More would cost more memory than verifying costs time.
const REMEMBERED_MAX: usize = 1 << 20;
