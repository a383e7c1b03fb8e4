//! Redemptions of a refresh token: how many, what comes of each answer, and when none is sent.

use std::time::Duration;

use intelliauth::{
    CacheMode, Dialect, Error, FamilyKey, MemoryStore, RefreshAhead, SessionKey, SessionStore,
    TokenRequest,
};
use serde_json::json;

use super::ask;
use crate::support::{
    Server,
    person::{BANKING, HEALTH},
};

#[tokio::test]
async fn one_sign_in_serves_both_audiences_and_the_tokens_rotate_one_after_the_other() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server.sign_in(&session).await;
    server
        .refresh("R0")
        .access_token("first")
        .member("refresh_token", json!("R1"))
        .expect(1)
        .mount()
        .await;
    server
        .refresh("R1")
        .access_token("second")
        .member("refresh_token", json!("R2"))
        .expect(1)
        .mount()
        .await;
    let (one, two) = tokio::join!(
        session.client().get_access_token(BANKING),
        session.client().get_access_token(HEALTH)
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.secret(), two.secret());
    assert_eq!(one.audience().as_str(), BANKING);
    let seen = server.token_requests().await;
    for request in &seen[1..] {
        assert_eq!(request.parameter("scope"), "", "narrowing may be permanent");
        assert!([BANKING, HEALTH].contains(&request.parameter("audience")));
    }
    assert_eq!(server.redemptions().await, ["R0", "R1"]);
}

#[tokio::test]
async fn a_hundred_callers_redeem_once() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server.sign_in(&session).await;
    server.refresh("R0").expect(1).mount().await;
    let calls: Vec<_> = (0..100)
        .map(|_| session.clone())
        .map(|session| tokio::spawn(async move { ask(&session, BANKING).await }))
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_old_refresh_token_stays_when_none_comes_back() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server.sign_in(&session).await;
    server.refresh("R0").expect(2).mount().await;
    session.client().get_access_token(BANKING).await.unwrap();
    session.client().get_access_token(HEALTH).await.unwrap();
}

#[tokio::test]
async fn trouble_at_a_refresh_ends_no_session() {
    let html = "<html>maintenance</html>";
    for (status, body) in [(500, ""), (502, html), (503, "{}"), (429, "")] {
        let server = Server::for_people().await;
        let session = server.person().build().unwrap().default_session();
        server.sign_in(&session).await;
        server
            .refresh("R0")
            .raw(status, body, "text/html")
            .times(3)
            .mount()
            .await;
        server.refresh("R0").mount().await;
        for _ in 0..3 {
            let error = session
                .client()
                .get_access_token(BANKING)
                .await
                .unwrap_err();
            assert!(error.is_retryable(), "{status}: {error}");
            server.advance(120.0);
        }
        session.client().get_access_token(BANKING).await.unwrap();
    }
}

#[tokio::test]
async fn a_redemption_whose_answer_was_lost_is_repeated_once_ever() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let session = server
        .person()
        .store(store.clone())
        .build()
        .unwrap()
        .default_session();
    server.sign_in(&session).await;
    server
        .refresh("R0")
        .raw(200, r#"{"access_token":"t","refr"#, "application/json")
        .expect(2)
        .mount()
        .await;
    let error = session
        .client()
        .get_access_token(BANKING)
        .await
        .unwrap_err();
    assert!(error.is_retryable(), "{error}");
    server.advance(10.0);
    let error = session
        .client()
        .get_access_token(BANKING)
        .await
        .unwrap_err();
    assert!(error.is_retryable(), "{error}");
    // Neither here nor in another process.
    let other = server
        .person()
        .store(store)
        .build()
        .unwrap()
        .default_session();
    for session in [session, other] {
        server.advance(10.0);
        let error = session
            .client()
            .get_access_token(BANKING)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
    }
}

#[tokio::test]
async fn the_new_refresh_token_of_an_unusable_answer_is_kept() {
    for (member, value) in [
        ("expires_in", json!(0)),
        ("token_type", json!("DPoP")),
        ("access_token", json!(7)),
        ("scope", json!(7)),
    ] {
        let server = Server::for_people().await;
        let session = server.person().build().unwrap().default_session();
        server.sign_in(&session).await;
        server
            .rotates("R0", "R1")
            .member(member, value)
            .expect(1)
            .mount()
            .await;
        server.refresh("R1").expect(1).mount().await;
        let error = session
            .client()
            .get_access_token(BANKING)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{member}: {error}");
        session.client().get_access_token(HEALTH).await.unwrap();
    }
}

#[tokio::test]
async fn a_lost_answer_that_the_issuer_repeats_costs_nothing() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server.sign_in(&session).await;
    server
        .refresh("R0")
        .raw(200, "{\"acc", "application/json")
        .times(1)
        .mount()
        .await;
    server.rotates("R0", "R1").expect(1).mount().await;
    server.refresh("R1").expect(1).mount().await;
    session
        .client()
        .get_access_token(BANKING)
        .await
        .unwrap_err();
    server.advance(10.0);
    session.client().get_access_token(BANKING).await.unwrap();
    session.client().get_access_token(HEALTH).await.unwrap();
}

#[tokio::test]
async fn a_refused_token_ends_the_session_and_is_not_sent_again() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server.sign_in(&session).await;
    server
        .refresh("R0")
        .refuses(400, "invalid_grant")
        .expect(1)
        .mount()
        .await;
    for audience in [BANKING, HEALTH, BANKING] {
        let error = session
            .client()
            .get_access_token(audience)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
        server.advance(200.0);
    }
}

#[tokio::test]
async fn a_vague_refusal_asks_for_a_sign_in_and_keeps_the_token() {
    for refusal in ["", r#"{"error":"invalid_request"}"#] {
        let server = Server::for_people().await;
        let session = server.person().build().unwrap().default_session();
        server.sign_in(&session).await;
        server
            .refresh("R0")
            .raw(400, refusal, "application/json")
            .times(1)
            .mount()
            .await;
        server.refresh("R0").expect(1).mount().await;
        for _ in 0..3 {
            let error = session
                .client()
                .get_access_token(BANKING)
                .await
                .unwrap_err();
            assert!(matches!(error, Error::Login(_)), "{refusal}: {error}");
        }
        server.advance(121.0);
        session.client().get_access_token(BANKING).await.unwrap();
    }
}

#[tokio::test]
async fn a_forced_call_redeems_although_the_store_has_a_fresh_token() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server.sign_in(&session).await;
    server.refresh("R0").expect(2).mount().await;
    session.client().get_access_token(BANKING).await.unwrap();
    server.advance(1.0);
    let forced = TokenRequest::new(BANKING).cache_mode(CacheMode::Refresh);
    session.client().get_access_token(forced).await.unwrap();
}

#[tokio::test]
async fn inline_refresh_waits_and_falls_back_to_the_old_token() {
    let server = Server::for_people().await;
    let session = server
        .person()
        .refresh_ahead(RefreshAhead::Inline)
        .build()
        .unwrap()
        .default_session();
    server.sign_in(&session).await;
    server.refresh("R0").grants(300).times(1).mount().await;
    server
        .refresh("R0")
        .refuses(503, "temporarily_unavailable")
        .expect(1)
        .mount()
        .await;
    let first = session.client().get_access_token(BANKING).await.unwrap();
    server.advance(250.0);
    let second = session.client().get_access_token(BANKING).await.unwrap();
    assert_eq!(first.secret(), second.secret());
}

#[tokio::test]
async fn the_one_repetition_waits_until_the_issuer_answers_at_all() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server.sign_in(&session).await;
    server
        .refresh("R0")
        .raw(200, "{\"acc", "application/json")
        .times(1)
        .mount()
        .await;
    server.refresh("R0").expect(1).mount().await;
    session
        .client()
        .get_access_token(BANKING)
        .await
        .unwrap_err();
    server.metadata_fails(3).await;
    for _ in 0..3 {
        server.advance(120.0);
        let error = session
            .client()
            .get_access_token(BANKING)
            .await
            .unwrap_err();
        assert!(error.is_retryable(), "{error}");
    }
    server.advance(120.0);
    session.client().get_access_token(BANKING).await.unwrap();
}

#[tokio::test]
async fn an_unusable_answer_that_was_read_whole_is_no_lost_one() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server.sign_in(&session).await;
    server
        .refresh("R0")
        .audience(HEALTH)
        .member("expires_in", json!(0))
        .mount()
        .await;
    server.refresh("R0").audience(BANKING).mount().await;
    for _ in 0..2 {
        let error = ask(&session, HEALTH).await.unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{error}");
        server.advance(120.0);
    }
    ask(&session, BANKING).await.unwrap();
}

#[tokio::test]
async fn the_lock_is_free_during_a_back_off() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let signing = server
        .person()
        .store(store.clone())
        .build()
        .unwrap()
        .default_session();
    server.sign_in(&signing).await;
    // The token endpoint is gone, the metadata is not.
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut document = server.metadata();
    document["token_endpoint"] = json!(format!("http://{address}/token"));
    wiremock::Mock::given(wiremock::matchers::path(crate::support::DISCOVERY_PATH))
        .respond_with(wiremock::ResponseTemplate::new(200).set_body_json(&document))
        .with_priority(1)
        .mount(&server.mock)
        .await;
    let session = server
        .person()
        .retries(5)
        .store(store.clone())
        .build()
        .unwrap()
        .default_session();
    let call = tokio::spawn(async move { ask(&session, BANKING).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let key = SessionKey::new(server.issuer(), crate::support::CLIENT_ID, "default");
    let lock = store
        .lock(&FamilyKey::new(key, None), Duration::from_millis(300))
        .await;
    drop(lock.unwrap());
    call.await.unwrap().unwrap_err();
}

/// What was redeemed for which API, in the order of the requests.
async fn redeemed(server: &Server) -> Vec<(String, String)> {
    let requests = server.token_requests().await;
    let redemptions = requests
        .iter()
        .filter(|seen| !seen.parameter("refresh_token").is_empty());
    redemptions
        .map(|seen| {
            let token = seen.parameter("refresh_token").to_owned();
            (token, seen.parameter("audience").to_owned())
        })
        .collect()
}

#[tokio::test]
async fn a_lost_redemption_is_repeated_as_the_same_request_and_what_is_wanted_comes_after_it() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server.sign_in(&session).await;
    server
        .refresh("R0")
        .raw(200, "{\"acc", "application/json")
        .times(1)
        .mount()
        .await;
    server
        .rotates("R0", "R1")
        .audience(BANKING)
        .times(1)
        .mount()
        .await;
    server
        .rotates("R1", "R2")
        .audience(HEALTH)
        .times(1)
        .mount()
        .await;
    session
        .client()
        .get_access_token(BANKING)
        .await
        .unwrap_err();
    server.advance(10.0);
    session.client().get_access_token(HEALTH).await.unwrap();
    let expected = [("R0", BANKING), ("R0", BANKING), ("R1", HEALTH)];
    let expected = expected.map(|(token, audience)| (token.to_owned(), audience.to_owned()));
    assert_eq!(redeemed(&server).await, expected);
    // And the token of the repetition is kept.
    session.client().get_access_token(BANKING).await.unwrap();
    assert_eq!(redeemed(&server).await.len(), 3);
}

#[tokio::test]
async fn within_a_grace_period_a_lost_redemption_is_repeated_as_often_as_it_takes() {
    let server = Server::for_people().await;
    let mut dialect = Dialect::intelliauth();
    dialect.refresh_grace = Some(Duration::from_secs(60));
    let people = server.person().dialect(dialect).build().unwrap();
    let session = people.default_session();
    server.sign_in(&session).await;
    server
        .refresh("R0")
        .raw(200, "{\"acc", "application/json")
        .times(4)
        .mount()
        .await;
    server.rotates("R0", "R1").mount().await;
    for _ in 0..4 {
        session
            .client()
            .get_access_token(BANKING)
            .await
            .unwrap_err();
        // The fourth failure is remembered for 4 to 12 s, and all of it fits into the grace period.
        server.advance(13.0);
    }
    session.client().get_access_token(BANKING).await.unwrap();
    assert_eq!(redeemed(&server).await.len(), 5);
}
