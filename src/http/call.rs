//! One API call with reqwest: the token before it, and what follows from the answer.

use http::{HeaderMap, header};
use reqwest::Request;
pub(crate) use reqwest::{RequestBuilder, Response};
use url::{Position, Url};

use super::{Api, follow::follow, origin, read::read};
use crate::{
    error::Error, refusal::Refusal, request::TokenRequest, scope::Scopes, source::TokenSource,
    token::AccessToken,
};

/// Why an API call has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// There is no token for it: [`Error`] says what to do.
    #[error("there is no access token that the API takes")]
    Token(#[from] Error),
    /// The HTTP client has failed.
    #[error("the API could not be called")]
    Http(#[from] reqwest::Error),
}

/// Sends a request to an API with the token for it, and once more where the API's answer says so.
///
/// A request goes to the origin that its URL names, over https or to a loopback address; what carries an
/// `Authorization` of its own is sent as it is. The answer is understood as
/// [`Client::after_refusal`](crate::Client::after_refusal) says. A request whose body is a stream cannot be
/// repeated: a token that the API has refused is dropped then, and the answer handed up. An answer from
/// another URL than the request's is handed up too: reqwest sends no token along a redirect to another origin,
/// nor from there back.
///
/// Where the challenge leaves it open, the body of a refusal is read as well: JSON of a known length up to
/// 8 KiB, for 5 s at most. One that comes late or not whole decides nothing. It is still there in an answer
/// that is handed up.
///
/// # Errors
///
/// [`CallError::Token`] if there is no token, or the API wants what a person has to allow or prove first;
/// [`CallError::Http`] if reqwest fails.
///
/// # Examples
///
/// ```no_run
/// # async fn f(alice: intelliauth::Session, http: reqwest::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use intelliauth::{Api, TokenRequest, send};
///
/// let settings = TokenRequest::new("https://api.cymmetri.com").scope("read:settings");
/// let settings = Api::new(settings).allow_scopes("write:settings");
/// let answer = send(&alice, &settings, http.get("https://api.cymmetri.com/settings")).await?;
/// # Ok(()) }
/// ```
pub async fn send<S: TokenSource>(
    source: &S,
    api: &Api,
    request: RequestBuilder,
) -> Result<Response, CallError> {
    send_for(source, api.request(), api.allowed(), request).await
}

/// The same for what is asked for and what may be.
pub(crate) async fn send_for<S: TokenSource>(
    source: &S,
    wanted: &TokenRequest<'_>,
    allowed: &Scopes,
    request: RequestBuilder,
) -> Result<Response, CallError> {
    let (client, request) = request.build_split();
    let mut request = request?;
    if carries_credentials(request.headers()) {
        return Ok(client.execute(request).await?);
    }
    origin::check(request.url())?;
    let attempt = Attempt::begin(source, wanted, &mut request).await?;
    let answer = client.execute(request).await?;
    match attempt.conclude(source, || allowed.clone(), answer).await? {
        Next::Answer(answer) => Ok(answer),
        Next::Repeat(request) => Ok(client.execute(request).await?),
    }
}

/// Whether another party authorizes the request.
pub(super) fn carries_credentials(headers: &HeaderMap) -> bool {
    headers.contains_key(header::AUTHORIZATION)
}

/// A request that went out with a token.
pub(super) struct Attempt {
    token: AccessToken,
    url: Url,
    /// The request without a token; nothing if its body cannot be sent twice.
    copy: Option<Request>,
}

/// What follows from an answer.
pub(super) enum Next {
    Answer(Response),
    /// Once: whatever comes then is the answer.
    Repeat(Request),
}

impl Attempt {
    /// Gets the token and puts it into the request.
    pub(super) async fn begin<S: TokenSource>(
        source: &S,
        wanted: &TokenRequest<'_>,
        request: &mut Request,
    ) -> Result<Self, Error> {
        let token = source.get(TokenRequest::from(wanted)).await?;
        let copy = request.try_clone();
        let url = request.url().clone();
        authorize(request, &token);
        Ok(Self { token, url, copy })
    }

    /// Understands the answer, if it is the API's to the token. Which scopes may be asked for is a question
    /// after a refusal alone.
    pub(super) async fn conclude<S: TokenSource>(
        self,
        source: &S,
        allowed: impl FnOnce() -> Scopes,
        answer: Response,
    ) -> Result<Next, Error> {
        let is_refusal = Refusal::is_one(answer.status(), answer.headers());
        if !is_refusal || !is_same(answer.url(), &self.url) {
            return Ok(Next::Answer(answer));
        }
        let allowed = allowed();
        let (refusal, answer) = read(answer).await;
        let refusal = refusal.allow(&allowed);
        let next = follow(source, &self.token, &refusal, self.copy.is_some()).await?;
        let Some((mut copy, next)) = self.copy.zip(next) else {
            return Ok(Next::Answer(answer));
        };
        authorize(&mut copy, &next);
        Ok(Next::Repeat(copy))
    }
}

/// Whether two URLs are one for a server, which no fragment reaches (RFC 9110 section 4.2.5).
fn is_same(one: &Url, other: &Url) -> bool {
    one[..Position::AfterQuery] == other[..Position::AfterQuery]
}

fn authorize(request: &mut Request, token: &AccessToken) {
    let value = token.header_value().clone();
    request.headers_mut().insert(header::AUTHORIZATION, value);
}
