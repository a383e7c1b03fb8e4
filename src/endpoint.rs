//! The issuer's endpoints: authenticate the client, post, retry what is safe, classify the answer.
//!
//! `reqwest` and `oauth2` appear in this room and nowhere above it.

mod client_authentication;
mod discovery;
mod issuer;
#[cfg_attr(
    not(any(test, feature = "resource-server")),
    expect(
        dead_code,
        reason = "the rooms that verify are its users, and optional"
    )
)]
pub(crate) mod keys;
mod post;
mod retry;
mod transport;
mod wire;

use std::{borrow::Cow, sync::Mutex, time::Duration};

pub use client_authentication::ClientAuthentication;
pub(crate) use discovery::GivenEndpoints;
pub(crate) use issuer::{Issuer, is_allowed_endpoint, without_credentials};
use oauth2::{
    AuthType, Client, ClientCredentialsTokenRequest, EndpointNotSet, EndpointSet,
    RequestTokenError, StandardRevocableToken, TokenUrl,
    basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse},
};
pub(crate) use retry::Replay;
pub(crate) use transport::{HttpSettings, Proxy, Transport};
pub(crate) use wire::LIFETIME_MAX;

use crate::{
    dialect::Dialect,
    error::{Asked, Error, IssuerAnswer, Violation},
    request::Parameters,
    scope::Scopes,
    secret::Secret,
    time::{Moment, TimeSource},
};
use client_authentication::Credentials;
use discovery::{Discovery, Metadata, Reading};
use post::Post;
use retry::RetryPolicy;
use wire::Reply;

/// Everything that stands between a flow and the issuer.
#[derive(Debug)]
pub(crate) struct Endpoint {
    transport: Transport,
    discovery: Discovery,
    credentials: Credentials,
    dialect: Dialect,
    retries: RetryPolicy,
    clock: TimeSource,
}

/// What the builder knows about the issuer and this client.
#[derive(Debug)]
pub(crate) struct EndpointSettings {
    pub(crate) issuer: Issuer,
    pub(crate) given: Option<GivenEndpoints>,
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<Secret>,
    pub(crate) authentication: Option<ClientAuthentication>,
    pub(crate) dialect: Dialect,
    pub(crate) retries: u32,
    pub(crate) clock: TimeSource,
}

/// One token request.
#[derive(Debug)]
pub(crate) struct Grant<'a> {
    pub(crate) kind: GrantKind<'a>,
    pub(crate) asked: &'a Asked,
    pub(crate) parameters: &'a Parameters,
    /// Whether this is done behind somebody's back: then nothing is retried here.
    pub(crate) in_background: bool,
    /// Whether the caller wants no remembered failure.
    pub(crate) is_forced: bool,
}

/// What the grant adds to a token request.
#[derive(Debug)]
pub(crate) enum GrantKind<'a> {
    ClientCredentials,
    Extension {
        grant_type: &'a str,
        parameters: &'a [(String, Secret)],
        replay: Replay,
    },
}

impl GrantKind<'_> {
    fn replay(&self) -> Replay {
        match self {
            Self::ClientCredentials => Replay::Safe,
            Self::Extension { replay, .. } => *replay,
        }
    }
}

/// A usable answer, and the instant before the request for it was sent.
pub(crate) struct TokenReply {
    pub(crate) access_token: Secret,
    pub(crate) lifetime: Option<Duration>,
    /// What was granted, where the issuer said so.
    pub(crate) scopes: Option<Scopes>,
    pub(crate) requested_at: Moment,
}

type OauthClient = Client<
    BasicErrorResponse,
    Reply,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

impl Endpoint {
    pub(crate) fn new(transport: Transport, settings: EndpointSettings) -> Self {
        let retries = RetryPolicy::new(settings.retries);
        Self {
            discovery: Discovery::new(settings.issuer, settings.given, settings.clock.clone()),
            transport,
            credentials: Credentials {
                client_id: settings.client_id,
                secret: settings.client_secret,
                configured: settings.authentication,
                raw_basic: settings.dialect.raw_basic,
            },
            dialect: settings.dialect,
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
        let (transport, how) = (&self.transport, self.reading(grant));
        let metadata = self.discovery.metadata(transport, how).await?;
        let mut outcome = self.request(grant, &metadata).await;
        if let Err(error) = &outcome
            && is_gone(error)
            && let Some(newer) = self.discovery.replace(transport, how, &metadata).await?
        {
            outcome = self.request(grant, &newer).await;
        }
        tracing::debug!(
            audience = %grant.asked.audience,
            scopes = %grant.asked.scopes,
            outcome = outcome.as_ref().map_or_else(Error::kind, |_| "token"),
            "token request answered"
        );
        outcome
    }

    fn reading(&self, grant: &Grant<'_>) -> Reading {
        Reading {
            policy: self.policy(grant),
            is_forced: grant.is_forced,
        }
    }

    /// How often what `grant` needs is tried: what nobody waits for once, its next try comes soon.
    fn policy(&self, grant: &Grant<'_>) -> RetryPolicy {
        if grant.in_background {
            RetryPolicy::NEVER
        } else {
            self.retries
        }
    }

    async fn request(&self, grant: &Grant<'_>, metadata: &Metadata) -> Result<TokenReply, Error> {
        let method = self.credentials.method(metadata)?;
        let post = Post {
            endpoint: self,
            grant,
            method,
            sent: Mutex::new(None),
        };
        let reply = match &grant.kind {
            GrantKind::ClientCredentials => {
                let client = self.oauth_client(metadata, method);
                let request = self.client_credentials_request(&client, grant);
                let reply = request.request_async(&post).await;
                reply.map_err(|error| unwrap_error(error, grant.asked))?
            }
            GrantKind::Extension {
                grant_type,
                parameters,
                ..
            } => {
                let form = self.extension_form(grant, grant_type, parameters);
                let request = self
                    .credentials
                    .request(method, &metadata.token_endpoint, &form);
                let response = post.exchange(request).await?;
                wire::read_normalised(response.body(), grant.asked)?
            }
        };
        Ok(wire::token_reply(&reply, post.sent_at()))
    }

    /// RFC 6749 section 4.4.2.
    fn client_credentials_request<'a>(
        &self,
        client: &'a OauthClient,
        grant: &'a Grant<'_>,
    ) -> ClientCredentialsTokenRequest<'a, BasicErrorResponse, Reply> {
        let mut request = client.exchange_client_credentials();
        for scope in &grant.asked.scopes {
            request = request.add_scope(oauth2::Scope::new(scope.to_string()));
        }
        for (name, value) in self.extra_parameters(grant) {
            request = request.add_extra_param(name, value);
        }
        request
    }

    /// RFC 6749 section 4.5.
    fn extension_form<'a>(
        &self,
        grant: &'a Grant<'_>,
        grant_type: &'a str,
        own: &'a [(String, Secret)],
    ) -> Vec<(&'a str, Cow<'a, str>)> {
        let mut form = vec![("grant_type", Cow::Borrowed(grant_type))];
        if !grant.asked.scopes.is_empty() {
            form.push(("scope", Cow::Owned(grant.asked.scopes.to_string())));
        }
        form.extend(
            self.extra_parameters(grant)
                .map(|(name, value)| (name, value.into())),
        );
        form.extend(
            own.iter()
                .map(|(name, value)| (name.as_str(), value.expose().into())),
        );
        form
    }

    fn oauth_client(&self, metadata: &Metadata, method: ClientAuthentication) -> OauthClient {
        let auth_type = match method {
            ClientAuthentication::Basic | ClientAuthentication::BasicRaw => AuthType::BasicAuth,
            ClientAuthentication::Post | ClientAuthentication::None => AuthType::RequestBody,
        };
        let client = Client::new(oauth2::ClientId::new(self.credentials.client_id.clone()))
            .set_token_uri(TokenUrl::from_url(metadata.token_endpoint.clone()))
            .set_auth_type(auth_type);
        match &self.credentials.secret {
            Some(secret) if method != ClientAuthentication::None => {
                client.set_client_secret(oauth2::ClientSecret::new(secret.expose().to_owned()))
            }
            _ => client,
        }
    }

    fn extra_parameters<'a>(
        &self,
        grant: &'a Grant<'_>,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let names = self.dialect.audience_parameter.names();
        let audience = names
            .iter()
            .map(|name| (*name, grant.asked.audience.as_str()));
        audience.chain(grant.parameters.iter())
    }
}

/// Whether there is no endpoint at this address any more: a 404 that says nothing else.
fn is_gone(error: &Error) -> bool {
    let is_missing = |answer: &IssuerAnswer| matches!(answer.status(), 404 | 410);
    matches!(error, Error::Protocol(_)) && error.answer().is_some_and(is_missing)
}

/// Our own error comes back as it was; the others cannot occur with normalised answers, and say
/// things that must not be shown.
fn unwrap_error(error: RequestTokenError<Error, BasicErrorResponse>, asked: &Asked) -> Error {
    match error {
        RequestTokenError::Request(error) => error,
        _ => Error::protocol(
            Some(asked),
            Violation::Reply("it has no access token".to_owned()),
        ),
    }
}

/// How long one request may take, connecting included.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// How long connecting may take.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
