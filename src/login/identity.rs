//! Who has signed in.

use std::{sync::Arc, time::Duration};

use crate::{
    account::Account,
    endpoint::{Endpoint, TokenReply, keys::KeySource},
    error::{Error, Violation},
    jwt::{
        Refused,
        id_token::{self, IdToken},
    },
    time::Moment,
};

/// What the ID token has to fit.
pub(super) struct Expected<'a> {
    pub(super) nonce: Option<&'a str>,
    pub(super) max_age: Option<Duration>,
    pub(super) now: Moment,
}

/// Checks the ID token (`OpenID` Connect Core section 3.1.3.7) and says whose it is.
///
/// Without one nobody is known: the issuer is no `OpenID` provider, or `openid` was not asked for. Then
/// there is no telling either when they signed in, so that a `max_age` is not kept.
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
    let algorithms = id_token::algorithms(&endpoint.entrance(false).await?.id_token_algorithms);
    let expected = id_token::Expected {
        issuer: endpoint.issuer(),
        client_id: endpoint.client_id(),
        nonce: expected.nonce,
        access_token: Some(reply.access_token.expose()),
        max_age: expected.max_age,
        algorithms: &algorithms,
        now: expected.now.wall(),
    };
    let verified = verified(endpoint.keys(), token.expose(), &expected).await?;
    let IdToken {
        subject,
        name,
        preferred_username,
        email,
        ..
    } = verified.map_err(refusal)?;
    let name = name.or(preferred_username);
    Ok(Account::new(Some(subject), name, email))
}

fn refusal(refused: Refused) -> Error {
    match refused {
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
