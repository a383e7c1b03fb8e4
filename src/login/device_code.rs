//! A sign-in with a code that the person enters on another device (RFC 8628).

mod poll;
mod prompt;

use std::{fmt, io::Write as _, sync::Arc};

use poll::Poll;
pub use prompt::DevicePrompt;

use super::{identity, requested_access::RequestedAccess, sign_in::callback};
use crate::{
    endpoint::{Endpoint, TokenReply},
    error::{Asked, Error, Resume},
    request::TokenRequest,
    session::LoginTokens,
    time::TimeSource,
};

/// A sign-in on another device: the person opens a page there and enters a code (RFC 8628).
///
/// It is for programs without a browser at hand: on a server, in a container, on a television. Where
/// there is one, [`AuthorizationCode`](crate::AuthorizationCode) is the safer way, since an
/// attacker cannot talk a person into entering the code of another program there (RFC 8628 section 5.4).
///
/// The issuer is polled at the pace it asks for until the person has answered or the code has ended.
/// Trouble on the way (a 429 or 5xx, the page of a proxy, a lost connection) ends nothing; the issuer
/// is only asked more seldom then. Dropping the call ends the polling; an answer that is on its way at
/// that moment is lost, and the person has to sign in again.
///
/// RFC 8628 has no way to ask for a stronger or fresher sign-in: for
/// [`Error::StepUp`](crate::Error::StepUp) it asks for the scopes, and the issuer decides what the person
/// has to prove. If that was not enough, [`Session::resolve`](crate::Session::resolve) ends with the same
/// error.
///
/// # Examples
///
/// It needs a person, so it is not run here:
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use intelliauth::{Client, DeviceCode, TokenRequest};
///
/// let people = Client::for_person("https://banking-cymmetri.intelliauth.local", "app_01HZX0CLI")
///     .build()?;
/// let person = people.default_session();
/// let login = DeviceCode::terminal()
///     .request(TokenRequest::new("api.banking.cymmetri.com").scope("read:transactions"))
///     .request(TokenRequest::new("api.health.cymmetri.com").scope("read:records"));
/// person.sign_in(login).await?;
/// let token = person.client().get_access_token("api.health.cymmetri.com").await?;
/// # let _ = token;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use]
pub struct DeviceCode {
    show: Arc<dyn Fn(&DevicePrompt) + Send + Sync>,
    pub(super) requested: RequestedAccess,
}

impl DeviceCode {
    /// A sign-in whose page and code `show` presents to the person, in whatever way fits the program.
    ///
    /// `show` is called once, on a thread where it may block, before the first poll: it should return at
    /// once. If it panics, the sign-in ends with [`Error::Request`]. What the [dialect](crate::Dialect::asks_openid) names is asked for in any case: `openid` and
    /// `offline_access`, unless it says otherwise.
    ///
    /// # Examples
    ///
    /// ```
    /// use intelliauth::DeviceCode;
    ///
    /// let login = DeviceCode::new(|prompt| {
    ///     println!("open {} and enter {}", prompt.verification_uri(), prompt.user_code());
    /// });
    /// # let _ = login;
    /// ```
    pub fn new(show: impl Fn(&DevicePrompt) + Send + Sync + 'static) -> Self {
        Self {
            show: Arc::new(show),
            requested: RequestedAccess::new(),
        }
    }

    /// A sign-in whose page and code are written to the standard error.
    ///
    /// With the feature `qrcode` a QR code follows, if the issuer has a page that knows the code
    /// already. Standard output stays free for what the program has to say.
    pub fn terminal() -> Self {
        Self::new(|prompt| {
            // Where stderr is closed, no person can read it, and the code expires by itself.
            let _ = std::io::stderr().write_all(prompt.text().as_bytes());
        })
    }

    /// Asks for an API and its scopes as well; the token that comes with the sign-in is for the first.
    ///
    /// An invalid request is reported by the sign-in, as [`Error::Request`].
    pub fn request<'a>(mut self, request: impl Into<TokenRequest<'a>>) -> Self {
        self.requested.request(request.into());
        self
    }

    /// Asks for a further scope of the person's identity, such as `profile` or `email` (OpenID Connect
    /// Core section 5.4); several can be separated by spaces.
    ///
    /// `openid` and `offline_access` are asked for anyway, unless the [dialect](crate::Dialect) says otherwise.
    pub fn scope(mut self, scope: impl AsRef<str>) -> Self {
        self.requested.scope(scope.as_ref());
        self
    }

    pub(super) fn going_on(mut self, asked: &Asked, resume: Option<&Resume>) -> Self {
        self.requested.go_on(asked, resume);
        self
    }

    /// Gets a code, shows it, and polls until the person has answered.
    pub(super) async fn run(
        self,
        endpoint: &Arc<Endpoint>,
        clock: &TimeSource,
    ) -> Result<DeviceTokens, Error> {
        self.requested.check()?;
        let requested = self
            .requested
            .with_identity(&endpoint.dialect().sign_in_scopes());
        let (about, scopes) = (requested.first(), requested.scopes());
        let asked = requested.asked();
        let codes = endpoint.authorize_device(asked, &about, &scopes).await?;
        let (show, prompt) = (Arc::clone(&self.show), DevicePrompt::new(&codes));
        callback(move || show(&prompt)).await?;
        let poll = Poll {
            endpoint,
            clock,
            codes: &codes,
            asked: &about,
        };
        let reply = poll.run().await?;
        Ok(DeviceTokens { reply, requested })
    }
}

/// The tokens of the last poll, and what they were asked for.
pub(crate) struct DeviceTokens {
    reply: TokenReply,
    requested: RequestedAccess,
}

impl DeviceTokens {
    /// Finds out who it was.
    pub(super) async fn obtain(
        self,
        endpoint: &Arc<Endpoint>,
        clock: &TimeSource,
    ) -> Result<LoginTokens, Error> {
        // No nonce goes with a device code: RFC 8628 has none.
        let expected = identity::Expected {
            asked: self.requested.asked(),
            identity_scopes: self.requested.identity_scopes(),
            nonce: None,
            max_age: None,
            now: clock.now(),
        };
        let account = identity::identify(endpoint, &self.reply, &expected).await?;
        Ok(LoginTokens {
            account,
            reply: self.reply,
            asked: self.requested.asked().to_vec(),
            identity_scopes: self.requested.identity_scopes().clone(),
        })
    }
}

impl fmt::Debug for DeviceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceCode")
            .field("requested", &self.requested)
            .finish_non_exhaustive()
    }
}
