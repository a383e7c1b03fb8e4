//! The issuer's endpoints: authenticate the client, post, retry what is safe, classify the answer.
//!
//! `reqwest` and `oauth2` appear in this room and nowhere above it.

mod authorization_endpoint;
mod client_authentication;
mod device;
mod discovery;
mod flight;
mod flight_runtime;
mod grant;
mod issuer;
pub(crate) mod keys;
mod post;
mod resource;
mod retry;
mod revoke;
mod secret_source;
mod transport;
mod userinfo;
mod wire;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

pub use client_authentication::ClientAuthentication;
pub(crate) use device::DeviceAuthorization;
pub(crate) use discovery::GivenEndpoints;
pub(crate) use flight_runtime::FlightRuntime;
pub(crate) use grant::{Grant, GrantKind};
pub(crate) use issuer::{Issuer, is_allowed_endpoint, without_credentials};
pub use resource::{ProtectedResource, ResourceDiscovery, discover};
pub(crate) use retry::Replay;
pub use revoke::Revocation;
pub(crate) use secret_source::SecretSource;
pub use transport::Connections;
pub(crate) use transport::{HttpSettings, Proxy, Transport};
pub(crate) use wire::LIFETIME_MAX;

use crate::{
    dialect::{AudienceRule, Dialect, TokenFamily},
    error::{DeniedReason, Error, IssuerAnswer},
    scope::Scopes,
    secret::Secret,
    time::{Moment, TimeSource},
    token::{Source, TokenResponse},
};
use client_authentication::Credentials;
use discovery::{Discovery, Member, Metadata, Reading};
use keys::KeySource;
use post::Post;
use retry::RetryPolicy;

/// The way from a flow to the issuer: discovery, client authentication, requests and retries.
#[derive(Debug)]
pub(crate) struct Endpoint {
    transport: Transport,
    discovery: Arc<Discovery>,
    keys: KeySource,
    credentials: Credentials,
    dialect: Dialect,
    audiences: AudienceRule,
    retries: RetryPolicy,
    clock: TimeSource,
}

/// What the builder knows about the issuer and this client.
#[derive(Debug)]
pub(crate) struct EndpointSettings {
    pub(crate) issuer: Issuer,
    pub(crate) given: Option<GivenEndpoints>,
    pub(crate) client_id: String,
    pub(crate) client_secret: SecretSource,
    pub(crate) authentication: Option<ClientAuthentication>,
    pub(crate) dialect: Dialect,
    pub(crate) audiences: AudienceRule,
    pub(crate) retries: u32,
    /// How long the metadata may be read.
    pub(crate) flight_timeout: Duration,
    pub(crate) clock: TimeSource,
}

/// A usable answer, and the instant before the request for it was sent.
pub(crate) struct TokenReply {
    pub(crate) access_token: Secret,
    pub(crate) lifetime: Option<Duration>,
    /// What was granted, where the issuer said so.
    pub(crate) scopes: Option<Scopes>,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) id_token: Option<Secret>,
    pub(crate) requested_at: Moment,
}

impl From<TokenReply> for TokenResponse {
    fn from(reply: TokenReply) -> Self {
        Self {
            access_token: reply.access_token,
            lifetime: reply.lifetime,
            scopes: reply.scopes,
            requested_at: Some(reply.requested_at),
            resets: false,
            came_from: Source::Issuer,
        }
    }
}

impl Endpoint {
    pub(crate) fn new(transport: Transport, settings: EndpointSettings) -> Self {
        let retries = RetryPolicy::new(settings.retries);
        let clock = &settings.clock;
        let limit = settings.flight_timeout;
        let discovery = Discovery::new(settings.issuer, settings.given, limit, clock.clone());
        let discovery = Arc::new(discovery);
        let keys = KeySource::through(Arc::clone(&discovery), &transport, clock.clone());
        Self {
            keys,
            discovery,
            transport,
            credentials: Credentials {
                client_id: settings.client_id,
                secret: settings.client_secret,
                configured: settings.authentication,
                raw_basic: settings.dialect.raw_basic,
            },
            dialect: settings.dialect,
            audiences: settings.audiences,
            retries,
            clock: settings.clock,
        }
    }

    pub(crate) fn issuer(&self) -> &str {
        self.discovery.issuer()
    }

    pub(crate) fn client_id(&self) -> &str {
        &self.credentials.client_id
    }

    /// Makes a token request; once more if the endpoint has moved since it was discovered.
    pub(crate) async fn token(&self, grant: &Grant<'_>) -> Result<TokenReply, Error> {
        let outcome = self.try_token(grant).await;
        outcome.map_err(|error| self.explained(error, grant))
    }

    /// What an error means for this grant at this issuer.
    fn explained(&self, error: Error, grant: &Grant<'_>) -> Error {
        let is_one_family = self.dialect.token_family == TokenFamily::One;
        match (error, &grant.kind) {
            // A refresh asks for nothing beyond the person's consent, so the family lacks the audience.
            (Error::Denied(denied), GrantKind::RefreshToken { .. })
                if is_one_family && denied.reason() == DeniedReason::AudienceNotAllowed =>
            {
                Error::Denied(denied.because(DeniedReason::AudienceNotInFamily))
            }
            (error, _) => error.of_issuer(self.issuer()),
        }
    }

    async fn try_token(&self, grant: &Grant<'_>) -> Result<TokenReply, Error> {
        let (transport, how) = (&self.transport, self.reading(grant));
        let metadata = self
            .discovery
            .metadata(transport, how, Member::Token)
            .await?;
        let mut outcome = self.request(grant, &metadata).await;
        if let Err(error) = &outcome
            && is_gone(error)
            && let Some(newer) = self.discovery.replace(transport, how, &metadata).await?
        {
            outcome = self.request(grant, &newer).await;
        }
        tracing::debug!(
            audience = %grant.target.asked.audience,
            scopes = %grant.target.asked.scopes,
            outcome = outcome.as_ref().map_or_else(Error::kind, |_| "token"),
            "token request answered"
        );
        outcome
    }

    /// Reads the metadata if it is not known, so that what fails later was sent to the token endpoint.
    pub(crate) async fn ensure_discovered(&self, in_background: bool) -> Result<(), Error> {
        let how = self.unforced(in_background);
        let metadata = self.discovery.metadata(&self.transport, how, Member::Token);
        let discovered = metadata.await.map(|_| ());
        discovered.map_err(|error| error.of_issuer(self.issuer()))
    }

    /// Asks whether the issuer answers at this moment, over a new connection.
    pub(crate) async fn probe(&self) -> Result<(), Error> {
        self.discovery.probe(&self.transport).await
    }

    fn unforced(&self, in_background: bool) -> Reading {
        let policy = if in_background {
            RetryPolicy::NEVER
        } else {
            self.retries
        };
        Reading {
            policy,
            is_forced: false,
        }
    }

    /// The issuer's public keys.
    pub(crate) fn keys(&self) -> &KeySource {
        &self.keys
    }

    pub(crate) fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// What tokens have to name as their audience.
    pub(crate) fn audiences(&self) -> &AudienceRule {
        &self.audiences
    }

    fn reading(&self, grant: &Grant<'_>) -> Reading {
        Reading {
            policy: self.policy(grant),
            is_forced: grant.urgency.is_forced,
        }
    }

    /// How often the requests for `grant` are tried: a background refresh and a poll once, since their
    /// next try comes soon.
    fn policy(&self, grant: &Grant<'_>) -> RetryPolicy {
        // A poll is repeated by its loop; and a redemption holds the session's lock, which must not be
        // held over a pause.
        let is_single = matches!(
            grant.kind,
            GrantKind::DeviceCode { .. } | GrantKind::RefreshToken { .. }
        );
        if grant.urgency.in_background || is_single {
            RetryPolicy::NEVER
        } else {
            self.retries
        }
    }

    /// Sends the request; once more if there is a newer secret than the one that was refused.
    async fn request(&self, grant: &Grant<'_>, metadata: &Metadata) -> Result<TokenReply, Error> {
        let secret = self.credentials.secret.current().await?;
        let outcome = self.request_with(grant, metadata, secret.as_deref()).await;
        match &outcome {
            Err(error) if is_unknown_client(error) => {
                match self.credentials.secret.newer(secret.as_ref()).await {
                    Some(newer) => self.request_with(grant, metadata, Some(&newer)).await,
                    None => outcome,
                }
            }
            _ => outcome,
        }
    }

    async fn request_with(
        &self,
        grant: &Grant<'_>,
        metadata: &Metadata,
        secret: Option<&Secret>,
    ) -> Result<TokenReply, Error> {
        let method = self.credentials.method(metadata)?;
        let post = Post {
            endpoint: self,
            grant,
            method,
            secret,
            sent: Mutex::new(None),
        };
        let reply = grant::reply(&post, metadata).await?;
        Ok(wire::token_reply(&reply, post.sent_at()))
    }

    fn extra_parameters<'a>(
        &self,
        grant: &'a Grant<'_>,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let names = self.dialect.audience_parameter.names();
        // A sign-in that names no API has none to send.
        let is_named = !grant.target.asked.audience.as_str().is_empty();
        let audience = names
            .iter()
            .filter(move |_| is_named)
            .map(|name| (*name, grant.target.asked.audience.as_str()));
        audience.chain(grant.target.parameters.iter())
    }
}

/// Whether the issuer has refused the client's credentials, before it looked at anything else (RFC 6749
/// section 5.2): what was sent with them was not used up.
fn is_unknown_client(error: &Error) -> bool {
    let Error::Denied(denied) = error else {
        return false;
    };
    denied.reason() == DeniedReason::CredentialsRejected
}

/// Whether there is no endpoint at this address any more: a 404 that says nothing else.
fn is_gone(error: &Error) -> bool {
    let is_missing = |answer: &IssuerAnswer| matches!(answer.status(), 404 | 410);
    matches!(error, Error::Protocol(_)) && error.answer().is_some_and(is_missing)
}

/// How long one request may take, connecting included.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// How long connecting may take.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
