//! [`Client`]: the one call, and what stands around it.

mod build_error;
mod builder;
mod defaults;
mod environment;
mod handle;
#[cfg(doctest)]
mod misuse;
mod people;
mod session;
mod source;

use std::{fmt, future::Future, sync::Arc};

pub use build_error::BuildError;
pub use builder::ClientBuilder;
pub use defaults::{
    DEFAULT_CACHE_CAPACITY, DEFAULT_FLIGHT_TIMEOUT, DEFAULT_RETRIES, DEFAULT_SESSION,
    DEFAULT_STORE_TIMEOUT, DEFAULT_WAIT_TIMEOUT,
};
pub use handle::AudienceHandle;
pub use people::People;
pub use session::{Session, SignedOut};

use crate::{
    cache::{OnStale, Stats, TokenCache},
    error::Error,
    flow::Flow,
    refusal::Refusal,
    request::TokenRequest,
    scope::Audience,
    session::Principal,
    source::{AfterRefusal, TokenSource},
    token::{AccessToken, Source, TokenRef},
};
use arc_swap::Guard;

/// Gets the right access token for each API, from the cache whenever there is a fresh one.
///
/// Clones share everything; build one per application and pass it around. It can be built outside a
/// runtime and sends nothing by itself; a call that has to make a request needs a tokio runtime with
/// I/O and time enabled.
///
/// # Examples
///
/// ```no_run
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// use intelliauth::Client;
///
/// let client = Client::for_application("https://banking-cymmetri.intelliauth.local", "app_01HZX0SERVICE")
///     .client_secret(std::env::var("INTELLIAUTH_M2M_CLIENT_SECRET")?)
///     .build()?;
/// let token = client.get_access_token("api.banking.cymmetri.com").await?;
/// let request = http::Request::get("https://api.banking.cymmetri.com/transactions")
///     .header(http::header::AUTHORIZATION, token.header_value());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client {
    cache: Arc<TokenCache>,
    principal: Principal,
}

impl Client {
    /// A client for an application that acts for itself (client credentials, RFC 6749 section 4.4).
    ///
    /// `issuer` is the tenant's URL, exactly as its metadata calls it (on the platform: without a
    /// slash at the end); `client_id` names the application.
    pub fn for_application(
        issuer: impl Into<String>,
        client_id: impl Into<String>,
    ) -> ClientBuilder {
        ClientBuilder::new(issuer.into(), client_id.into(), None)
    }

    /// A client that obtains its tokens with a [`Flow`] of yours.
    pub fn builder(
        issuer: impl Into<String>,
        client_id: impl Into<String>,
        flow: impl Flow,
    ) -> ClientBuilder {
        ClientBuilder::new(issuer.into(), client_id.into(), Some(Arc::new(flow)))
    }

    /// For an application that acts for people: builds [`People`], each of whom has a [`Session`].
    ///
    /// Every session has a client of its own ([`Session::client`]). Without a
    /// [`store`](ClientBuilder::store) sessions end with the program.
    pub fn for_person(
        issuer: impl Into<String>,
        client_id: impl Into<String>,
    ) -> ClientBuilder<People> {
        ClientBuilder::new(issuer.into(), client_id.into(), None)
    }

    /// A client for the application that the environment describes, by the names that the platform
    /// documents.
    ///
    /// | variable | |
    /// |---|---|
    /// | `INTELLIAUTH_TENANT_URL` | the issuer |
    /// | `INTELLIAUTH_M2M_CLIENT_ID` | the application's client id |
    /// | `INTELLIAUTH_M2M_CLIENT_SECRET` | its secret |
    ///
    /// # Errors
    ///
    /// [`BuildError`], which names the variable that is missing or wrong.
    pub fn from_env() -> Result<Self, BuildError> {
        ClientBuilder::from_env()?.build()
    }

    /// The access token for an audience: cached, or else fetched by one request for all callers.
    ///
    /// Takes a `&str`, an [`Audience`], or a [`TokenRequest`] (also by reference) that names scopes and
    /// more. In the last part of a token's life it is refreshed in the background, and callers keep
    /// getting the old one at once. A caller that stops waiting does not end the request for the others.
    ///
    /// # Errors
    ///
    /// One variant for each next move: see [`Error`]. A failure is remembered for a while and returned
    /// at once to those who ask again: [`Unavailable`](Error::Unavailable) for 1, 2, 4 … 60 s,
    /// [`Denied`](Error::Denied) and [`Protocol`](Error::Protocol) for 30 s, those that need a person
    /// for 120 s.
    pub fn get_access_token<'a>(
        &'a self,
        request: impl Into<TokenRequest<'a>>,
    ) -> impl Future<Output = Result<AccessToken, Error>> + Send {
        let request = request.into();
        async move {
            match self.cached(&request, OnStale::Refresh) {
                Some(token) => Ok(AccessToken::new(Guard::into_inner(token), Source::Cache)),
                None => Box::pin(self.fetch(request)).await,
            }
        }
    }

    /// A borrowed look at the cached token, without waiting; in its window it is refreshed in the
    /// background, where that is how the client refreshes.
    pub fn current<'a>(&self, request: impl Into<TokenRequest<'a>>) -> Option<TokenRef> {
        self.cached(&request.into(), OnStale::RefreshInBackground)
            .map(TokenRef::new)
    }

    /// A handle for calls to one audience: it skips the look-up, and its token is never evicted.
    ///
    /// An invalid request is reported when a token is asked for.
    pub fn audience<'a>(&self, request: impl Into<TokenRequest<'a>>) -> AudienceHandle {
        AudienceHandle::new(self.clone(), request.into().into_details())
    }

    /// What to do after an API has refused a request that carried `token`.
    ///
    /// The one decision about an API's answer, which `send`, the middleware and the layer make as well:
    /// repeat the request once with the token that this returns, or take the answer as it is.
    ///
    /// | the API says | what is done |
    /// |---|---|
    /// | the token is invalid | it is dropped if it is still the current one, and one is fetched for all callers: [`AfterRefusal::Repeat`] |
    /// | scopes are missing that were asked for, or may be ([`Refusal::allow_scopes`]) | a token with them: [`AfterRefusal::Repeat`], or the error why there is none |
    /// | other scopes are missing | [`Error::Denied`] names them ([`DeniedReason::ScopeNotListed`](crate::DeniedReason::ScopeNotListed)), without a request |
    /// | a scope is missing, and none is named that the token lacks | [`Error::Denied`] ([`DeniedReason::ScopeNotNamed`](crate::DeniedReason::ScopeNotNamed)), without a request |
    /// | the person has to prove more | [`Error::StepUp`], and the token stays in use |
    /// | something else, or of another audience | [`AfterRefusal::NotAboutToken`] |
    ///
    /// # Errors
    ///
    /// Those of the table; otherwise as [`get_access_token`](Self::get_access_token), [`Error::Consent`]
    /// above all. [`Error::Denied`] without a request if the API rejects a token that has just replaced a
    /// rejected one: an API that always refuses costs a token request each half minute.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn f(client: intelliauth::Client, http: reqwest::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use intelliauth::{AfterRefusal, Refusal};
    ///
    /// let token = client.get_access_token("api.banking.cymmetri.com").await?;
    /// let url = "https://api.banking.cymmetri.com/transactions";
    /// let call = |token: &intelliauth::AccessToken| {
    ///     http.get(url).header("authorization", token.header_value()).send()
    /// };
    /// let mut answer = call(&token).await?;
    /// let refusal = Refusal::new(answer.status(), answer.headers());
    /// if let AfterRefusal::Repeat(next) = client.after_refusal(&token, &refusal).await? {
    ///     answer = call(&next).await?;
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn after_refusal(
        &self,
        token: &AccessToken,
        refusal: &Refusal,
    ) -> Result<AfterRefusal, Error> {
        TokenSource::after_refusal(self, token, refusal).await
    }

    /// The next token after an API has answered 401 to `rejected`, whatever it said.
    ///
    /// [`after_refusal`](Self::after_refusal) knows a stale token from one that allows too little.
    /// `rejected` is forgotten only if it is still the current one: of fifty calls that fail together
    /// one makes a request, and if another call has fetched a new token meanwhile, none does. Repeat the
    /// API call once with what this returns.
    ///
    /// # Errors
    ///
    /// As [`get_access_token`](Self::get_access_token); [`Error::Denied`] without a request if the API
    /// rejects a token that has just replaced a rejected one.
    pub async fn after_unauthorized(&self, rejected: &AccessToken) -> Result<AccessToken, Error> {
        let token = rejected.token();
        self.cache.reject(&self.principal, token)?;
        // Exactly these: whether its caller would take a broader token is not known here.
        let request = TokenRequest::from(token.target_again()).exact_scopes();
        self.get_access_token(request).await
    }

    /// A middleware of the crate `reqwest-middleware` with the tokens of this client.
    ///
    /// It goes to no API before one is named: see [`TokenMiddleware`](crate::TokenMiddleware).
    #[cfg(feature = "reqwest-middleware")]
    pub fn middleware(&self) -> crate::http::TokenMiddleware<Self> {
        crate::http::TokenMiddleware::new(self.clone())
    }

    /// A tower layer with the tokens of this client for one API.
    ///
    /// For hyper-util, tonic and other clients: see [`TokenLayer`](crate::TokenLayer).
    #[cfg(feature = "tower")]
    pub fn layer(&self, api: impl Into<crate::http::Api>) -> crate::http::TokenLayer<Self> {
        crate::http::TokenLayer::new(self.clone(), api)
    }

    /// Fetches tokens for several audiences at once, for a start without waiting later.
    ///
    /// Results come in the order of the audiences.
    pub async fn warm<'a, R: Into<TokenRequest<'a>>>(
        &'a self,
        requests: impl IntoIterator<Item = R>,
    ) -> Vec<Result<AccessToken, Error>> {
        let calls = requests
            .into_iter()
            .map(|request| Box::pin(self.get_access_token(request)));
        join_all(calls.collect()).await
    }

    /// A client whose tokens are kept apart under this name: same application and connections.
    ///
    /// For a [`Flow`] of yours that obtains tokens on behalf of several parties: the name reaches it as
    /// [`FlowContext::partition`](crate::FlowContext::partition), and is part of every cache key, so no
    /// partition is ever answered with a token of another. It replaces the one that this client has. A
    /// name is no secret, and stands in logs and errors.
    ///
    /// [People](crate::People) are kept apart by their sessions: what this makes of a session's client
    /// answers every call with [`Error::Request`].
    #[must_use]
    pub fn partition(&self, name: impl AsRef<str>) -> Self {
        let principal = if self.cache.has_sessions() {
            Principal::Application
        } else {
            self.cache.principal(name.as_ref())
        };
        Self {
            cache: Arc::clone(&self.cache),
            principal,
        }
    }

    /// Forgets the tokens and failures of an audience, for the session or partition of this client.
    ///
    /// A request that is under way answers the callers that wait for it, and its token is not cached.
    pub fn clear(&self, audience: impl Into<Audience>) {
        self.cache.clear(&self.principal, &audience.into());
    }

    /// Waits for the requests under way: call it before the program ends.
    ///
    /// An application's background refresh ends with the runtime, a person's is completed; and a store that
    /// did not take a session before is asked again. It waits for the requests that were under way when it
    /// was called, and at most as long as two flights may take ([`DEFAULT_FLIGHT_TIMEOUT`]): one that
    /// was forced may have had to wait for another. The client can be used after it.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if something of a session could still not be written: it is lost when the program
    /// ends.
    pub async fn close(&self) -> Result<(), Error> {
        self.cache.drain().await
    }

    /// What has been done so far.
    pub fn stats(&self) -> Stats {
        self.cache.stats()
    }

    /// The issuer, as it was configured.
    pub fn issuer(&self) -> &str {
        self.cache.issuer()
    }

    /// The application's `client_id`.
    pub fn client_id(&self) -> &str {
        self.cache.client_id()
    }

    #[inline]
    fn cached(
        &self,
        request: &TokenRequest<'_>,
        on_stale: OnStale,
    ) -> Option<Guard<Arc<crate::token::Token>>> {
        self.cache.get(&self.principal, request, on_stale)
    }

    async fn fetch(&self, request: TokenRequest<'_>) -> Result<AccessToken, Error> {
        self.cache
            .fetch(&self.principal, &request.into_details())
            .await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("issuer", &self.issuer())
            .field("client_id", &self.client_id())
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}

/// Awaits all of them at once, in one task.
///
/// One round starts every flight; these run in tasks of their own, so it does not matter which call is
/// awaited first.
async fn join_all<F: Future + Unpin>(mut calls: Vec<F>) -> Vec<F::Output> {
    use std::{pin::Pin, task::Poll};

    let mut results: Vec<Option<F::Output>> = calls.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (call, result) in calls.iter_mut().zip(&mut results) {
            if let Poll::Ready(value) = Pin::new(call).poll(cx) {
                *result = Some(value);
            }
        }
        Poll::Ready(())
    })
    .await;
    let mut all = Vec::with_capacity(calls.len());
    for (call, result) in calls.into_iter().zip(results) {
        all.push(match result {
            Some(value) => value,
            None => call.await,
        });
    }
    all
}
