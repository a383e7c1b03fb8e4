//! What a caller asks for, and what makes two requests the same.

mod conversions;
mod key;

use std::{borrow::Cow, fmt, time::Duration};

pub(crate) use key::Parameters;

use crate::{
    error::{Asked, Error},
    scope::{Audience, Scopes},
};

/// A request for an access token: an audience, and what else matters.
///
/// Anything that names an audience can stand in its place: `&str`, `&Audience`, `&TokenRequest`. A
/// request that is built once and passed by reference costs no allocation.
///
/// # Examples
///
/// ```
/// use intelliauth::{CacheMode, TokenRequest};
///
/// let transactions = TokenRequest::new("api.banking.cymmetri.com").scope("read:transactions");
/// let again = TokenRequest::from(&transactions).cache_mode(CacheMode::Refresh);
/// assert_eq!(again.audience(), "api.banking.cymmetri.com");
/// ```
#[derive(Clone)]
#[must_use]
pub struct TokenRequest<'a>(Repr<'a>);

#[derive(Clone)]
enum Repr<'a> {
    Audience(&'a str),
    Borrowed(&'a Details),
    Owned(Box<Details>),
}

/// How a request uses the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheMode {
    /// The cached token if it is usable, else a request. The default.
    #[default]
    Prefer,
    /// The cached token, else [`Error::NotCached`]: never a request.
    Only,
    /// A request that starts after this call, whatever is cached.
    ///
    /// It passes remembered failures too, but not the time for which the issuer asked to be left
    /// alone (`Retry-After`). The token it replaces stays in use if the request fails.
    Refresh,
}

/// What a token is asked for, and so where it is cached within its principal: compared as a structure.
///
/// One type from the caller to the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// What an error names of it.
    pub(crate) asked: Asked,
    pub(crate) parameters: Parameters,
}

/// How a token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Urgency {
    /// Whether the caller wants no remembered failure, and no token from before.
    pub(crate) is_forced: bool,
    /// Whether no caller waits for this: then nothing is retried.
    pub(crate) in_background: bool,
}

/// Everything a request says.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Details {
    pub(crate) target: Target,
    pub(crate) exact_scopes: bool,
    pub(crate) mode: CacheMode,
    pub(crate) timeout: Option<Duration>,
    problem: Option<String>,
}

impl<'a> TokenRequest<'a> {
    /// A request for a token for `audience`, with the scopes that the issuer gives by itself.
    pub fn new(audience: impl Into<Cow<'a, str>>) -> Self {
        match audience.into() {
            Cow::Borrowed(audience) => Self(Repr::Audience(audience)),
            Cow::Owned(audience) => Self(Repr::Owned(Box::new(Details::new(audience.into())))),
        }
    }

    /// Names a scope, or several separated by spaces, in addition to those named before.
    ///
    /// A text that is no scope (RFC 6749 section 3.3) is reported when the request is used, as
    /// [`Error::Request`].
    pub fn scope(self, scope: impl AsRef<str>) -> Self {
        self.with(|details| match scope.as_ref().parse::<Scopes>() {
            Ok(scopes) => details.target.asked.scopes = details.scopes().union(&scopes),
            Err(error) => details.problem = Some(format!("scope {:?}: {error}", scope.as_ref())),
        })
    }

    /// Names several scopes, in addition to those named before.
    pub fn scopes<S: AsRef<str>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        scopes.into_iter().fold(self, Self::scope)
    }

    /// Takes only a token that was fetched for exactly these scopes.
    ///
    /// Without this, a cached token with a larger reported grant answers as well. Use it for a token
    /// that is forwarded to a less trusted service.
    pub fn exact_scopes(self) -> Self {
        self.with(|details| details.exact_scopes = true)
    }

    /// How the cache is used; [`CacheMode::Prefer`] by default.
    pub fn cache_mode(self, mode: CacheMode) -> Self {
        self.with(|details| details.mode = mode)
    }

    /// Adds a parameter to the token request. It is part of the cache key.
    ///
    /// The parameters of the protocol itself (`grant_type`, `client_id`, `scope`, `audience`, …) are
    /// refused with [`Error::Request`]: they have places of their own.
    pub fn parameter(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.with(|details| {
            let (name, value) = (name.into(), value.into());
            if is_reserved(&name) {
                details.problem = Some(format!("parameter `{name}` is set by the client itself"));
            }
            details.target.parameters = details.parameters().with(name, value);
        })
    }

    /// How long this caller waits for a request; 30 s by default. The request itself goes on.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|details| details.timeout = Some(timeout))
    }

    /// The audience that is asked for.
    pub fn audience(&self) -> &str {
        match &self.0 {
            Repr::Audience(audience) => audience,
            Repr::Borrowed(details) => details.audience().as_str(),
            Repr::Owned(details) => details.audience().as_str(),
        }
    }

    /// The scopes that were named; none means whatever the issuer gives by itself.
    pub fn named_scopes(&self) -> &Scopes {
        self.details().map_or(&NO_SCOPES, Details::scopes)
    }

    /// The details, unless this is an audience alone.
    #[inline]
    pub(crate) fn details(&self) -> Option<&Details> {
        match &self.0 {
            Repr::Audience(_) => None,
            Repr::Borrowed(details) => Some(details),
            Repr::Owned(details) => Some(details),
        }
    }

    #[expect(clippy::unnecessary_box_returns, reason = "it is in a box already")]
    pub(crate) fn into_details(self) -> Box<Details> {
        match self.0 {
            Repr::Audience(audience) => Box::new(Details::new(audience.into())),
            Repr::Borrowed(details) => Box::new(details.clone()),
            Repr::Owned(details) => details,
        }
    }

    fn with(self, change: impl FnOnce(&mut Details)) -> Self {
        let mut details = self.into_details();
        change(&mut details);
        Self(Repr::Owned(details))
    }
}

impl Target {
    pub(crate) fn new(audience: Audience, scopes: Scopes, parameters: Parameters) -> Self {
        Self {
            asked: Asked { audience, scopes },
            parameters,
        }
    }

    /// The same API and parameters, with these scopes.
    pub(crate) fn with_scopes(&self, scopes: Scopes) -> Self {
        Self::new(self.asked.audience.clone(), scopes, self.parameters.clone())
    }
}

/// Without extra parameters.
impl From<Asked> for Target {
    fn from(asked: Asked) -> Self {
        Self {
            asked,
            parameters: Parameters::none(),
        }
    }
}

impl Details {
    fn new(audience: Audience) -> Self {
        Target::new(audience, Scopes::none(), Parameters::none()).into()
    }

    pub(crate) fn audience(&self) -> &Audience {
        &self.target.asked.audience
    }

    #[inline]
    pub(crate) fn scopes(&self) -> &Scopes {
        &self.target.asked.scopes
    }

    #[inline]
    pub(crate) fn parameters(&self) -> &Parameters {
        &self.target.parameters
    }

    /// Refuses what could never be answered, before anything is sent.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let audience = self.audience().as_str();
        if let Some(problem) = &self.problem {
            return Err(Error::request(problem.clone()));
        }
        if audience.is_empty() {
            return Err(Error::request(
                "the audience is empty: name the API that the token is for",
            ));
        }
        if audience.chars().any(char::is_control) {
            return Err(Error::request(format!(
                "the audience {audience:?} has control characters"
            )));
        }
        Ok(())
    }

    /// Whether everything that was named could be read.
    #[inline]
    pub(crate) fn is_sound(&self) -> bool {
        self.problem.is_none()
    }
}

/// A request for it, as the cache makes it on its own behalf.
impl From<Target> for Details {
    fn from(target: Target) -> Self {
        Self {
            target,
            exact_scopes: false,
            mode: CacheMode::Prefer,
            timeout: None,
            problem: None,
        }
    }
}

impl fmt::Debug for TokenRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("TokenRequest");
        debug.field("audience", &self.audience());
        if let Some(details) = self.details() {
            debug
                .field("scopes", details.scopes())
                .field("cache_mode", &details.mode);
            debug.field("parameters", details.parameters());
        }
        debug.finish_non_exhaustive()
    }
}

static NO_SCOPES: Scopes = Scopes::none();

/// Whether the client sets the parameter of this name itself.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// Parameters that have a place of their own, or would change what the request is.
const RESERVED: &[&str] = &[
    "assertion",
    "audience",
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code",
    "code_verifier",
    "device_code",
    "grant_type",
    "redirect_uri",
    "refresh_token",
    "resource",
    "scope",
    "subject_token",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(request: TokenRequest<'_>) -> String {
        request.into_details().check().unwrap_err().to_string()
    }

    #[test]
    fn nonsense_is_refused_with_the_reason() {
        assert!(problem("".into()).starts_with("the audience is empty"));
        assert!(problem("a\nb".into()).contains("control characters"));
        assert!(problem(TokenRequest::new("a").scope("ok b\"d")).starts_with("scope"));
        assert!(problem(TokenRequest::new("a").parameter("scope", "x")).contains("`scope`"));
    }

    #[test]
    fn scopes_add_up_in_any_order() {
        let one = TokenRequest::new("a")
            .scope("x y")
            .scopes(["z"])
            .into_details();
        let other = TokenRequest::new("a")
            .scope("z")
            .scope("y")
            .scope("x x")
            .into_details();
        assert_eq!(one.scopes(), other.scopes());
    }

    #[test]
    fn a_borrowed_request_is_changed_without_touching_the_original() {
        let original = TokenRequest::new("a").scope("x");
        let changed = TokenRequest::from(&original).scope("y");
        assert_eq!(original.details().unwrap().scopes().to_string(), "x");
        assert_eq!(changed.details().unwrap().scopes().to_string(), "x y");
    }

    #[test]
    fn debug_hides_the_values_of_parameters() {
        let request = TokenRequest::new("a").parameter("login_hint", "alice@example.com");
        let shown = format!("{request:?}");
        assert!(
            shown.contains("login_hint") && !shown.contains("alice"),
            "{shown}"
        );
    }
}
