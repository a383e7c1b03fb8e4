//! The authorization code flow with PKCE (RFC 6749 section 4.1, RFC 7636), as it is asked for.

mod prompt;

use std::{fmt, future::Future, io, pin::Pin, sync::Arc, time::Duration};

pub use prompt::Prompt;
use url::Url;

use super::{pending, requested_access::RequestedAccess};
use crate::request::{TokenRequest, is_reserved};

/// A sign-in through the person's browser, with PKCE, `state` and `nonce`.
///
/// It says what the one prompt asks for: the scopes of several APIs, if it likes. A program on the
/// person's machine uses [`loopback`](Self::loopback) and
/// [`Session::sign_in`](crate::Session::sign_in); a web back end, or an application with a URL scheme of
/// its own, uses [`redirect_to`](Self::redirect_to) and
/// [`Session::begin_sign_in`](crate::Session::begin_sign_in).
///
/// # Examples
///
/// ```no_run
/// # async fn f(person: intelliauth::Session) -> Result<(), intelliauth::Error> {
/// use intelliauth::{AuthorizationCode, TokenRequest};
///
/// let login = AuthorizationCode::loopback()
///     .request(TokenRequest::new("api.banking.cymmetri.com").scope("read:transactions"))
///     .request(TokenRequest::new("api.health.cymmetri.com").scope("read:records"));
/// let account = person.sign_in(login).await?;
/// println!("signed in as {}", account.name().unwrap_or("somebody"));
/// # Ok(()) }
/// ```
#[must_use]
pub struct AuthorizationCode {
    pub(super) back: Back,
    pub(super) requested: RequestedAccess,
    /// Parameters of the authorization request beyond those of the flow itself.
    pub(super) parameters: Vec<(String, String)>,
    pub(super) prompt: Option<Prompt>,
    pub(super) max_age: Option<Duration>,
    pub(super) goes_on: bool,
    pub(super) announce: Announce,
    pub(super) opens_browser: bool,
    pub(super) paste_back: Option<PasteBack>,
    pub(super) time_limit: Duration,
}

/// How the person comes back.
#[derive(Clone, Debug)]
pub(super) enum Back {
    /// To a port of this machine: one of these, or any.
    Loopback { ports: Vec<u16>, path: String },
    /// To an address at which the application listens itself.
    Redirect(String),
}

/// Told the URL before the browser opens.
pub(super) type Announce = Arc<dyn Fn(&Url) + Send + Sync>;

/// The URL that the person came to, as they paste it.
pub(super) type PasteBack = Pin<Box<dyn Future<Output = io::Result<String>> + Send>>;

impl AuthorizationCode {
    /// Comes back to a port of this machine (RFC 8252 section 7.3), on which the client listens meanwhile.
    ///
    /// The redirect URI is `http://127.0.0.1:<port>/callback`. The platform takes any port there.
    pub fn loopback() -> Self {
        let (ports, path) = (Vec::new(), "/callback".to_owned());
        Self::new(Back::Loopback { ports, path })
    }

    /// Comes back to `uri`, which the application has registered and listens at itself.
    pub fn redirect_to(uri: impl Into<String>) -> Self {
        Self::new(Back::Redirect(uri.into()))
    }

    fn new(back: Back) -> Self {
        Self {
            back,
            requested: RequestedAccess::new(),
            parameters: Vec::new(),
            prompt: None,
            max_age: None,
            goes_on: false,
            announce: Arc::new(announce),
            opens_browser: true,
            paste_back: None,
            time_limit: TIME_LIMIT,
        }
    }

    /// Listens on the first of these ports that is free; on any by default.
    ///
    /// For issuers that compare the port of a loopback redirect URI too.
    pub fn ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        match &mut self.back {
            Back::Loopback { ports: own, .. } => *own = ports.into_iter().collect(),
            Back::Redirect(_) => self.complain("ports are for a loopback redirect"),
        }
        self
    }

    /// The path of the loopback redirect URI; `/callback` by default.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        let path = path.into();
        let is_path = path.starts_with('/') && !path.contains(['?', '#', ' ']);
        match &mut self.back {
            Back::Loopback { path: own, .. } if is_path => *own = path,
            Back::Loopback { .. } => {
                self.complain("the path must start with / and be nothing else");
            }
            Back::Redirect(_) => self.complain("a path is for a loopback redirect"),
        }
        self
    }

    /// Asks for an API and its scopes; the token that comes with the sign-in is for the first.
    pub fn request<'a>(mut self, request: impl Into<TokenRequest<'a>>) -> Self {
        self.requested.request(request.into());
        self
    }

    /// Asks for a scope that is no API's (`profile`, `email`), beside those of the
    /// [dialect](crate::Dialect::asks_openid): `openid` and `offline_access`.
    pub fn scope(mut self, scope: impl AsRef<str>) -> Self {
        self.requested.scope(scope.as_ref());
        self
    }

    /// What the issuer asks of the person, whatever it knows of them.
    pub fn prompt(mut self, prompt: Prompt) -> Self {
        self.prompt = Some(prompt);
        self
    }

    /// Who is expected to sign in: what the person would type there.
    pub fn login_hint(self, hint: impl Into<String>) -> Self {
        self.set("login_hint", hint)
    }

    /// How long ago the person may have signed in, in whole seconds; the ID token is checked for it.
    ///
    /// An answer that does not show it ends the sign-in, also one without an ID token: it is
    /// [`Error::Protocol`](crate::Error::Protocol) with
    /// [`Violation::SignInAge`](crate::Violation::SignInAge), and the session stays as it was (OpenID
    /// Connect Core sections 3.1.2.1 and 3.1.3.7).
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self.set("max_age", age.as_secs().to_string())
    }

    /// The assurance levels that would do, best first, separated by spaces.
    ///
    /// The issuer does what it can and need not say what it did (OpenID Connect Core section 3.1.2.1 makes
    /// `acr` a voluntary claim), so the answer is not checked for them. Whether they were enough is told
    /// by the API, or by the issuer when a token is asked for: that is
    /// [`Error::StepUp`](crate::Error::StepUp) again.
    pub fn acr_values(self, values: impl Into<String>) -> Self {
        self.set("acr_values", values)
    }

    /// Adds a parameter to the authorization request.
    ///
    /// The parameters of the flow itself are refused when it is used, with
    /// [`Error::Request`](crate::Error::Request).
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        if is_reserved(&name) || OWN.contains(&name.as_str()) {
            self.complain(&format!("parameter `{name}` is set by the sign-in itself"));
        }
        self.parameters.push((name, value.into()));
        self
    }

    /// Is told the URL before the browser opens; by default it is written to stderr.
    ///
    /// A browser may open in the wrong place, or not at all: with the URL the person can go on by hand.
    pub fn announce(mut self, announce: impl Fn(&Url) + Send + Sync + 'static) -> Self {
        self.announce = Arc::new(announce);
        self
    }

    /// Opens no browser: the person follows the announced URL.
    ///
    /// Without the feature `browser` none is opened anyway.
    pub fn without_browser(mut self) -> Self {
        self.opens_browser = false;
        self
    }

    /// How long the person may take; 180 s by default.
    ///
    /// Then it is [`Error::Login`](crate::Error::Login): another sign-in helps, repeating a call does
    /// not.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Also takes the final URL from `source`, for a browser on another machine that cannot come back.
    ///
    /// Whatever comes first counts. See [`paste_from_stdin`](Self::paste_from_stdin).
    pub fn paste_back(
        mut self,
        source: impl Future<Output = io::Result<String>> + Send + 'static,
    ) -> Self {
        self.paste_back = Some(Box::pin(source));
        self
    }

    /// Also takes the final URL as a line of standard input.
    ///
    /// Lines that are no answer at all are passed over: a slip of the hand ends no sign-in. They are read
    /// on a thread that the end of the program does not wait for; once the browser was faster, it still
    /// takes the next line that is typed.
    pub fn paste_from_stdin(self) -> Self {
        self.paste_back(async {
            let (sender, line) = tokio::sync::oneshot::channel();
            let read = move || {
                // The receiver is gone once the browser was faster.
                let _ = sender.send(first_answer(io::stdin().lock()));
            };
            std::thread::Builder::new().spawn(read)?;
            line.await.map_err(io::Error::other)?
        })
    }

    fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.parameters.retain(|(known, _)| known != name);
        self.parameters.push((name.to_owned(), value.into()));
        self
    }

    fn complain(&mut self, problem: &str) {
        self.requested.complain(problem);
    }
}

impl fmt::Debug for AuthorizationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationCode")
            .field("back", &self.back)
            .field("requested", &self.requested)
            .finish_non_exhaustive()
    }
}

/// The first line that could be what a person came back with; empty if there is none.
fn first_answer(lines: impl io::BufRead) -> io::Result<String> {
    let is_answer = |line: &str| {
        let query = line.split_once('?').map_or("", |(_, query)| query);
        pending::is_answer(query)
    };
    let mut lines = lines.lines();
    lines
        .find(|line| line.as_ref().map_or(true, |line| is_answer(line)))
        .unwrap_or_else(|| Ok(String::new()))
}

/// Shows the person at the terminal where to go.
fn announce(url: &Url) {
    use std::io::Write;
    // Where stderr is closed, no person could read it.
    let _ = writeln!(
        io::stderr(),
        "To sign in, open this page in a browser:\n\n    {url}\n"
    );
}

/// Long enough to look for a phone with the second factor; a person who went away is not waited for.
const TIME_LIMIT: Duration = Duration::from_secs(180);

/// Parameters that the sign-in sets itself, beside those of token requests.
const OWN: &[&str] = &[
    "code_challenge",
    "code_challenge_method",
    "max_age",
    "nonce",
    "prompt",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "state",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_no_answer_are_passed_over() {
        let url = "http://127.0.0.1:1/callback?code=c&state=s";
        for (typed, found) in [
            (format!("{url}\n"), url),
            (
                format!("\nyes\nhttp://127.0.0.1:1/callback\n{url}\nmore\n"),
                url,
            ),
            (
                "/callback?error=access_denied".to_owned(),
                "/callback?error=access_denied",
            ),
            ("yes\n".to_owned(), ""),
            (String::new(), ""),
        ] {
            assert_eq!(first_answer(typed.as_bytes()).unwrap(), found, "{typed}");
        }
        first_answer(&b"\xff\n"[..]).unwrap_err();
    }
}
