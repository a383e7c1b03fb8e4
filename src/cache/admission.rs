//! The checks that a token response passes before it is cached: its audience, its scopes, its lifetime.

use std::{sync::Arc, time::Duration};

use crate::{
    dialect::AudienceRule,
    endpoint::LIFETIME_MAX,
    error::{Asked, Denied, Error, UnavailableReason, Violation},
    jwt::UnverifiedClaims,
    request::Target,
    scope::Scopes,
    slot::Admitted,
    time::Moment,
    token::{Freshness, Granted, Token, TokenResponse},
};

/// What a response is checked against: what was asked for, and when.
pub(super) struct Admission<'a> {
    pub(super) target: &'a Target,
    pub(super) rule: &'a AudienceRule,
    pub(super) started: Moment,
    pub(super) received_at: Moment,
}

impl Admission<'_> {
    /// Checks `response` and makes it a token.
    pub(super) fn admit(&self, response: TokenResponse) -> Admitted {
        let resets = response.resets;
        let admitted = self.judge(response);
        Admitted { resets, ..admitted }
    }

    fn judge(&self, response: TokenResponse) -> Admitted {
        match self.token(response) {
            Err(error) => error.into(),
            // A token inside its reserve is not handed out, not even a new one.
            Ok(token) if !token.freshness.is_usable(self.received_at) => {
                Error::unavailable(UnavailableReason::Timeout).into()
            }
            Ok(token) => {
                let error = token
                    .is_narrowed
                    .then(|| Error::Denied(Denied::narrowed(self.asked(), &token.granted)));
                Admitted {
                    token: Some(Arc::new(token)),
                    error,
                    resets: false,
                }
            }
        }
    }

    fn token(&self, response: TokenResponse) -> Result<Token, Error> {
        let secret = response.access_token.expose();
        let claims = UnverifiedClaims::read(secret);
        let audience_is_checked = self.check_audience(claims.as_ref())?;
        let lifetime = self.lifetime(response.lifetime, claims.as_ref())?;
        let reported = response.scopes.or_else(|| claims.as_ref()?.granted());
        let grant = Granted {
            came_from: response.came_from,
            scopes_are_reported: reported.is_some(),
            scopes: reported
                .map_or_else(|| self.asked().scopes.clone(), |scopes| self.share(scopes)),
            audience_is_checked,
        };
        let requested_at = response.requested_at.unwrap_or(self.started);
        let freshness = Freshness::new(requested_at, lifetime, fastrand::f64());
        Token::new(secret, self.target.clone(), grant, freshness)
            .ok_or_else(|| self.violation(NO_TOKEN))
    }

    /// Shares the set that was asked for with the token, where both are equal.
    fn share(&self, scopes: Scopes) -> Scopes {
        if scopes == self.asked().scopes {
            self.asked().scopes.clone()
        } else {
            scopes
        }
    }

    /// Whether the token names its audience; an error if it names others.
    fn check_audience(&self, claims: Option<&UnverifiedClaims>) -> Result<bool, Error> {
        let Some((claims, expected)) = claims.zip(self.rule.expected(&self.asked().audience))
        else {
            return Ok(false);
        };
        let found = claims.audiences();
        if found.contains(&expected.as_str()) {
            return Ok(true);
        }
        let found = found.into_iter().map(str::to_owned).collect();
        let violation = Violation::WrongAudience {
            expected: expected.clone(),
            found,
        };
        Err(Error::protocol(Some(self.asked()), violation))
    }

    /// The lifetime that the reply names, else the token's own, else a cautious guess; at most a day.
    fn lifetime(
        &self,
        replied: Option<Duration>,
        claims: Option<&UnverifiedClaims>,
    ) -> Result<Duration, Error> {
        let claimed = || {
            let seconds = claims?.lifetime()?.min(LIFETIME_MAX.as_secs_f64());
            Some(Duration::try_from_secs_f64(seconds).unwrap_or_default())
        };
        let lifetime = replied
            .or_else(claimed)
            .unwrap_or(LIFETIME_GUESS)
            .min(LIFETIME_MAX);
        if lifetime.is_zero() {
            return Err(self.violation("its lifetime is zero or less"));
        }
        Ok(lifetime)
    }

    fn asked(&self) -> &Asked {
        &self.target.asked
    }

    fn violation(&self, problem: &str) -> Error {
        Error::protocol(Some(self.asked()), Violation::Reply(problem.to_owned()))
    }
}

const NO_TOKEN: &str = "its access token is empty, or has characters that no access token may have";

/// The lifetime of a token where neither the reply nor the token itself names one.
///
/// RFC 6749 section 5.1 leaves that possible; five minutes is short enough to be true nearly always.
const LIFETIME_GUESS: Duration = Duration::from_secs(300);
