//! One token request for each grant: as `oauth2` builds it, or by hand where it cannot.

use std::{borrow::Cow, sync::Mutex};

use oauth2::{
    AuthType, Client, EndpointNotSet, EndpointSet, RequestTokenError, StandardRevocableToken,
    TokenUrl,
    basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse},
};

use super::{
    ClientAuthentication, Replay,
    discovery::Metadata,
    post::Post,
    wire::{self, Reply},
};
use crate::{
    error::{Asked, Error, Violation},
    request::{Target, Urgency},
    secret::Secret,
};

/// One token request.
#[derive(Debug)]
pub(crate) struct Grant<'a> {
    pub(crate) kind: GrantKind<'a>,
    pub(crate) target: &'a Target,
    pub(crate) urgency: Urgency,
}

/// What the grant adds to a token request.
#[derive(Debug)]
pub(crate) enum GrantKind<'a> {
    ClientCredentials,
    /// RFC 6749 section 4.1.3, with the verifier of RFC 7636 section 4.5.
    AuthorizationCode {
        code: &'a Secret,
        verifier: &'a Secret,
        redirect_uri: &'a str,
    },
    /// RFC 6749 section 6.
    RefreshToken {
        refresh_token: &'a Secret,
        /// Whether it asks for the named scopes only: that is permanent at some issuers.
        narrows: bool,
        /// Takes the new refresh token of an answer that is unusable otherwise: the old one is spent.
        rotated: &'a Mutex<Option<Secret>>,
    },
    /// RFC 8628 section 3.4. The loop that polls is the retry: nothing is sent again here.
    DeviceCode {
        device_code: &'a Secret,
    },
    Extension {
        grant_type: &'a str,
        parameters: &'a [(String, Secret)],
        replay: Replay,
    },
}

impl GrantKind<'_> {
    pub(super) fn replay(&self) -> Replay {
        match self {
            Self::ClientCredentials => Replay::Safe,
            Self::AuthorizationCode { .. }
            | Self::RefreshToken { .. }
            | Self::DeviceCode { .. } => Replay::IfUnsent,
            Self::Extension { replay, .. } => *replay,
        }
    }
}

/// Sends the request of `post`, and reads the reply.
pub(super) async fn reply(post: &Post<'_>, metadata: &Metadata) -> Result<Reply, Error> {
    match &post.grant.kind {
        GrantKind::ClientCredentials => client_credentials(post, metadata).await,
        GrantKind::AuthorizationCode {
            code,
            verifier,
            redirect_uri,
        } => authorization_code(post, metadata, (code, verifier), redirect_uri).await,
        GrantKind::RefreshToken {
            refresh_token,
            narrows,
            ..
        } => refresh(post, metadata, refresh_token, *narrows).await,
        GrantKind::DeviceCode { device_code: code } => device_code(post, metadata, code).await,
        GrantKind::Extension {
            grant_type,
            parameters,
            ..
        } => extension(post, metadata, grant_type, parameters).await,
    }
}

/// RFC 6749 section 4.4.2.
async fn client_credentials(post: &Post<'_>, metadata: &Metadata) -> Result<Reply, Error> {
    let client = oauth_client(post, metadata)?;
    let mut request = client.exchange_client_credentials();
    for scope in &post.grant.target.asked.scopes {
        request = request.add_scope(oauth2::Scope::new(scope.to_string()));
    }
    for (name, value) in post.endpoint.extra_parameters(post.grant) {
        request = request.add_extra_param(name, value);
    }
    let reply = request.request_async(post).await;
    reply.map_err(|error| unwrap_error(error, &post.grant.target.asked))
}

/// RFC 6749 section 4.1.3, RFC 7636 section 4.5.
async fn authorization_code(
    post: &Post<'_>,
    metadata: &Metadata,
    (code, verifier): (&Secret, &Secret),
    redirect_uri: &str,
) -> Result<Reply, Error> {
    let client = oauth_client(post, metadata)?;
    let mut request = client
        .exchange_code(oauth2::AuthorizationCode::new(code.expose().to_owned()))
        .set_pkce_verifier(oauth2::PkceCodeVerifier::new(verifier.expose().to_owned()))
        .set_redirect_uri(Cow::Owned(redirect(redirect_uri)?));
    for (name, value) in post.endpoint.extra_parameters(post.grant) {
        request = request.add_extra_param(name, value);
    }
    let reply = request.request_async(post).await;
    reply.map_err(|error| unwrap_error(error, &post.grant.target.asked))
}

/// RFC 6749 section 6.
async fn refresh(
    post: &Post<'_>,
    metadata: &Metadata,
    refresh_token: &Secret,
    narrows: bool,
) -> Result<Reply, Error> {
    let client = oauth_client(post, metadata)?;
    let token = oauth2::RefreshToken::new(refresh_token.expose().to_owned());
    let mut request = client.exchange_refresh_token(&token);
    for scope in post.grant.target.asked.scopes.iter().filter(|_| narrows) {
        request = request.add_scope(oauth2::Scope::new(scope.to_string()));
    }
    for (name, value) in post.endpoint.extra_parameters(post.grant) {
        request = request.add_extra_param(name, value);
    }
    let reply = request.request_async(post).await;
    reply.map_err(|error| unwrap_error(error, &post.grant.target.asked))
}

/// RFC 8628 section 3.4; `oauth2` has it only together with its own polling.
async fn device_code(
    post: &Post<'_>,
    metadata: &Metadata,
    device_code: &Secret,
) -> Result<Reply, Error> {
    let mut form = vec![
        ("grant_type", DEVICE_CODE.into()),
        ("device_code", device_code.expose().into()),
    ];
    let extra = post.endpoint.extra_parameters(post.grant);
    form.extend(extra.map(|(name, value)| (name, value.into())));
    by_hand(post, metadata, &form).await
}

/// RFC 6749 section 4.5, which `oauth2` cannot express.
async fn extension(
    post: &Post<'_>,
    metadata: &Metadata,
    grant_type: &str,
    own: &[(String, Secret)],
) -> Result<Reply, Error> {
    let (endpoint, grant) = (post.endpoint, post.grant);
    let mut form = vec![("grant_type", Cow::Borrowed(grant_type))];
    if !grant.target.asked.scopes.is_empty() {
        form.push(("scope", Cow::Owned(grant.target.asked.scopes.to_string())));
    }
    let extra = endpoint.extra_parameters(grant);
    form.extend(extra.map(|(name, value)| (name, value.into())));
    form.extend(
        own.iter()
            .map(|(name, value)| (name.as_str(), value.expose().into())),
    );
    by_hand(post, metadata, &form).await
}

async fn by_hand(
    post: &Post<'_>,
    metadata: &Metadata,
    form: &[(&str, Cow<'_, str>)],
) -> Result<Reply, Error> {
    let credentials = &post.endpoint.credentials;
    let request = credentials.request(post.method, metadata.token_endpoint()?, form, post.secret);
    let response = post.exchange(request).await?;
    wire::read_normalised(response.body(), &post.grant.target.asked)
}

fn oauth_client(post: &Post<'_>, metadata: &Metadata) -> Result<OauthClient, Error> {
    let (credentials, method) = (&post.endpoint.credentials, post.method);
    let auth_type = match method {
        ClientAuthentication::Basic | ClientAuthentication::BasicRaw => AuthType::BasicAuth,
        ClientAuthentication::Post | ClientAuthentication::None => AuthType::RequestBody,
    };
    let client = Client::new(oauth2::ClientId::new(credentials.client_id.clone()))
        .set_token_uri(TokenUrl::from_url(metadata.token_endpoint()?.clone()))
        .set_auth_type(auth_type);
    Ok(match post.secret {
        Some(secret) if method != ClientAuthentication::None => {
            client.set_client_secret(oauth2::ClientSecret::new(secret.expose().to_owned()))
        }
        _ => client,
    })
}

fn redirect(uri: &str) -> Result<oauth2::RedirectUrl, Error> {
    oauth2::RedirectUrl::new(uri.to_owned())
        .map_err(|error| Error::request(format!("the redirect URI is not a valid URL ({error})")))
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

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

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
