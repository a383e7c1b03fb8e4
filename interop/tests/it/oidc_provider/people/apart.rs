//! [`TokenFamily::PerAudience`]: each API with a sign-in and a refresh token of its own.

use std::time::Duration;

use intelliauth::{AuthorizationCode, Dialect, Error, TokenFamily};
use serde_json::json;

use super::{CALLBACK, all, banking, clock, health, redemptions, sign_in};
use crate::support::{BANKING, HEALTH, Person, Server};

#[tokio::test]
async fn each_api_has_a_sign_in_and_a_refresh_token_of_its_own() {
    let mut server = Server::for_people();
    let alice = Person::new("alice");
    let clock = clock();
    let mut dialect = Dialect::resource_indicators();
    dialect.token_family = TokenFamily::PerAudience;
    let people = server.desktop().dialect(dialect).clock(clock.clone());
    let session = people.build().unwrap().default_session();
    let one = AuthorizationCode::redirect_to(CALLBACK).request(banking());
    sign_in(&session, &alice, one).await;
    session.client().get_access_token(banking()).await.unwrap();

    let error = session
        .client()
        .get_access_token(health())
        .await
        .unwrap_err();
    let Error::Consent(consent) = error else {
        panic!("{error}")
    };
    let (page, pending) = consent.authorization_url(CALLBACK).unwrap();
    assert_eq!(all(&page, "resource"), [HEALTH], "for this one alone");
    let visit = alice.approve(&page).await;
    session
        .finish_sign_in(&pending, visit.callback())
        .await
        .unwrap();

    for round in 1..=3 {
        clock.advance(Duration::from_secs(600));
        for (request, audience) in [(banking(), BANKING), (health(), HEALTH)] {
            let token = session.client().get_access_token(request).await.unwrap();
            server.verify(token.secret(), audience).await.unwrap();
            let such = json!({"grant": "refresh_token", "resource": audience, "status": 200});
            assert_eq!(server.count("/token", &such), round);
        }
    }
    assert_eq!(redemptions(&mut server, 400), 0);
    session.sign_out().await.unwrap();
    let revoked = json!({"status": 200});
    assert_eq!(server.count("/token/revocation", &revoked), 2);
}
