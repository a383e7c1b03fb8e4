//! How tokens are obtained: a [`Flow`] turns one request into one answer.

mod client_credentials;
mod refresh_token;

use std::{error::Error as StdError, fmt, future::Future, pin::Pin, sync::Arc};

pub use client_credentials::ClientCredentials;
pub(crate) use refresh_token::{RefreshToken, resumable};

use crate::{
    endpoint::{Endpoint, Grant, GrantKind, Replay},
    error::{DeniedReason, Error, Unavailable, UnavailableReason},
    request::{Target, Urgency},
    scope::{Audience, Scopes},
    secret::Secret,
    session::Principal,
    token::TokenResponse,
};

/// A way to obtain an access token for an audience.
///
/// [`ClientCredentials`] is the one for an application that acts for itself. Write one of your own
/// for another grant, or for a source of tokens that is not an OAuth server: the client caches
/// what it returns, calls it once for all callers that ask at one time, and refreshes ahead.
///
/// # Examples
///
/// The JWT bearer grant (RFC 7523), for a workload that has an assertion from its platform:
///
/// ```
/// use intelliauth::{Error, Flow, FlowContext, Secret, TokenResponse};
///
/// #[derive(Debug)]
/// struct WorkloadIdentity;
///
/// impl Flow for WorkloadIdentity {
///     async fn acquire(&self, cx: FlowContext<'_>) -> Result<TokenResponse, Error> {
///         let assertion = Secret::from("read it from the place where the platform renews it");
///         cx.extension_grant("urn:ietf:params:oauth:grant-type:jwt-bearer")
///             .secret_parameter("assertion", assertion)
///             .can_be_repeated()
///             .send()
///             .await
///     }
/// }
/// ```
pub trait Flow: fmt::Debug + Send + Sync + 'static {
    /// Obtains a token for [`FlowContext::audience`].
    ///
    /// # Errors
    ///
    /// The reason why there is no token: what [`ExtensionGrant::send`] returned, or an error that the context
    /// makes ([`FlowContext::unavailable`], [`denied`](FlowContext::denied), …). It is remembered for
    /// a while and returned to all callers that ask for the same in the meantime.
    fn acquire(
        &self,
        cx: FlowContext<'_>,
    ) -> impl Future<Output = Result<TokenResponse, Error>> + Send;
}

/// [`Flow`] behind a pointer.
pub(crate) trait BoxedFlow: fmt::Debug + Send + Sync {
    fn acquire<'a>(
        &'a self,
        cx: FlowContext<'a>,
    ) -> Pin<Box<dyn Future<Output = Result<TokenResponse, Error>> + Send + 'a>>;
}

impl<F: Flow> BoxedFlow for F {
    fn acquire<'a>(
        &'a self,
        cx: FlowContext<'a>,
    ) -> Pin<Box<dyn Future<Output = Result<TokenResponse, Error>> + Send + 'a>> {
        Box::pin(Flow::acquire(self, cx))
    }
}

/// What a [`Flow`] is asked for, and what it may use.
#[derive(Clone, Copy)]
pub struct FlowContext<'a> {
    pub(crate) endpoint: &'a Arc<Endpoint>,
    pub(crate) target: &'a Target,
    pub(crate) urgency: Urgency,
    pub(crate) principal: &'a Principal,
    /// Whether the cache has a token that is still usable.
    pub(crate) replaces_usable: bool,
}

impl<'a> FlowContext<'a> {
    /// The API that the token has to be for.
    pub fn audience(&self) -> &'a Audience {
        &self.target.asked.audience
    }

    /// The scopes that were named; none means whatever the issuer gives by itself.
    pub fn scopes(&self) -> &'a Scopes {
        &self.target.asked.scopes
    }

    /// The extra parameters of the request, names and values.
    pub fn parameters(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.target.parameters.iter()
    }

    /// On whose behalf: the name of the client's [partition](crate::Client::partition), or nothing for
    /// the application itself.
    pub fn partition(&self) -> Option<&'a str> {
        self.principal.session().map(|open| open.name())
    }

    /// The issuer, as it was configured.
    pub fn issuer(&self) -> &'a str {
        self.endpoint.issuer()
    }

    /// This application's `client_id`.
    pub fn client_id(&self) -> &'a str {
        self.endpoint.client_id()
    }

    /// Whether no caller waits for this: a refresh ahead of time.
    pub fn is_background_refresh(&self) -> bool {
        self.urgency.in_background
    }

    /// A token request with a grant of your own (RFC 6749 section 4.5).
    ///
    /// Client authentication, audience, scope and the extra parameters of the request are added by
    /// the client.
    pub fn extension_grant(self, grant_type: impl Into<String>) -> ExtensionGrant<'a> {
        ExtensionGrant {
            cx: self,
            grant_type: grant_type.into(),
            parameters: Vec::new(),
            replay: Replay::IfUnsent,
        }
    }

    /// The error of a flow whose source refuses, so that asking again does not help.
    pub fn denied(&self) -> Error {
        Error::denied(&self.target.asked, DeniedReason::AccessDenied)
    }

    /// The error of a flow that needs a person to sign in first.
    pub fn login_required(&self) -> Error {
        Error::login_required(&self.target.asked)
    }

    /// The error of a flow whose source gave no usable answer: it is tried again after a while.
    ///
    /// `cause` is what `source()` of the error will be; it must not show a secret.
    pub fn unavailable(&self, cause: impl StdError + Send + Sync + 'static) -> Error {
        Error::Unavailable(Unavailable::caused_by(UnavailableReason::Issuer, cause))
    }

    /// The error of a flow that cannot do what is asked of it, and why.
    pub fn invalid_request(&self, problem: impl Into<String>) -> Error {
        Error::request(problem)
    }

    fn grant<'k>(&self, kind: GrantKind<'k>) -> Grant<'k>
    where
        'a: 'k,
    {
        Grant {
            kind,
            target: self.target,
            urgency: self.urgency,
        }
    }
}

impl fmt::Debug for FlowContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowContext")
            .field("audience", self.audience())
            .field("scopes", self.scopes())
            .field("partition", &self.partition())
            .finish_non_exhaustive()
    }
}

/// A token request of a [`Flow`]'s own, from [`FlowContext::extension_grant`].
#[derive(Debug)]
#[must_use = "nothing is sent before `send` is awaited"]
pub struct ExtensionGrant<'a> {
    cx: FlowContext<'a>,
    grant_type: String,
    parameters: Vec<(String, Secret)>,
    replay: Replay,
}

impl ExtensionGrant<'_> {
    /// Adds a parameter.
    pub fn parameter(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.secret_parameter(name, Secret::new(value))
    }

    /// Adds a parameter that must not be seen.
    pub fn secret_parameter(mut self, name: impl Into<String>, value: Secret) -> Self {
        self.parameters.push((name.into(), value));
        self
    }

    /// Says that sending it twice is harmless, so that an answer that was lost can be asked for again.
    ///
    /// Without this it is repeated only if it never reached the issuer.
    pub fn can_be_repeated(mut self) -> Self {
        self.replay = Replay::Safe;
        self
    }

    /// Sends it.
    ///
    /// # Errors
    ///
    /// What the issuer's answer, or its absence, stands for.
    pub async fn send(self) -> Result<TokenResponse, Error> {
        let kind = GrantKind::Extension {
            grant_type: &self.grant_type,
            parameters: &self.parameters,
            replay: self.replay,
        };
        self.cx
            .endpoint
            .token(&self.cx.grant(kind))
            .await
            .map(TokenResponse::from)
    }
}
