//! Issuers at which each API has a refresh token of its own.

use std::time::Duration;

use intelliauth::{
    AudienceParameter, AuthorizationCode, CacheMode, Dialect, Error, FamilyKey, MemoryStore,
    Session, SessionKey, SessionStore, TokenFamily, TokenRequest,
};
use serde_json::json;

use crate::support::{
    CLIENT_ID, Server,
    person::{BANKING, HEALTH, REDIRECT, callback},
    planted::Counting,
};

fn apart() -> Dialect {
    let mut dialect = Dialect::intelliauth();
    dialect.token_family = TokenFamily::PerAudience;
    dialect
}

/// Signs in for one audience, with a refresh token that is named after it.
async fn sign_in(server: &Server, session: &Session, audience: &str) {
    let code = format!("code-for-{audience}");
    server
        .token()
        .with_parameter("code", &code)
        .member("refresh_token", json!(format!("R-{audience}")))
        .grants(1)
        .mount()
        .await;
    let login =
        AuthorizationCode::redirect_to(REDIRECT).request(TokenRequest::new(audience).scope("read"));
    let (url, pending) = session.begin_sign_in(login).await.unwrap();
    session
        .finish_sign_in(&pending, &callback(&url, &code))
        .await
        .unwrap();
}

#[tokio::test]
async fn each_api_has_a_sign_in_and_a_refresh_token_of_its_own() {
    let server = Server::for_people().await;
    let session = server
        .person()
        .dialect(apart())
        .build()
        .unwrap()
        .default_session();
    sign_in(&server, &session, BANKING).await;
    let Error::Consent(consent) = session.client().get_access_token(HEALTH).await.unwrap_err()
    else {
        panic!("the other API has no sign-in yet")
    };
    let (url, _) = consent.authorization_url(REDIRECT).unwrap();
    let audiences = url.query_pairs().filter(|(name, _)| name == "audience");
    assert_eq!(audiences.count(), 1, "a prompt is for one API there");
    sign_in(&server, &session, HEALTH).await;
    for audience in [BANKING, HEALTH] {
        server
            .refresh(&format!("R-{audience}"))
            .expect(1)
            .mount()
            .await;
        session.client().get_access_token(audience).await.unwrap();
    }
}

#[tokio::test]
async fn one_refused_refresh_token_leaves_the_other_alone() {
    let server = Server::for_people().await;
    let session = server
        .person()
        .dialect(apart())
        .build()
        .unwrap()
        .default_session();
    sign_in(&server, &session, BANKING).await;
    sign_in(&server, &session, HEALTH).await;
    server
        .refresh(&format!("R-{BANKING}"))
        .refuses(400, "invalid_grant")
        .expect(1)
        .mount()
        .await;
    server
        .refresh(&format!("R-{HEALTH}"))
        .expect(1)
        .mount()
        .await;
    let error = session
        .client()
        .get_access_token(BANKING)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
    session.client().get_access_token(HEALTH).await.unwrap();
}

#[tokio::test]
async fn signing_out_revokes_them_all() {
    let server = Server::for_people().await;
    let session = server
        .person()
        .dialect(apart())
        .build()
        .unwrap()
        .default_session();
    sign_in(&server, &session, BANKING).await;
    sign_in(&server, &session, HEALTH).await;
    session.sign_out().await.unwrap();
    assert_eq!(server.count_at("/oauth2/revoke").await, 2);
}

#[tokio::test]
async fn the_audience_goes_out_on_every_leg_as_the_dialect_says() {
    for (parameter, names) in [
        (AudienceParameter::Audience, &["audience"][..]),
        (AudienceParameter::Resource, &["resource"][..]),
        (AudienceParameter::Both, &["audience", "resource"][..]),
    ] {
        let server = Server::for_people().await;
        let mut dialect = Dialect::intelliauth();
        dialect.audience_parameter = parameter;
        let session = server
            .person()
            .dialect(dialect)
            .build()
            .unwrap()
            .default_session();
        sign_in(&server, &session, BANKING).await;
        server.refresh(&format!("R-{BANKING}")).mount().await;
        session.client().get_access_token(BANKING).await.unwrap();
        let seen = server.token_requests().await;
        assert_eq!(seen.len(), 2);
        for request in &seen {
            for name in ["audience", "resource"] {
                let expected = if names.contains(&name) { BANKING } else { "" };
                assert_eq!(request.parameter(name), expected, "{parameter:?}");
            }
        }
    }
}

#[tokio::test]
async fn where_asking_is_harmless_the_issuer_is_asked() {
    let server = Server::for_people().await;
    let mut dialect = Dialect::intelliauth();
    dialect.refresh_may_exceed = true;
    dialect.narrows_per_token = true;
    let session = server
        .person()
        .dialect(dialect)
        .build()
        .unwrap()
        .default_session();
    sign_in(&server, &session, BANKING).await;
    server
        .refresh(&format!("R-{BANKING}"))
        .audience(HEALTH)
        .scope("write")
        .expect(1)
        .mount()
        .await;
    let asked = TokenRequest::new(HEALTH).scope("write");
    session.client().get_access_token(&asked).await.unwrap();
}

#[tokio::test]
async fn a_refresh_that_names_no_scopes_asks_for_the_audience_alone() {
    let server = Server::for_people().await;
    let mut dialect = Dialect::intelliauth();
    dialect.refresh_may_exceed = true;
    let people = server.person().dialect(dialect).build().unwrap();
    let session = people.default_session();
    sign_in(&server, &session, BANKING).await;
    let refresh = server.refresh(&format!("R-{BANKING}")).audience(HEALTH);
    refresh.granting("read").expect(1).mount().await;
    let asked = TokenRequest::new(HEALTH).scope("write");
    let error = session.client().get_access_token(&asked).await.unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error}");
    let seen = server.token_requests().await;
    assert_eq!(seen.last().unwrap().parameter("scope"), "");
}

#[tokio::test]
async fn an_api_without_a_refresh_token_of_its_own_is_not_asked_for_with_anothers() {
    let server = Server::for_people().await;
    let mut dialect = apart();
    dialect.refresh_may_exceed = true;
    let people = server.person().dialect(dialect).build().unwrap();
    let session = people.default_session();
    sign_in(&server, &session, BANKING).await;
    let before = server.count().await;
    let error = session.client().get_access_token(HEALTH).await.unwrap_err();
    assert!(matches!(error, Error::Consent(_)), "{error}");
    assert_eq!(server.count().await, before);
}

#[tokio::test]
async fn families_of_two_apis_do_not_wait_for_each_others_redemption() {
    let server = Server::for_people().await;
    let store = Counting::new();
    let people = server.person().dialect(apart()).store(store.clone());
    let session = people.build().unwrap().default_session();
    for audience in [BANKING, HEALTH] {
        sign_in(&server, &session, audience).await;
        let token = format!("R-{audience}");
        server.refresh(&token).expect(1).mount().await;
    }
    // Another process redeems the one.
    let key = SessionKey::new(server.issuer(), CLIENT_ID, session.name());
    let family = FamilyKey::new(key, Some(BANKING.into()));
    let lock = store.store.lock(&family, Duration::ZERO).await.unwrap();
    store.asked();
    let banking = tokio::spawn({
        let session = session.clone();
        async move { session.client().get_access_token(BANKING).await.map(|_| ()) }
    });
    store.is_asked_for_locks(1).await;
    session.client().get_access_token(HEALTH).await.unwrap();
    assert!(!banking.is_finished(), "it waits for its own family");
    lock.release().await;
    banking.await.unwrap().unwrap();
    let order = [HEALTH, BANKING].map(|audience| format!("R-{audience}"));
    assert_eq!(server.redemptions().await, order);
}

#[tokio::test]
async fn what_two_families_bring_at_one_time_is_kept_of_both() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let session = || {
        let people = server.person().dialect(apart()).store(store.clone());
        people.build().unwrap().default_session()
    };
    let here = session();
    for audience in [BANKING, HEALTH] {
        sign_in(&server, &here, audience).await;
        let answer = server.rotates(&format!("R-{audience}"), &format!("S-{audience}"));
        let answer = answer.access_token(audience).expect(1);
        answer.delayed(Duration::from_millis(200)).mount().await;
        let answer = server.refresh(&format!("S-{audience}"));
        answer.access_token("second").expect(1).mount().await;
    }
    let client = here.client();
    let both = tokio::join!(
        client.get_access_token(BANKING),
        client.get_access_token(HEALTH)
    );
    assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
    let later = session();
    server.advance(1.0);
    for audience in [BANKING, HEALTH] {
        let kept = later.client().get_access_token(audience).await.unwrap();
        assert_eq!(kept.secret(), audience, "taken from the session");
        let forced = TokenRequest::new(audience).cache_mode(CacheMode::Refresh);
        let second = later.client().get_access_token(forced).await.unwrap();
        assert_eq!(second.secret(), "second");
    }
}
