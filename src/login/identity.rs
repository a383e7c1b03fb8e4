//! Who has signed in.

use std::{sync::Arc, time::Duration};

use crate::{
    endpoint::{Endpoint, TokenReply},
    error::{Error, Violation},
    jwt::{
        Refused,
        id_token::{self, IdToken},
    },
    store::Account,
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
/// Without one nobody is known: the issuer is no `OpenID` provider, or `openid` was not asked for.
pub(super) async fn identify(
    endpoint: &Arc<Endpoint>,
    reply: &TokenReply,
    expected: &Expected<'_>,
) -> Result<Account, Error> {
    let Some(token) = &reply.id_token else {
        return Ok(Account::default());
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
    let source = endpoint.keys();
    let keys = source.current().await?;
    let outcome = match id_token::check(token.expose(), &keys, &expected) {
        // The keys may have rotated since they were fetched.
        Err(Refused::UnknownKey) => match source.newer(&keys).await? {
            Some(newer) => id_token::check(token.expose(), &newer, &expected),
            None => Err(Refused::UnknownKey),
        },
        outcome => outcome,
    };
    match outcome {
        Ok(IdToken {
            subject,
            name,
            preferred_username,
            email,
            ..
        }) => Ok(Account::new(
            Some(subject),
            name.or(preferred_username),
            email,
        )),
        Err(refused) => {
            let problem = format!("its ID token does not hold: {refused}");
            Err(Error::protocol(None, Violation::Reply(problem)))
        }
    }
}
