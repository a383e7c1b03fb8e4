//! [`TokenSource`]: whatever yields access tokens, behind one trait.

mod after_refusal;

use std::{fmt, future::Future, pin::Pin, sync::Arc};

pub use after_refusal::AfterRefusal;

use crate::{error::Error, refusal::Refusal, request::TokenRequest, token::AccessToken};
use after_refusal::{Step, decide};

/// Whatever yields access tokens: code that needs some takes one, and a test passes a fake.
///
/// A [`Client`](crate::Client) is one, and so are a [`Session`](crate::Session), which yields its person's
/// tokens, and an [`AudienceHandle`](crate::AudienceHandle), for its own audience alone. Where a type
/// parameter is in the way there is [`BoxedTokenSource`]. The feature `test-util` has a fake.
///
/// Implement it to put something of yours in front of another source: which tenant's client is asked, what
/// is counted. A place of your own where tokens come *from* is a [`Flow`](crate::Flow), so that the client
/// caches what it brings.
///
/// # Examples
///
/// ```
/// use intelliauth::{Error, TokenRequest, TokenSource};
///
/// async fn authorization(tokens: &impl TokenSource) -> Result<http::HeaderValue, Error> {
///     let request = TokenRequest::new("api.banking.cymmetri.com").scope("read:transactions");
///     Ok(tokens.get(request).await?.header_value().clone())
/// }
///
/// # fn f(client: intelliauth::Client, session: intelliauth::Session) {
/// let for_the_application = authorization(&client);
/// let for_a_person = authorization(&session);
/// # }
/// ```
pub trait TokenSource: fmt::Debug + Send + Sync {
    /// The access token for a request, as [`Client::get_access_token`](crate::Client::get_access_token).
    ///
    /// # Errors
    ///
    /// One variant for each next move: see [`Error`].
    fn get(
        &self,
        request: TokenRequest<'_>,
    ) -> impl Future<Output = Result<AccessToken, Error>> + Send;

    /// Takes note that an API has answered 401 to a token: it is not handed out again.
    ///
    /// One that was replaced already changes nothing, so of many calls that fail together one makes a
    /// request. [`after_refusal`](Self::after_refusal) does it where that is what the API has said, and gets
    /// the next token.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] if the API rejects a token that has just replaced a rejected one: then the next
    /// would not do either.
    fn reject(&self, rejected: &AccessToken) -> impl Future<Output = Result<(), Error>> + Send;

    /// What to do after an API has refused a request, as
    /// [`Client::after_refusal`](crate::Client::after_refusal).
    ///
    /// It is made of [`get`](Self::get) and [`reject`](Self::reject). A source that stands in front of another
    /// should hand it on: then an [`Error::StepUp`] knows how to go on too.
    ///
    /// # Errors
    ///
    /// As there.
    fn after_refusal(
        &self,
        token: &AccessToken,
        refusal: &Refusal,
    ) -> impl Future<Output = Result<AfterRefusal, Error>> + Send {
        after_refusal(self, token, refusal)
    }

    /// The same without its type.
    fn boxed(self) -> BoxedTokenSource
    where
        Self: Sized + 'static,
    {
        BoxedTokenSource(Arc::new(self))
    }
}

/// Carries out what [`decide`] says about a refusal.
pub(crate) async fn after_refusal<S: TokenSource + ?Sized>(
    source: &S,
    token: &AccessToken,
    refusal: &Refusal,
) -> Result<AfterRefusal, Error> {
    let request = match decide(token, refusal)? {
        Step::Replace(request) => {
            source.reject(token).await?;
            request
        }
        Step::Widen(request) => request,
        Step::NotAboutToken => return Ok(AfterRefusal::NotAboutToken),
    };
    Ok(AfterRefusal::Repeat(source.get(request).await?))
}

/// A [`TokenSource`] of any type, cheap to clone.
///
/// From [`TokenSource::boxed`]. Each call allocates once for its future; a source behind a type parameter
/// does not.
///
/// # Examples
///
/// ```
/// use intelliauth::{BoxedTokenSource, Client, TokenSource as _};
///
/// #[derive(Clone)]
/// struct App {
///     tokens: BoxedTokenSource,
/// }
///
/// let client = Client::for_application("https://banking-cymmetri.intelliauth.local", "app_01HZX0SERVICE")
///     .client_secret("from-your-secret-manager")
///     .build()?;
/// let app = App { tokens: client.boxed() };
/// # Ok::<(), intelliauth::BuildError>(())
/// ```
#[derive(Clone)]
pub struct BoxedTokenSource(Arc<dyn Boxed>);

impl TokenSource for BoxedTokenSource {
    async fn get(&self, request: TokenRequest<'_>) -> Result<AccessToken, Error> {
        self.0.get(request).await
    }

    async fn reject(&self, rejected: &AccessToken) -> Result<(), Error> {
        self.0.reject(rejected).await
    }

    async fn after_refusal(
        &self,
        token: &AccessToken,
        refusal: &Refusal,
    ) -> Result<AfterRefusal, Error> {
        self.0.after_refusal(token, refusal).await
    }

    fn boxed(self) -> Self {
        self
    }
}

impl fmt::Debug for BoxedTokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BoxedTokenSource").field(&self.0).finish()
    }
}

impl<T: TokenSource + ?Sized> TokenSource for &T {
    async fn get(&self, request: TokenRequest<'_>) -> Result<AccessToken, Error> {
        T::get(self, request).await
    }

    async fn reject(&self, rejected: &AccessToken) -> Result<(), Error> {
        T::reject(self, rejected).await
    }

    async fn after_refusal(
        &self,
        token: &AccessToken,
        refusal: &Refusal,
    ) -> Result<AfterRefusal, Error> {
        T::after_refusal(self, token, refusal).await
    }
}

impl<T: TokenSource + ?Sized> TokenSource for Arc<T> {
    async fn get(&self, request: TokenRequest<'_>) -> Result<AccessToken, Error> {
        T::get(self, request).await
    }

    async fn reject(&self, rejected: &AccessToken) -> Result<(), Error> {
        T::reject(self, rejected).await
    }

    async fn after_refusal(
        &self,
        token: &AccessToken,
        refusal: &Refusal,
    ) -> Result<AfterRefusal, Error> {
        T::after_refusal(self, token, refusal).await
    }
}

/// [`TokenSource`] behind a pointer.
trait Boxed: fmt::Debug + Send + Sync {
    fn get<'a>(&'a self, request: TokenRequest<'a>) -> Answer<'a, AccessToken>;
    fn reject<'a>(&'a self, rejected: &'a AccessToken) -> Answer<'a, ()>;
    fn after_refusal<'a>(
        &'a self,
        token: &'a AccessToken,
        refusal: &'a Refusal,
    ) -> Answer<'a, AfterRefusal>;
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

impl<T: TokenSource> Boxed for T {
    fn get<'a>(&'a self, request: TokenRequest<'a>) -> Answer<'a, AccessToken> {
        Box::pin(TokenSource::get(self, request))
    }

    fn reject<'a>(&'a self, rejected: &'a AccessToken) -> Answer<'a, ()> {
        Box::pin(TokenSource::reject(self, rejected))
    }

    fn after_refusal<'a>(
        &'a self,
        token: &'a AccessToken,
        refusal: &'a Refusal,
    ) -> Answer<'a, AfterRefusal> {
        Box::pin(TokenSource::after_refusal(self, token, refusal))
    }
}
