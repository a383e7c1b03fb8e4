//! A person's session: what is redeemed, kept, adopted and given up, by counting requests.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use intelliauth::{
    CacheMode, Client, Error, MemoryStore, RefreshAhead, SessionKey, SessionLock, SessionRecord,
    SessionStore, StoreError, StoreErrorKind, TokenRequest,
};
use serde_json::json;

use crate::support::{
    Server,
    person::{BANKING, HEALTH},
};

async fn ask(client: &Client, audience: &str) -> Result<(), Error> {
    client.get_access_token(audience).await.map(|_| ())
}

#[tokio::test]
async fn one_sign_in_serves_both_audiences_and_the_tokens_rotate_one_after_the_other() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    server.sign_in(&client).await;
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
        client.get_access_token(BANKING),
        client.get_access_token(HEALTH)
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
    let client = server.person().build().unwrap();
    server.sign_in(&client).await;
    server.refresh("R0").expect(1).mount().await;
    let calls: Vec<_> = (0..100)
        .map(|_| client.clone())
        .map(|client| tokio::spawn(async move { ask(&client, BANKING).await }))
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_old_refresh_token_stays_when_none_comes_back() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    server.sign_in(&client).await;
    server.refresh("R0").expect(2).mount().await;
    client.get_access_token(BANKING).await.unwrap();
    client.get_access_token(HEALTH).await.unwrap();
}

#[tokio::test]
async fn another_process_adopts_what_is_in_the_store_without_a_request() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let one = server.person().store(store.clone()).build().unwrap();
    let two = server.person().store(store).build().unwrap();
    server.sign_in(&one).await;
    server.rotates("R0", "R1").expect(1).mount().await;
    let first = one.get_access_token(BANKING).await.unwrap();
    let second = two.get_access_token(BANKING).await.unwrap();
    assert_eq!(first.secret(), second.secret());
    assert_eq!(first.expires_at(), second.expires_at());
}

#[tokio::test]
async fn two_processes_with_the_same_expired_session_make_one_redemption() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let clients: Vec<_> = (0..4)
        .map(|_| server.person().store(store.clone()).build().unwrap())
        .collect();
    server.sign_in(&clients[0]).await;
    server
        .rotates("R0", "R1")
        .delayed(Duration::from_millis(50))
        .expect(1)
        .mount()
        .await;
    let calls: Vec<_> = clients
        .iter()
        .cloned()
        .map(|client| tokio::spawn(async move { ask(&client, BANKING).await }))
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn trouble_at_a_refresh_ends_no_session() {
    let html = "<html>maintenance</html>";
    for (status, body) in [(500, ""), (502, html), (503, "{}"), (429, "")] {
        let server = Server::for_people().await;
        let client = server.person().build().unwrap();
        server.sign_in(&client).await;
        server
            .refresh("R0")
            .raw(status, body, "text/html")
            .times(3)
            .mount()
            .await;
        server.refresh("R0").mount().await;
        for _ in 0..3 {
            let error = client.get_access_token(BANKING).await.unwrap_err();
            assert!(error.is_retryable(), "{status}: {error}");
            server.advance(120.0);
        }
        client.get_access_token(BANKING).await.unwrap();
    }
}

#[tokio::test]
async fn a_redemption_whose_answer_was_lost_is_repeated_once_ever() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let client = server.person().store(store.clone()).build().unwrap();
    server.sign_in(&client).await;
    server
        .refresh("R0")
        .raw(200, r#"{"access_token":"t","refr"#, "application/json")
        .expect(2)
        .mount()
        .await;
    let error = client.get_access_token(BANKING).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    server.advance(10.0);
    let error = client.get_access_token(BANKING).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    // Neither here nor in another process.
    let other = server.person().store(store).build().unwrap();
    for client in [client, other] {
        server.advance(10.0);
        let error = client.get_access_token(BANKING).await.unwrap_err();
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
        let client = server.person().build().unwrap();
        server.sign_in(&client).await;
        server
            .rotates("R0", "R1")
            .member(member, value)
            .expect(1)
            .mount()
            .await;
        server.refresh("R1").expect(1).mount().await;
        let error = client.get_access_token(BANKING).await.unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{member}: {error}");
        client.get_access_token(HEALTH).await.unwrap();
    }
}

#[tokio::test]
async fn a_lost_answer_that_the_issuer_repeats_costs_nothing() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    server.sign_in(&client).await;
    server
        .refresh("R0")
        .raw(200, "{\"acc", "application/json")
        .times(1)
        .mount()
        .await;
    server.rotates("R0", "R1").expect(1).mount().await;
    server.refresh("R1").expect(1).mount().await;
    client.get_access_token(BANKING).await.unwrap_err();
    server.advance(10.0);
    client.get_access_token(BANKING).await.unwrap();
    client.get_access_token(HEALTH).await.unwrap();
}

#[tokio::test]
async fn a_refused_token_ends_the_session_and_is_not_sent_again() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    server.sign_in(&client).await;
    server
        .refresh("R0")
        .refuses(400, "invalid_grant")
        .expect(1)
        .mount()
        .await;
    for audience in [BANKING, HEALTH, BANKING] {
        let error = client.get_access_token(audience).await.unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
        server.advance(200.0);
    }
}

#[tokio::test]
async fn a_vague_refusal_asks_for_a_sign_in_and_keeps_the_token() {
    for refusal in ["", r#"{"error":"invalid_request"}"#] {
        let server = Server::for_people().await;
        let client = server.person().build().unwrap();
        server.sign_in(&client).await;
        server
            .refresh("R0")
            .raw(400, refusal, "application/json")
            .times(1)
            .mount()
            .await;
        server.refresh("R0").expect(1).mount().await;
        for _ in 0..3 {
            let error = client.get_access_token(BANKING).await.unwrap_err();
            assert!(matches!(error, Error::Login(_)), "{refusal}: {error}");
        }
        server.advance(121.0);
        client.get_access_token(BANKING).await.unwrap();
    }
}

/// A store in which another process, without regard for the lock, puts something while one redeems.
#[tokio::test]
async fn a_newer_token_in_the_store_is_adopted_and_not_erased() {
    let server = Server::for_people().await;
    let (store, other) = (MemoryStore::new(), MemoryStore::new());
    let client = server.person().store(store.clone()).build().unwrap();
    server.sign_in(&client).await;
    // The other process starts from the same session, and rotates it.
    let key = SessionKey::new(server.issuer(), crate::support::CLIENT_ID, "default");
    let record = store.load(&key).await.unwrap().unwrap();
    other.save(&key, &record).await.unwrap();
    let second = server.person().store(other.clone()).build().unwrap();
    server.rotates("R0", "R1").times(1).mount().await;
    second.get_access_token(HEALTH).await.unwrap();
    let rotated = other.load(&key).await.unwrap().unwrap();
    // While the first one is refused, the second's record lands in its store.
    server
        .refresh("R0")
        .refuses(400, "invalid_grant")
        .delayed(Duration::from_millis(200))
        .mount()
        .await;
    server.rotates("R1", "R2").expect(1).mount().await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { ask(&client, BANKING).await }
    });
    server.arrived(3).await;
    store.save(&key, &rotated).await.unwrap();
    call.await.unwrap().unwrap();
    assert_eq!(server.redemptions().await, ["R0", "R0", "R1"]);
}

#[tokio::test]
async fn what_the_sign_in_does_not_cover_needs_consent_without_a_request() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    server.sign_in_as(&client, json!("R0"), &[BANKING]).await;
    let asked = TokenRequest::new(BANKING).scope("read:api.banking write:settings");
    let Error::Consent(consent) = client.get_access_token(&asked).await.unwrap_err() else {
        panic!("consent is what is missing")
    };
    assert_eq!(consent.missing().to_string(), "write:settings");
    let error = client.get_access_token(HEALTH).await.unwrap_err();
    assert!(matches!(error, Error::Consent(_)), "{error}");
    assert_eq!(server.count().await, 1, "the sign-in's own request");
}

#[tokio::test]
async fn what_the_issuer_withheld_is_denied_and_prompts_nobody_again() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    server
        .token()
        .with_parameter("code", "code-0")
        .member("refresh_token", json!("R0"))
        .granting("openid read:api.banking")
        .mount()
        .await;
    let login = intelliauth::AuthorizationCode::redirect_to(crate::support::person::REDIRECT)
        .request(TokenRequest::new(BANKING).scope("read:api.banking write:settings"));
    let (url, pending) = client.start(login).await.unwrap();
    let callback = crate::support::person::callback(&url, "code-0");
    client.finish(&pending, &callback).await.unwrap();
    let asked = TokenRequest::new(BANKING).scope("write:settings");
    let error = client.get_access_token(&asked).await.unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error}");
}

#[tokio::test]
async fn consent_given_in_another_process_counts_at_once() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let one = server.person().store(store.clone()).build().unwrap();
    let two = server.person().store(store).build().unwrap();
    server.sign_in_as(&one, json!("R0"), &[BANKING]).await;
    one.get_access_token(HEALTH).await.unwrap_err();
    server
        .sign_in_as(&two, json!("R1"), &[BANKING, HEALTH])
        .await;
    server.refresh("R1").expect(1).mount().await;
    server.advance(1.5);
    one.get_access_token(HEALTH).await.unwrap();
}

#[tokio::test]
async fn another_persons_sign_in_leaves_nothing_of_the_first() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    server.sign_in(&client).await;
    server.rotates("R0", "R1").mount().await;
    server.refresh("R1").mount().await;
    let first = client.get_access_token(HEALTH).await.unwrap();
    client.get_access_token(BANKING).await.unwrap();
    client.sign_out().await.unwrap();
    server.sign_in_as(&client, json!("B0"), &[BANKING]).await;
    server.refresh("B0").expect(1).mount().await;
    client.get_access_token(BANKING).await.unwrap();
    match client.get_access_token(HEALTH).await {
        Err(Error::Consent(_)) => {}
        Ok(token) => panic!("that is {}", token.secret() == first.secret()),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_refresh_in_flight_does_not_undo_a_sign_out() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let client = server.person().store(store.clone()).build().unwrap();
    server.sign_in(&client).await;
    server
        .rotates("R0", "R1")
        .delayed(Duration::from_millis(300))
        .expect(1)
        .mount()
        .await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { ask(&client, BANKING).await }
    });
    server.arrived(2).await;
    client.sign_out().await.unwrap();
    let _ = call.await.unwrap();
    client.close().await;
    let error = client.get_access_token(BANKING).await.unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
    let fresh = server.person().store(store).build().unwrap();
    assert_eq!(fresh.account().await.unwrap(), None);
    fresh.get_access_token(BANKING).await.unwrap_err();
}

#[tokio::test]
async fn signing_out_in_another_process_is_noticed_at_the_next_window() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let one = server.person().store(store.clone()).build().unwrap();
    let two = server.person().store(store).build().unwrap();
    server.sign_in(&one).await;
    server.rotates("R0", "R1").grants(300).mount().await;
    server.rotates("R1", "R2").grants(300).mount().await;
    one.get_access_token(BANKING).await.unwrap();
    one.get_access_token(HEALTH).await.unwrap();
    two.sign_out().await.unwrap();
    one.get_access_token(BANKING).await.unwrap();
    server.advance(250.0);
    one.get_access_token(BANKING).await.unwrap();
    one.close().await;
    for audience in [BANKING, HEALTH] {
        let error = one.get_access_token(audience).await.unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{audience}: {error}");
    }
}

/// A store that can be told to fail.
#[derive(Clone, Debug)]
struct Failing {
    store: MemoryStore,
    fails: Arc<AtomicBool>,
}

impl SessionStore for Failing {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        self.store.load(key).await
    }

    async fn save(&self, key: &SessionKey, record: &SessionRecord) -> Result<(), StoreError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError::new(StoreErrorKind::Full, "no space left"));
        }
        self.store.save(key, record).await
    }

    async fn lock(&self, key: &SessionKey, patience: Duration) -> Result<SessionLock, StoreError> {
        self.store.lock(key, patience).await
    }

    async fn set_aside(&self, key: &SessionKey) -> Result<(), StoreError> {
        self.store.set_aside(key).await
    }
}

#[tokio::test]
async fn a_store_that_fills_up_during_a_redemption_costs_nobody_the_session() {
    let server = Server::for_people().await;
    let store = Failing {
        store: MemoryStore::new(),
        fails: Arc::default(),
    };
    let client = server.person().store(store.clone()).build().unwrap();
    server.sign_in(&client).await;
    server
        .rotates("R0", "R1")
        .delayed(Duration::from_millis(100))
        .expect(1)
        .mount()
        .await;
    server.rotates("R1", "R2").expect(1).mount().await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { ask(&client, BANKING).await }
    });
    server.arrived(2).await;
    store.fails.store(true, Ordering::SeqCst);
    call.await.unwrap().unwrap();
    // What cannot be kept is not redeemed either.
    let error = client.get_access_token(HEALTH).await.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error}");
    store.fails.store(false, Ordering::SeqCst);
    client.close().await;
    // Another process finds what was written in the end.
    let other = server.person().store(store).build().unwrap();
    other.get_access_token(HEALTH).await.unwrap();
}

#[tokio::test]
async fn a_damaged_record_is_set_aside_and_a_newer_one_left_alone() {
    let server = Server::for_people().await;
    let key = SessionKey::new(server.issuer(), crate::support::CLIENT_ID, "default");
    for torn in [&b"{\"version\":1,\"gen"[..], b"", b"[]", b"{\"version\":1}"] {
        let store = MemoryStore::new();
        store.save(&key, &SessionRecord::new(torn)).await.unwrap();
        let client = server.person().store(store.clone()).build().unwrap();
        let error = client.get_access_token(BANKING).await.unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
    }
    let store = MemoryStore::new();
    let newer = SessionRecord::new(*b"{\"version\":99}");
    store.save(&key, &newer).await.unwrap();
    let client = server.person().store(store.clone()).build().unwrap();
    let error = client.get_access_token(BANKING).await.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error}");
    assert_eq!(
        store.load(&key).await.unwrap().unwrap().as_bytes(),
        newer.as_bytes()
    );
}

#[tokio::test]
async fn a_record_from_the_future_is_no_token_to_start_with() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let client = server.person().store(store.clone()).build().unwrap();
    server.sign_in(&client).await;
    server.refresh("R0").expect(2).mount().await;
    client.get_access_token(BANKING).await.unwrap();
    server.clock.set_wall_back(Duration::from_secs(3600));
    let other = server.person().store(store).build().unwrap();
    other.get_access_token(BANKING).await.unwrap();
}

#[tokio::test]
async fn a_token_that_an_api_refused_is_not_adopted_again() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    server.sign_in(&client).await;
    server.refresh("R0").expect(2).mount().await;
    let first = client.get_access_token(BANKING).await.unwrap();
    let second = client.after_unauthorized(&first).await.unwrap();
    assert_ne!(first.secret(), second.secret());
}

#[tokio::test]
async fn a_forced_call_redeems_although_the_store_has_a_fresh_token() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    server.sign_in(&client).await;
    server.refresh("R0").expect(2).mount().await;
    client.get_access_token(BANKING).await.unwrap();
    server.advance(1.0);
    let forced = TokenRequest::new(BANKING).cache_mode(CacheMode::Refresh);
    client.get_access_token(forced).await.unwrap();
}

#[tokio::test]
async fn every_caller_gone_the_rotated_token_is_kept() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    server.sign_in(&client).await;
    server
        .rotates("R0", "R1")
        .delayed(Duration::from_millis(100))
        .expect(1)
        .mount()
        .await;
    server.refresh("R1").expect(1).mount().await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { ask(&client, BANKING).await }
    });
    server.arrived(2).await;
    call.abort();
    let _ = call.await;
    client.get_access_token(HEALTH).await.unwrap();
}

#[test]
fn a_program_that_ends_right_after_a_hit_in_the_window_keeps_its_session() {
    let store = MemoryStore::new();
    let outer = tokio::runtime::Runtime::new().unwrap();
    let server = outer.block_on(Server::for_people());
    let build = || server.person().store(store.clone()).build().unwrap();
    outer.block_on(async {
        server.sign_in(&build()).await;
        server
            .rotates("R0", "R1")
            .grants(300)
            .times(1)
            .mount()
            .await;
        server
            .rotates("R1", "R2")
            .delayed(Duration::from_millis(300))
            .expect(1)
            .mount()
            .await;
        server.refresh("R2").expect(1).mount().await;
    });
    let program = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    program.block_on(async {
        let client = build();
        client.get_access_token(BANKING).await.unwrap();
        server.advance(250.0);
        client.get_access_token(BANKING).await.unwrap();
        server.arrived(3).await;
    });
    // The end of `main`.
    drop(program);
    outer.block_on(async {
        build().get_access_token(HEALTH).await.unwrap();
    });
    drop(server);
}

#[tokio::test]
async fn inline_refresh_waits_and_falls_back_to_the_old_token() {
    let server = Server::for_people().await;
    let client = server
        .person()
        .refresh_ahead(RefreshAhead::Inline)
        .build()
        .unwrap();
    server.sign_in(&client).await;
    server.refresh("R0").grants(300).times(1).mount().await;
    server
        .refresh("R0")
        .refuses(503, "temporarily_unavailable")
        .expect(1)
        .mount()
        .await;
    let first = client.get_access_token(BANKING).await.unwrap();
    server.advance(250.0);
    let second = client.get_access_token(BANKING).await.unwrap();
    assert_eq!(first.secret(), second.secret());
}

#[tokio::test]
async fn sessions_of_two_people_never_meet() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    let (alice, bob) = (client.session("alice"), client.session("bob"));
    server.sign_in_as(&alice, json!("A0"), &[BANKING]).await;
    server.sign_in_as(&bob, json!("B0"), &[BANKING]).await;
    server.refresh("A0").access_token("of-alice").mount().await;
    server.refresh("B0").access_token("of-bob").mount().await;
    for _ in 0..2 {
        assert_eq!(
            alice.get_access_token(BANKING).await.unwrap().secret(),
            "of-alice"
        );
        assert_eq!(
            bob.get_access_token(BANKING).await.unwrap().secret(),
            "of-bob"
        );
    }
    alice.sign_out().await.unwrap();
    bob.get_access_token(BANKING).await.unwrap();
    alice.get_access_token(BANKING).await.unwrap_err();
    assert_eq!(server.redemptions().await, ["A0", "B0"]);
}

#[tokio::test]
async fn two_apis_with_a_scope_of_the_same_name_keep_what_was_granted_to_each() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    server
        .token()
        .with_parameter("code", "code-0")
        .member("refresh_token", json!("R0"))
        .granting("openid offline_access read")
        .grants(1)
        .mount()
        .await;
    let login = intelliauth::AuthorizationCode::redirect_to(crate::support::person::REDIRECT)
        .request(TokenRequest::new(BANKING).scope("read"))
        .request(TokenRequest::new(HEALTH).scope("read admin"));
    let (url, pending) = client.start(login).await.unwrap();
    let callback = crate::support::person::callback(&url, "code-0");
    client.finish(&pending, &callback).await.unwrap();
    server.refresh("R0").mount().await;
    let asked = TokenRequest::new(HEALTH).scope("read admin");
    client.get_access_token(&asked).await.unwrap();
}

#[tokio::test]
async fn where_nobody_is_named_a_second_sign_in_may_be_anybodys() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    server.sign_in_as(&client, json!("A0"), &[BANKING]).await;
    server.refresh("A0").access_token("of-a").mount().await;
    server.refresh("B0").access_token("of-b").mount().await;
    let first = client.get_access_token(BANKING).await.unwrap();
    assert_eq!(first.secret(), "of-a");
    server.sign_in_as(&client, json!("B0"), &[BANKING]).await;
    let second = client.get_access_token(BANKING).await.unwrap();
    assert_eq!(second.secret(), "of-b");
}

#[test]
fn without_a_runtime_it_is_an_error_and_no_panic() {
    let client = Client::for_person("http://127.0.0.1:9", "app")
        .build()
        .unwrap();
    let poll = |future: &mut (dyn Future<Output = bool> + Unpin)| {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        std::pin::Pin::new(future).poll(&mut cx)
    };
    let mut outcomes: Vec<std::pin::Pin<Box<dyn Future<Output = bool>>>> = vec![
        Box::pin(async { client.sign_out().await.is_err() }),
        Box::pin(async { client.account().await.is_err() }),
        Box::pin(async {
            client.close().await;
            true
        }),
    ];
    for outcome in &mut outcomes {
        assert_eq!(poll(outcome), std::task::Poll::Ready(true));
    }
}

#[tokio::test]
async fn two_apis_without_consent_do_not_forgive_each_other() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    server.sign_in(&client).await;
    server
        .refresh("R0")
        .refuses(400, "consent_required")
        .expect(2)
        .mount()
        .await;
    for _ in 0..5 {
        for audience in [BANKING, HEALTH] {
            let error = client.get_access_token(audience).await.unwrap_err();
            assert!(matches!(error, Error::Consent(_)), "{error}");
        }
    }
}

#[tokio::test]
async fn a_sign_in_whose_caller_has_gone_is_kept() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    server
        .token()
        .with_parameter("code", "code-0")
        .member("refresh_token", json!("R0"))
        .delayed(Duration::from_millis(100))
        .grants(1)
        .mount()
        .await;
    server.refresh("R0").expect(1).mount().await;
    let login = intelliauth::AuthorizationCode::redirect_to(crate::support::person::REDIRECT)
        .request(TokenRequest::new(BANKING).scope("read"));
    let (url, pending) = client.start(login).await.unwrap();
    let callback = crate::support::person::callback(&url, "code-0");
    let finishing = tokio::spawn({
        let client = client.clone();
        async move { client.finish(&pending, &callback).await.map(|_| ()) }
    });
    server.arrived(1).await;
    finishing.abort();
    let _ = finishing.await;
    client.close().await;
    client.get_access_token(BANKING).await.unwrap();
}

#[test]
fn a_program_that_gives_up_and_ends_keeps_its_session() {
    let store = MemoryStore::new();
    let outer = tokio::runtime::Runtime::new().unwrap();
    let server = outer.block_on(Server::for_people());
    let build = || server.person().store(store.clone()).build().unwrap();
    outer.block_on(async {
        server.sign_in(&build()).await;
        server
            .rotates("R0", "R1")
            .delayed(Duration::from_millis(300))
            .expect(1)
            .mount()
            .await;
        server.refresh("R1").expect(1).mount().await;
    });
    let program = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    program.block_on(async {
        let client = build();
        let call = tokio::spawn(async move { ask(&client, BANKING).await });
        server.arrived(2).await;
        call.abort();
    });
    // The end of `main`.
    drop(program);
    outer.block_on(async {
        build().get_access_token(HEALTH).await.unwrap();
    });
    drop(server);
}

#[test]
fn a_runtime_that_nobody_drives_keeps_nobody_waiting() {
    let store = MemoryStore::new();
    let outer = tokio::runtime::Runtime::new().unwrap();
    let server = outer.block_on(Server::for_people());
    let build = || server.person().store(store.clone()).build().unwrap();
    outer.block_on(async {
        server.sign_in(&build()).await;
        server
            .rotates("R0", "R1")
            .delayed(Duration::from_millis(100))
            .expect(1)
            .mount()
            .await;
        server.refresh("R1").expect(1).mount().await;
    });
    let undriven = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    undriven.block_on(async {
        let client = build();
        tokio::spawn(async move { ask(&client, BANKING).await });
        server.arrived(2).await;
    });
    outer.block_on(async {
        build().get_access_token(HEALTH).await.unwrap();
    });
    drop((undriven, server));
}

#[tokio::test]
async fn the_one_repetition_waits_until_the_issuer_answers_at_all() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    server.sign_in(&client).await;
    server
        .refresh("R0")
        .raw(200, "{\"acc", "application/json")
        .times(1)
        .mount()
        .await;
    server.refresh("R0").expect(1).mount().await;
    client.get_access_token(BANKING).await.unwrap_err();
    server.metadata_fails(3).await;
    for _ in 0..3 {
        server.advance(120.0);
        let error = client.get_access_token(BANKING).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
    }
    server.advance(120.0);
    client.get_access_token(BANKING).await.unwrap();
}

#[tokio::test]
async fn what_was_cleared_or_refused_does_not_come_back_from_the_store() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    server.sign_in(&client).await;
    server.refresh("R0").expect(2).mount().await;
    let first = client.get_access_token(BANKING).await.unwrap();
    client.clear(BANKING);
    let second = client.get_access_token(BANKING).await.unwrap();
    assert_ne!(first.secret(), second.secret());
    let third = client.after_unauthorized(&first).await.unwrap();
    assert_eq!(second.secret(), third.secret(), "that one was not refused");
}

#[tokio::test]
async fn a_session_with_huge_tokens_stays_readable() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let client = server.person().store(store.clone()).build().unwrap();
    let names: Vec<String> = (0..40).map(|number| format!("api.{number}")).collect();
    let audiences: Vec<&str> = names.iter().map(String::as_str).collect();
    server.sign_in_as(&client, json!("R0"), &audiences).await;
    let huge = "x".repeat(30_000);
    server.refresh("R0").access_token(&huge).mount().await;
    for audience in audiences {
        client.get_access_token(audience).await.unwrap();
    }
    let key = SessionKey::new(server.issuer(), crate::support::CLIENT_ID, "default");
    let record = store.load(&key).await.unwrap().unwrap();
    assert!(
        record.as_bytes().len() < 512 * 1024,
        "{}",
        record.as_bytes().len()
    );
}

#[tokio::test]
async fn signing_out_with_a_full_disk_still_revokes() {
    let server = Server::for_people().await;
    let store = Failing {
        store: MemoryStore::new(),
        fails: Arc::default(),
    };
    let client = server.person().store(store.clone()).build().unwrap();
    server.sign_in(&client).await;
    store.fails.store(true, Ordering::SeqCst);
    let error = client.sign_out().await.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error}");
    assert_eq!(server.count_at("/oauth2/revoke").await, 1);
}

/// A store of more people than anybody keeps open, in which another process signs somebody in.
#[tokio::test]
async fn nobody_is_answered_for_whom_the_session_was_before_it_was_let_go_of() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let client = server.person().store(store.clone()).build().unwrap();
    let other = server.person().store(store).build().unwrap();
    let (here, there) = (client.session("shared"), other.session("shared"));
    server.sign_in_as(&here, json!("A0"), &[BANKING]).await;
    server.refresh("A0").access_token("of-a").mount().await;
    server.refresh("B0").access_token("of-b").mount().await;
    let first = here.get_access_token(BANKING).await.unwrap();
    assert_eq!(first.secret(), "of-a");
    server.sign_in_as(&there, json!("B0"), &[BANKING]).await;
    for number in 0..1100 {
        let client = client.session(format!("visitor-{number}"));
        assert_eq!(client.account().await.unwrap(), None);
    }
    let second = here.get_access_token(BANKING).await.unwrap();
    assert_eq!(second.secret(), "of-b");
}
