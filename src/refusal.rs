//! [`Refusal`]: an API's answer that lets a request not through, understood.

mod body;
mod bounds;
mod challenges;

use std::{fmt, time::Duration};

use http::{HeaderMap, HeaderValue, StatusCode, header::WWW_AUTHENTICATE};
use url::Url;

pub(crate) use bounds::LARGEST;

use crate::scope::{Scope, Scopes};
use bounds::names;
use challenges::Challenge;

/// What an API answered instead of what it was asked for, read from any HTTP library's parts.
///
/// It reads `WWW-Authenticate` (RFC 9110 section 11.6.1; the attributes of RFC 6750 section 3, RFC 9470
/// section 3 and RFC 9728 section 5.1), the platform's bodies, and the status of gRPC in headers or
/// trailers. At most 8 KiB of each are read, and whatever they hold is an answer, not a failure.
/// [`Client::after_refusal`](crate::Client::after_refusal) says what to do about it.
///
/// # Examples
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use intelliauth::{Refusal, RefusalKind};
///
/// let mut headers = HeaderMap::new();
/// let challenge = r#"Bearer error="insufficient_scope", scope="read:settings write:settings""#;
/// headers.insert("www-authenticate", challenge.parse()?);
/// let refusal = Refusal::new(StatusCode::FORBIDDEN, &headers);
/// assert_eq!(refusal.kind(), RefusalKind::InsufficientScope);
/// assert_eq!(refusal.scopes().to_string(), "read:settings write:settings");
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Refusal {
    status: StatusCode,
    /// The status of gRPC, where it is one that refuses.
    grpc: Option<u16>,
    challenges: Vec<Challenge>,
    body: body::Said,
    allowed: Scopes,
}

/// What a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalKind {
    /// The token is expired, revoked or malformed, as the API sees it (RFC 6750: `invalid_token`).
    InvalidToken,
    /// The token is good and allows too little (RFC 6750: `insufficient_scope`).
    InsufficientScope,
    /// The person has to prove more (RFC 9470: `insufficient_user_authentication`). The token is good.
    InsufficientAuthentication,
    /// It is not about the token, or no refusal at all: another token would change nothing.
    Other,
}

impl Refusal {
    /// Reads the status and the headers of an answer, whatever it is.
    ///
    /// The status of gRPC is read from the headers as well, where an answer without a body has it.
    pub fn new(status: StatusCode, headers: &HeaderMap) -> Self {
        Self {
            status,
            grpc: grpc_status(headers),
            challenges: read_challenges(headers),
            body: body::Said::default(),
            allowed: Scopes::none(),
        }
    }

    /// Reads the trailers of a gRPC answer too.
    pub fn trailers(mut self, trailers: &HeaderMap) -> Self {
        self.grpc = self.grpc.or_else(|| grpc_status(trailers));
        self.challenges.extend(read_challenges(trailers));
        self
    }

    /// Reads the body too: `{error, required}` and the envelope of the platform.
    ///
    /// A body of more than 8 KiB is not read, and what a challenge says counts for more.
    pub fn body(mut self, body: &[u8]) -> Self {
        self.body = body::read(body);
        self
    }

    /// Names scopes, separated by spaces, that may be asked for if the API wants them.
    ///
    /// An API that wants others gets no token with them, since it must not grow a consent prompt at will:
    /// the error names them. What is no scope (RFC 6749 section 3.3) is left out.
    pub fn allow_scopes(mut self, scopes: impl AsRef<str>) -> Self {
        self.allowed = self.allowed.union(&Scopes::from_reply(scopes.as_ref()));
        self
    }

    /// Whether an answer may be one at all: of any other nothing is read.
    #[cfg(any(feature = "reqwest", feature = "tower"))]
    pub(crate) fn is_one(status: StatusCode, headers: &HeaderMap) -> bool {
        matches!(status.as_u16(), 401 | 403) || grpc_status(headers).is_some()
    }

    /// The same for a set of scopes.
    #[cfg(any(feature = "reqwest", feature = "tower"))]
    pub(crate) fn allow(mut self, scopes: &Scopes) -> Self {
        self.allowed = self.allowed.union(scopes);
        self
    }

    /// What it is about.
    pub fn kind(&self) -> RefusalKind {
        let is_unauthorized = self.status == StatusCode::UNAUTHORIZED || self.grpc == Some(16);
        let is_forbidden = self.status == StatusCode::FORBIDDEN || self.grpc == Some(7);
        // A proxy's challenge, or another scheme's, wants something else than a token.
        let is_foreign = !self.challenges.is_empty() && self.bearer().is_none();
        if !(is_unauthorized || is_forbidden) || is_foreign {
            return RefusalKind::Other;
        }
        match self.error() {
            Some("invalid_token" | "token_expired") => RefusalKind::InvalidToken,
            Some("insufficient_scope") => RefusalKind::InsufficientScope,
            Some("insufficient_user_authentication" | "step_up_required" | "mfa_required") => {
                RefusalKind::InsufficientAuthentication
            }
            Some(_) if self.bearer().is_some_and(|one| one.get("error").is_some()) => {
                RefusalKind::Other
            }
            // RFC 6750 section 3.1: a challenge need not name an error. What a body says beyond the codes
            // above is the API's own affair.
            _ if is_unauthorized => RefusalKind::InvalidToken,
            _ if !self.scopes().is_empty() => RefusalKind::InsufficientScope,
            _ => RefusalKind::Other,
        }
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The error code of the challenge, else of the body, as the API wrote it: look before you log it.
    pub fn error(&self) -> Option<&str> {
        let of_challenge = self.attribute("error");
        of_challenge.or(self.body.error.as_deref())
    }

    /// The scopes that the API wants (`scope` of the challenge and `required` of the body).
    pub fn scopes(&self) -> Scopes {
        let named = self.attribute("scope").unwrap_or_default();
        let all = names(named).chain(self.body.required.iter().map(String::as_str));
        let mut scopes: Vec<Scope> = all.filter_map(|name| Scope::new(name).ok()).collect();
        scopes.truncate(MOST_SCOPES);
        scopes.into_iter().collect()
    }

    /// The kinds of sign-in that would do, most preferred first (RFC 9470: `acr_values`).
    pub fn acr_values(&self) -> Option<&str> {
        self.attribute("acr_values")
    }

    /// How long ago the person may have signed in (RFC 9470: `max_age`), in whole seconds.
    pub fn max_age(&self) -> Option<Duration> {
        let seconds = self.attribute("max_age")?.parse().ok()?;
        Some(Duration::from_secs(seconds))
    }

    /// Where the API describes itself (RFC 9728 section 5.1: `resource_metadata`).
    ///
    /// It is what the API wrote, and nothing of it was checked.
    pub fn resource_metadata(&self) -> Option<Url> {
        Url::parse(self.attribute("resource_metadata")?).ok()
    }

    /// The scopes that may be asked for if the API wants them.
    pub(crate) fn allowed(&self) -> &Scopes {
        &self.allowed
    }

    /// The audience that the challenge names, where it names one.
    ///
    /// No RFC has such an attribute; Azure writes `resource` and `resource_id`, others `audience`.
    pub(crate) fn named_audience(&self) -> Option<&str> {
        let names = ["audience", "resource", "resource_id"];
        names.into_iter().find_map(|name| self.attribute(name))
    }

    /// Whether the challenge itself leaves nothing for the body to say.
    #[cfg(feature = "reqwest")]
    pub(crate) fn is_complete(&self) -> bool {
        match self.attribute("error") {
            Some("insufficient_scope") => self.attribute("scope").is_some(),
            Some(_) => true,
            None => false,
        }
    }

    /// The challenge that counts: of several, one that names an error.
    fn bearer(&self) -> Option<&Challenge> {
        let is_bearer = |one: &&Challenge| one.scheme.eq_ignore_ascii_case("Bearer");
        let all = || self.challenges.iter().filter(is_bearer);
        let with_error = all().find(|one| one.get("error").is_some());
        with_error.or_else(|| all().next())
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.bearer()?.get(name)
    }
}

/// Shows nothing that the API wrote: it may repeat what was sent.
impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("status", &self.status)
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}

fn read_challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let mut left = LARGEST;
    let mut challenges = Vec::new();
    for value in headers.get_all(WWW_AUTHENTICATE) {
        let read = value.as_bytes().len().min(left);
        left -= read;
        challenges::read(&value.as_bytes()[..read], &mut challenges);
    }
    challenges
}

/// The status of gRPC, if it refuses: 16 is UNAUTHENTICATED, 7 is `PERMISSION_DENIED`.
fn grpc_status(headers: &HeaderMap) -> Option<u16> {
    match headers.get("grpc-status").map(HeaderValue::as_bytes)? {
        b"16" => Some(16),
        b"7" => Some(7),
        _ => None,
    }
}

/// More are not read: the request to the issuer would not be taken either.
const MOST_SCOPES: usize = 64;

#[cfg(test)]
mod tests;
