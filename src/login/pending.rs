//! A sign-in whose answer is still to come, and the check of that answer.

mod authorization_response;

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Authorization, identity};
use crate::{
    endpoint::{Endpoint, Grant, GrantKind, TokenReply},
    error::{Asked, DeniedReason, Error, IssuerAnswer, Refusal, Violation},
    request::{Target, Urgency},
    scope::{Audience, Scopes},
    secret::{self, Secret},
    session::LoginTokens,
    time::{Moment, TimeSource},
};
use authorization_response::AuthorizationResponse;

/// What has to be kept while a person is away at the issuer.
///
/// A web back end keeps it with the person's browser session, on the server or encrypted: it holds the
/// PKCE verifier. It serialises, and is good for one answer within an hour. `Debug` hides it.
#[derive(Clone, Serialize, Deserialize)]
pub struct PendingLogin {
    pub(super) version: u32,
    pub(super) issuer: String,
    pub(super) client_id: String,
    #[serde(with = "secret::written")]
    pub(super) state: Secret,
    #[serde(with = "secret::written")]
    pub(super) nonce: Secret,
    #[serde(with = "secret::written")]
    pub(super) verifier: Secret,
    pub(super) redirect_uri: String,
    pub(super) session: String,
    /// Audiences and their scopes.
    pub(super) asked: Vec<(String, String)>,
    pub(super) identity_scopes: String,
    /// Whether the session has to be the same person's afterwards.
    pub(super) goes_on: bool,
    /// In seconds.
    pub(super) max_age: Option<u64>,
    /// In seconds since the Unix epoch.
    pub(super) created_at: u64,
}

impl PendingLogin {
    /// The session that is signed in when the person comes back.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// The redirect URI that was sent.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    pub(crate) fn state(&self) -> &Secret {
        &self.state
    }

    pub(crate) fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// The code in `callback`, if that is the answer to this sign-in.
    pub(crate) fn accept(
        &self,
        callback: &str,
        authorization: &Authorization,
        now: Moment,
    ) -> Result<Secret, Error> {
        self.check_belongs(authorization, now)?;
        let response = AuthorizationResponse::read(callback, &self.redirect_uri)?;
        let is_ours = response
            .state
            .as_deref()
            .map(|state| secret::is_equal(state, self.state.expose()));
        match (is_ours, &response.error) {
            // Some issuers forget it when they refuse: that ends a sign-in, and never completes one.
            (Some(true), _) | (None, Some(_)) => {}
            _ => {
                return Err(violation(
                    "its state is not the one that was sent, so it belongs to another sign-in",
                ));
            }
        }
        self.check_issuer(&response, authorization)?;
        match (response.code, response.error) {
            (Some(_), Some(_)) => Err(violation("it has a code and an error")),
            (Some(code), None) if code.is_empty() => Err(violation("its code is empty")),
            (Some(code), None) => Ok(code),
            (None, Some(code)) => {
                let shown = IssuerAnswer::new(400)
                    .with_code(Some(code))
                    .with_description(response.description);
                Err(Error::from_answer(
                    &self.sent(&shown),
                    shown,
                    Refusal::default(),
                ))
            }
            (None, None) => Err(violation("it has neither a code nor an error")),
        }
    }

    fn check_belongs(&self, authorization: &Authorization, now: Moment) -> Result<(), Error> {
        let is_ours =
            self.issuer == authorization.issuer && self.client_id == authorization.client_id;
        if !is_ours || self.version != VERSION {
            return Err(Error::request(
                "the pending sign-in is another client's, or of another version of this crate",
            ));
        }
        let now = seconds(now);
        let is_old = now.saturating_sub(self.created_at) > LIFETIME.as_secs();
        // It would not grow old in time.
        let is_ahead = self.created_at.saturating_sub(now) > CLOCK_SKEW.as_secs();
        if is_old || is_ahead {
            return Err(Error::request(
                "the sign-in was started too long ago, or in the future: start it again",
            ));
        }
        Ok(())
    }

    /// RFC 9207 section 2.4: compared exactly, and required where the issuer announces it.
    fn check_issuer(
        &self,
        response: &AuthorizationResponse,
        authorization: &Authorization,
    ) -> Result<(), Error> {
        // What refuses completes no sign-in, so that nothing can be gained with another issuer's.
        let is_exempt = response.code.is_none() && response.error.is_some();
        match &response.issuer {
            Some(issuer) if *issuer != self.issuer => Err(violation(
                "it names another issuer: the two may have been mixed up",
            )),
            None if authorization.names_issuer && !is_exempt => Err(violation(
                "it does not name the issuer, which announces that it would",
            )),
            _ => Ok(()),
        }
    }

    /// Redeems the code, and finds out who signed in.
    pub(crate) async fn redeem(
        &self,
        endpoint: &Arc<Endpoint>,
        code: &Secret,
        clock: &TimeSource,
    ) -> Result<LoginTokens, Error> {
        let (reply, refused) = self.reply(endpoint, code).await?;
        let (all, identity_scopes) = (self.all(), Scopes::from_reply(&self.identity_scopes));
        let expected = identity::Expected {
            asked: &all,
            identity_scopes: &identity_scopes,
            nonce: Some(self.nonce.expose()),
            max_age: self.max_age.map(Duration::from_secs),
            now: clock.now(),
        };
        let account = identity::identify(endpoint, &reply, &expected).await?;
        Ok(LoginTokens {
            account,
            reply,
            // What the issuer refused a token for was not consented to, as far as is known.
            asked: all.into_iter().skip(refused).collect(),
            identity_scopes,
        })
    }

    /// The answer for the first API that the issuer gives a token for, and how many before it were refused.
    ///
    /// A person may consent to one of several APIs. A code whose redemption was refused for its API has yielded
    /// nothing, so that it is no second use to ask for another one (RFC 6749 section 4.1.2).
    async fn reply(
        &self,
        endpoint: &Arc<Endpoint>,
        code: &Secret,
    ) -> Result<(TokenReply, usize), Error> {
        let mut first_refusal = None;
        let apis = self.asked.len().max(1);
        for refused in 0..apis {
            let asked = self.all().into_iter().nth(refused);
            let asked = asked.unwrap_or_else(|| self.first());
            let outcome = self.reply_for(&asked, endpoint, code).await;
            match outcome {
                Ok(reply) => return Ok((reply, refused)),
                Err(error) if is_about_the_api(&error) => {
                    tracing::debug!(audience = %asked.audience, %error, "no token for this API");
                    first_refusal.get_or_insert(error);
                }
                Err(error) => return Err(first_refusal.unwrap_or(error)),
            }
        }
        Err(first_refusal.unwrap_or_else(|| violation("there is nothing to redeem it for")))
    }

    async fn reply_for(
        &self,
        asked: &Asked,
        endpoint: &Arc<Endpoint>,
        code: &Secret,
    ) -> Result<TokenReply, Error> {
        let target = Target::from(asked.clone());
        let grant = Grant {
            kind: GrantKind::AuthorizationCode {
                code,
                verifier: &self.verifier,
                redirect_uri: &self.redirect_uri,
            },
            target: &target,
            urgency: Urgency {
                is_forced: true,
                in_background: false,
            },
        };
        endpoint.token(&grant).await
    }

    fn all(&self) -> Vec<Asked> {
        let read = |(audience, scopes): &(String, String)| Asked {
            audience: Audience::from(audience.as_str()),
            scopes: Scopes::from_reply(scopes),
        };
        self.asked.iter().map(read).collect()
    }

    /// What an error of the authorization endpoint is about: all of the scopes that it may have found unknown,
    /// or else the first API.
    fn sent(&self, response: &IssuerAnswer) -> Asked {
        let first = self.first();
        let is_scope = matches!(response.code(), Some("invalid_scope" | "scope_invalid"));
        if !is_scope {
            return first;
        }
        let identity = Scopes::from_reply(&self.identity_scopes);
        let asked = self.all();
        let scopes = asked
            .iter()
            .fold(identity, |all, one| all.union(&one.scopes));
        Asked { scopes, ..first }
    }

    /// What the token that comes with the sign-in is for; no API if none was asked for.
    fn first(&self) -> Asked {
        let nothing = || Asked {
            audience: Audience::from(""),
            scopes: Scopes::none(),
        };
        self.all().into_iter().next().unwrap_or_else(nothing)
    }
}

impl fmt::Debug for PendingLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingLogin")
            .field("session", &self.session)
            .field("asked", &self.asked)
            .finish_non_exhaustive()
    }
}

/// Whether a query is an answer of an issuer at all, right or wrong.
pub(super) fn is_answer(query: &str) -> bool {
    let mut names = url::form_urlencoded::parse(query.as_bytes());
    names.any(|(name, _)| ["state", "code", "error"].contains(&&*name))
}

/// Whether the issuer has refused one API of a sign-in, and nothing else of it.
fn is_about_the_api(error: &Error) -> bool {
    let Error::Denied(denied) = error else {
        return false;
    };
    matches!(
        denied.reason(),
        DeniedReason::AudienceNotAllowed
            | DeniedReason::ScopeNotAllowed
            | DeniedReason::AccessDenied
    )
}

fn violation(problem: &'static str) -> Error {
    Error::protocol(None, Violation::Callback(problem))
}

pub(super) fn seconds(now: Moment) -> u64 {
    let since = now.wall().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// The version of the serialised form.
pub(super) const VERSION: u32 = 1;

/// Longer than any person takes, and short enough that a forgotten one is of no use.
const LIFETIME: Duration = Duration::from_secs(3600);

/// By how much the clocks of two machines of one web back end may differ.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::{
        login::AuthorizationCode,
        request::TokenRequest,
        time::{Clock, ManualClock},
    };

    const REDIRECT: &str = "https://app.example/callback";

    fn authorization(names_issuer: bool) -> Authorization {
        Authorization {
            endpoint: Url::parse("https://issuer.example/authorize?tenant=1").unwrap(),
            issuer: "https://issuer.example".to_owned(),
            client_id: "app".to_owned(),
            audience_parameters: &["audience", "resource"],
            names_issuer,
            identity_scopes: Scopes::from_reply("openid offline_access"),
            offline_needs_consent: false,
        }
    }

    fn started(names_issuer: bool, clock: &ManualClock) -> (Url, PendingLogin) {
        let login = AuthorizationCode::redirect_to(REDIRECT)
            .request(TokenRequest::new("api.a").scope("read write"))
            .request(TokenRequest::new("api.b").scope("read"));
        login
            .begin(&authorization(names_issuer), "alice", clock.now())
            .unwrap()
    }

    #[test]
    fn the_url_asks_for_everything_in_one_prompt() {
        let (url, pending) = started(false, &ManualClock::new());
        let all = |name: &str| -> Vec<String> {
            url.query_pairs()
                .filter(|(known, _)| known == name)
                .map(|(_, value)| value.into_owned())
                .collect()
        };
        assert_eq!(all("tenant"), ["1"], "the endpoint's own query stays");
        assert_eq!(all("response_type"), ["code"]);
        assert_eq!(all("redirect_uri"), [REDIRECT]);
        assert_eq!(all("scope"), ["offline_access openid read write"]);
        assert_eq!(all("audience"), ["api.a", "api.b"]);
        assert_eq!(all("resource"), ["api.a", "api.b"]);
        assert_eq!(all("code_challenge_method"), ["S256"]);
        assert_eq!(all("code_challenge")[0].len(), 43);
        assert_eq!(all("state"), [pending.state.expose()]);
        assert_eq!(all("nonce"), [pending.nonce.expose()]);
        assert!(!url.as_str().contains(pending.verifier.expose()));
        let (again, _) = started(false, &ManualClock::new());
        assert_ne!(url, again, "state, nonce and verifier are new each time");
    }

    #[test]
    fn only_the_right_answer_is_taken() {
        let clock = ManualClock::new();
        for (names_issuer, query, expected) in [
            (false, "code=c&state=STATE", "ok"),
            (false, "code=c&state=STATE&iss=https://issuer.example", "ok"),
            (true, "code=c&state=STATE&iss=https://issuer.example", "ok"),
            (true, "code=c&state=STATE", "protocol"),
            (
                false,
                "code=c&state=STATE&iss=https://other.example",
                "protocol",
            ),
            (
                false,
                "code=c&state=STATE&iss=https://issuer.example/",
                "protocol",
            ),
            (false, "code=c&state=other", "protocol"),
            (false, "code=c", "protocol"),
            (false, "state=STATE", "protocol"),
            (false, "code=&state=STATE", "protocol"),
            (false, "code=c&state=STATE#code=d", "protocol"),
            (false, "code=c&code=d&state=STATE", "protocol"),
            (false, "code=c&state=STATE&state=STATE", "protocol"),
            (false, "code=c&error=access_denied&state=STATE", "protocol"),
            (false, "error=access_denied&state=STATE", "denied"),
            (false, "error=access_denied&state=other", "protocol"),
            (false, "error=consent_required&state=STATE", "consent"),
            (false, "error=login_required&state=STATE", "login"),
            (false, "error=invalid_scope&state=STATE", "denied"),
            (
                false,
                "error=temporarily_unavailable&state=STATE",
                "unavailable",
            ),
            // Without state and issuer, as one server refuses.
            (true, "error=consent_required", "consent"),
        ] {
            let (_, pending) = started(names_issuer, &clock);
            let query = query.replace("STATE", pending.state.expose());
            for callback in [
                format!("{REDIRECT}?{query}"),
                format!("/callback?{query}\n"),
            ] {
                let outcome = pending.accept(&callback, &authorization(names_issuer), clock.now());
                let found = outcome.as_ref().map_or_else(Error::kind, |_| "ok");
                assert_eq!(found, expected, "{callback}");
                let shown = format!("{outcome:?}");
                assert!(!shown.contains(pending.state.expose()), "{shown}");
            }
        }
    }

    #[test]
    fn an_answer_to_another_place_time_or_client_is_none() {
        let clock = ManualClock::new();
        let (_, pending) = started(false, &clock);
        let state = pending.state.expose().to_owned();
        let accept = |callback: String, authorization: &Authorization| {
            pending.accept(&callback, authorization, clock.now())
        };
        let right = format!("{REDIRECT}?code=c&state={state}");
        let elsewhere = format!("https://app.example/other?code=c&state={state}");
        accept(elsewhere, &authorization(false)).unwrap_err();
        let mut other = authorization(false);
        other.client_id = "another".to_owned();
        accept(right.clone(), &other).unwrap_err();
        accept(right.clone(), &authorization(false)).unwrap();
        let mut ahead = pending.clone();
        ahead.created_at += CLOCK_SKEW.as_secs();
        let now = clock.now();
        ahead.accept(&right, &authorization(false), now).unwrap();
        ahead.created_at += 1;
        let error = ahead
            .accept(&right, &authorization(false), now)
            .unwrap_err();
        assert!(matches!(error, Error::Request(_)), "{error}");
        clock.advance(LIFETIME + Duration::from_secs(1));
        accept(right, &authorization(false)).unwrap_err();
    }

    #[test]
    fn problems_of_the_builder_are_told_when_it_is_used() {
        let now = ManualClock::new().now();
        for login in [
            AuthorizationCode::redirect_to(REDIRECT).request(""),
            AuthorizationCode::redirect_to(REDIRECT).scope("a\"b"),
            AuthorizationCode::redirect_to(REDIRECT).parameter("state", "x"),
            AuthorizationCode::redirect_to(REDIRECT).ports([1]),
            AuthorizationCode::redirect_to("no url"),
            AuthorizationCode::loopback(),
        ] {
            let error = login
                .begin(&authorization(false), "alice", now)
                .unwrap_err();
            assert!(matches!(error, Error::Request(_)), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_answer_makes_it_panic_or_passes_without_the_state(callback in ".*") {
            let clock = ManualClock::new();
            let (_, pending) = started(false, &clock);
            let outcome = pending.accept(&callback, &authorization(false), clock.now());
            proptest::prop_assert!(outcome.is_err());
        }
    }
}
