//! Who has signed in.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::{
    account::{Account, Profile},
    endpoint::{Endpoint, TokenReply, keys::KeySource},
    error::{Asked, Error, Violation},
    jwt::{
        Refused,
        id_token::{self, IdToken},
    },
    scope::{Audience, Scopes},
    time::Moment,
};

/// What the ID token has to fit.
pub(super) struct Expected<'a> {
    pub(super) nonce: Option<&'a str>,
    pub(super) max_age: Option<Duration>,
    pub(super) now: Moment,
    /// What the sign-in asked for.
    pub(super) asked: &'a [Asked],
    pub(super) identity_scopes: &'a Scopes,
}

/// Checks the ID token (`OpenID` Connect Core section 3.1.3.7) and says whose it is.
///
/// Without an ID token the person is unknown: the issuer is not an `OpenID` provider, or `openid` was not
/// asked for. It is also unknown then when they signed in, so that a `max_age` is not met.
pub(super) async fn identify(
    endpoint: &Arc<Endpoint>,
    reply: &TokenReply,
    expected: &Expected<'_>,
) -> Result<Account, Error> {
    let Some(token) = &reply.id_token else {
        // Section 3.1.2.1: with `max_age`, the ID token must say when the person signed in.
        return match expected.max_age {
            Some(_) => Err(too_old(
                "there is no ID token to say when the person signed in",
            )),
            None => Ok(Account::default()),
        };
    };
    let algorithms = id_token::algorithms(
        &endpoint
            .authorization_endpoint(false)
            .await?
            .id_token_algorithms,
    );
    let apis = apis(endpoint, expected.asked);
    let rules = id_token::Expected {
        issuer: endpoint.issuer(),
        client_id: endpoint.client_id(),
        apis: &apis,
        nonce: expected.nonce,
        access_token: Some(reply.access_token.expose()),
        max_age: expected.max_age,
        algorithms: &algorithms,
        now: expected.now.wall(),
    };
    let verified = verified(endpoint.keys(), token.expose(), &rules).await;
    let verified = verified.map_err(|error| error.of_issuer(endpoint.issuer()))?;
    let IdToken {
        subject, profile, ..
    } = verified.map_err(|refused| {
        let allowed: Vec<String> = algorithms.iter().map(ToString::to_string).collect();
        refusal(refused, token.expose(), &allowed)
    })?;
    let account = Account::new(Some(subject), None, None).with(profile);
    Ok(described(endpoint, reply, account, expected.identity_scopes).await)
}

/// The names that tokens have for the APIs of a sign-in.
fn apis<'a>(endpoint: &'a Endpoint, asked: &'a [Asked]) -> Vec<&'a str> {
    let renamed = |asked: &'a Asked| endpoint.audiences().expected(&asked.audience);
    let own = asked.iter().map(|asked| &asked.audience);
    let names = own.chain(asked.iter().filter_map(renamed));
    names.map(Audience::as_str).collect()
}

/// The same account, with what the userinfo endpoint says where the ID token is silent about what was
/// granted (OpenID Connect Core section 5.4 leaves the place to the issuer).
///
/// It is asked once. Whatever goes wrong there, the person is signed in, and has no name to show.
async fn described(
    endpoint: &Arc<Endpoint>,
    reply: &TokenReply,
    account: Account,
    asked: &Scopes,
) -> Account {
    // A reply that names no `openid` lists the scopes of the API alone: then all that was asked for counts.
    let reported = reply
        .scopes
        .as_ref()
        .filter(|scopes| scopes.contains("openid"));
    let granted = reported.unwrap_or(asked);
    let (lacks_name, lacks_email) = account.lacks();
    let is_silent =
        (lacks_name && granted.contains("profile")) || (lacks_email && granted.contains("email"));
    if !is_silent {
        return account;
    }
    match timeout(USERINFO_LIMIT, endpoint.userinfo(&reply.access_token)).await {
        // Section 5.3.2: what is about another subject must not be used.
        Ok(Ok(claims)) if claims.get("sub").and_then(Value::as_str) == account.subject() => {
            account.with(Profile::from_claims(&claims))
        }
        Ok(Ok(_)) => {
            tracing::warn!("the userinfo endpoint speaks of another subject: not used");
            account
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "the userinfo endpoint says nothing");
            account
        }
        Err(_elapsed) => {
            tracing::debug!("the userinfo endpoint has not answered in time");
            account
        }
    }
}

fn refusal(refused: Refused, token: &str, allowed: &[String]) -> Error {
    match refused {
        Refused::Algorithm => {
            let problem = format!(
                "its ID token is signed with {}, and the issuer's metadata \
                 (id_token_signing_alg_values_supported) allows {}",
                algorithm_of(token),
                allowed.join(", ")
            );
            Error::protocol(None, Violation::Reply(problem))
        }
        Refused::Missing("auth_time") => {
            too_old("the ID token does not say when the person signed in")
        }
        Refused::AuthenticatedTooLongAgo => too_old("the person signed in longer ago"),
        other => {
            let problem = format!("its ID token does not hold: {other}");
            Error::protocol(None, Violation::Reply(problem))
        }
    }
}

/// What a token says that it is signed with; of the unknown ones only those that are names.
fn algorithm_of(token: &str) -> String {
    let header = token.split('.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
    let header: Option<Map<String, Value>> = serde_json::from_slice(&header).ok();
    let name = header
        .as_ref()
        .and_then(|header| header.get("alg")?.as_str());
    let is_name =
        |name: &&str| name.len() <= 16 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    name.filter(is_name)
        .map_or_else(|| "an algorithm without a name".to_owned(), str::to_owned)
}

/// As far as can be told.
fn too_old(problem: &'static str) -> Error {
    Error::protocol(None, Violation::SignInAge(problem))
}

/// The token, checked with the keys that are known, or with newer ones where its own is none of those.
async fn verified(
    source: &KeySource,
    token: &str,
    expected: &id_token::Expected<'_>,
) -> Result<Result<IdToken, Refused>, Error> {
    let keys = source.current().await?;
    let outcome = id_token::check(token, &keys, expected);
    if outcome != Err(Refused::UnknownKey) {
        return Ok(outcome);
    }
    // The keys may have rotated since they were fetched.
    let newer = source.newer(&keys).await?;
    Ok(newer.map_or(outcome, |newer| id_token::check(token, &newer, expected)))
}

/// How long a sign-in waits for names to show.
const USERINFO_LIMIT: Duration = Duration::from_secs(5);
