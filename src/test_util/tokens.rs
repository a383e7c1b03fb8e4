//! Tokens from nowhere, and a source of them that a test prepares.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    error::Error,
    request::{CacheMode, Parameters, Target, TokenRequest},
    scope::{Audience, Scopes},
    secret::Secret,
    source::TokenSource,
    time::{Clock as _, Moment, SystemClock},
    token::{AccessToken, Freshness, Granted, Source, Token},
};

/// An [`AccessToken`] for a test: an hour long, with a text that no issuer has signed.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use intelliauth::test_util::FakeToken;
///
/// let token = FakeToken::new("api.banking.example")
///     .scopes("read:accounts")
///     .lifetime(Duration::from_secs(60))
///     .text("hush")
///     .build();
/// assert_eq!(token.header_value(), "Bearer hush");
/// assert!(token.scopes().contains("read:accounts"));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a fake does nothing before `build`"]
pub struct FakeToken {
    audience: Audience,
    scopes: Scopes,
    lifetime: Duration,
    text: Secret,
    requested_at: Option<Moment>,
    source: Source,
}

/// A [`TokenSource`] that a test prepares and looks at afterwards. Clones share everything.
///
/// Each call takes the oldest outcome that was prepared for its audience: a token of
/// [`grants`](Self::grants) or an error of [`fails`](Self::fails). A call for which none was prepared is
/// answered as a client would do it: a token for what was asked, the same one every time until it is
/// rejected or a request of [`CacheMode::Refresh`] replaces it. An invalid request is
/// [`Error::Request`], and [`CacheMode::Only`] without a token [`Error::NotCached`].
///
/// # Examples
///
/// Does the code under test go on after a 401, and no more than once?
///
/// ```
/// use intelliauth::{Error, TokenSource, test_util::FakeSource};
///
/// async fn call_api(tokens: &impl TokenSource, answers: &[u16]) -> Result<u16, Error> {
///     let token = tokens.get("api.banking.example".into()).await?;
///     if answers[0] != 401 {
///         return Ok(answers[0]);
///     }
///     tokens.reject(&token).await?;
///     let _next = tokens.get("api.banking.example".into()).await?;
///     Ok(answers[1])
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let tokens = FakeSource::new();
/// assert_eq!(call_api(&tokens, &[401, 200]).await?, 200);
/// assert_eq!(tokens.calls("api.banking.example"), 2);
/// let rejected: Vec<_> = tokens.rejected().iter().map(|token| token.secret().to_owned()).collect();
/// assert_eq!(rejected, ["token-1"]);
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct FakeSource(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    prepared: HashMap<Audience, VecDeque<Result<AccessToken, Error>>>,
    /// For the next rejections, in their order.
    refusals: VecDeque<Error>,
    current: HashMap<(Audience, Scopes, Parameters), AccessToken>,
    minted: usize,
    requests: Vec<TokenRequest<'static>>,
    rejected: Vec<AccessToken>,
}

impl FakeToken {
    /// A token for this API.
    pub fn new(audience: impl Into<Audience>) -> Self {
        Self {
            audience: audience.into(),
            scopes: Scopes::none(),
            lifetime: Duration::from_secs(60 * 60),
            text: Secret::from("token"),
            requested_at: None,
            source: Source::Issuer,
        }
    }

    /// What it allows, as the issuer reported; several are separated by spaces. None by default.
    pub fn scopes(mut self, scopes: &str) -> Self {
        self.scopes = Scopes::from_reply(scopes);
        self
    }

    /// How long it lives; an hour by default, and never more than a day.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// The token itself; `token` by default.
    pub fn text(mut self, text: impl Into<Secret>) -> Self {
        self.text = text.into();
        self
    }

    /// When it was asked for; by default now, by the system clock.
    pub fn requested_at(mut self, moment: Moment) -> Self {
        self.requested_at = Some(moment);
        self
    }

    /// Where it came from; [`Source::Issuer`] by default.
    pub fn source(mut self, source: Source) -> Self {
        self.source = source;
        self
    }

    /// The token.
    ///
    /// # Panics
    ///
    /// If its text is empty, or has anything but visible ASCII characters and spaces (RFC 6749 appendix A.12).
    #[must_use]
    pub fn build(self) -> AccessToken {
        let requested_at = self
            .requested_at
            .unwrap_or_else(|| SystemClock::new().now());
        let lifetime = self.lifetime.min(LONGEST_LIFE);
        let target = Target::new(self.audience, self.scopes.clone(), Parameters::none());
        let grant = Granted {
            scopes: self.scopes,
            scopes_are_reported: true,
            audience_is_checked: true,
            came_from: self.source,
        };
        let freshness = Freshness::new(requested_at, lifetime, 0.0);
        #[expect(clippy::expect_used, reason = "a test that is wrong ends here")]
        let token = Token::new(self.text.expose(), target, grant, freshness)
            .expect("the text of a token has to be visible ASCII characters");
        AccessToken::new(Arc::new(token), self.source)
    }
}

impl From<FakeToken> for AccessToken {
    /// As [`FakeToken::build`].
    fn from(token: FakeToken) -> Self {
        token.build()
    }
}

impl FakeSource {
    /// One for which nothing is prepared.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Prepares a token: the next call for its audience gets it, after what was prepared before.
    pub fn grants(&self, token: impl Into<AccessToken>) {
        let token = token.into();
        let audience = token.audience().clone();
        self.prepare(audience, Ok(token));
    }

    /// Prepares an error: the next call for this audience fails with it, after what was prepared before.
    pub fn fails(&self, audience: impl Into<Audience>, error: Error) {
        self.prepare(audience.into(), Err(error));
    }

    /// Prepares an error for the next rejection: a client has [`Error::Denied`] where an API rejects what
    /// has just replaced a rejected token.
    pub fn refuses_rejection(&self, error: Error) {
        self.state().refusals.push_back(error);
    }

    /// How many calls there were for this audience.
    pub fn calls(&self, audience: &str) -> usize {
        let state = self.state();
        let such = |request: &&TokenRequest<'_>| request.audience() == audience;
        state.requests.iter().filter(such).count()
    }

    /// What was asked for, in its order. Requests can be compared with those that a test expects.
    pub fn requests(&self) -> Vec<TokenRequest<'static>> {
        self.state().requests.clone()
    }

    /// The tokens that were rejected, in their order.
    pub fn rejected(&self) -> Vec<AccessToken> {
        self.state().rejected.clone()
    }

    fn prepare(&self, audience: Audience, outcome: Result<AccessToken, Error>) {
        let mut state = self.state();
        state
            .prepared
            .entry(audience)
            .or_default()
            .push_back(outcome);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TokenSource for FakeSource {
    async fn get(&self, request: TokenRequest<'_>) -> Result<AccessToken, Error> {
        let details = request.into_details();
        let mut state = self.state();
        state
            .requests
            .push(TokenRequest::from(details.as_ref().clone()));
        details.check()?;
        let prepared = state.prepared.get_mut(details.audience());
        let key = (
            details.audience().clone(),
            details.scopes().clone(),
            details.parameters().clone(),
        );
        if let Some(outcome) = prepared.and_then(VecDeque::pop_front) {
            let token = outcome?;
            state.current.insert(key, token.clone());
            return Ok(token);
        }
        let current = state
            .current
            .get(&key)
            .filter(|_| details.mode != CacheMode::Refresh);
        match current {
            Some(token) => Ok(AccessToken::new(Arc::clone(token.token()), Source::Cache)),
            None if details.mode == CacheMode::Only => {
                Err(super::errors::not_cached(details.target.asked.audience))
            }
            None => Ok(state.mint(key)),
        }
    }

    async fn reject(&self, rejected: &AccessToken) -> Result<(), Error> {
        let mut state = self.state();
        state.rejected.push(rejected.clone());
        if let Some(error) = state.refusals.pop_front() {
            return Err(error);
        }
        state
            .current
            .retain(|_, token| token.secret() != rejected.secret());
        Ok(())
    }
}

impl fmt::Debug for FakeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeSource")
            .field("requests", &self.state().requests)
            .finish_non_exhaustive()
    }
}

impl State {
    fn mint(&mut self, key: (Audience, Scopes, Parameters)) -> AccessToken {
        self.minted += 1;
        let token = FakeToken {
            scopes: key.1.clone(),
            ..FakeToken::new(key.0.clone()).text(format!("token-{}", self.minted))
        };
        let token = token.build();
        self.current.insert(key, token.clone());
        token
    }
}

/// As for a client.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
