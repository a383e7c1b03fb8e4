//! Signing in with a device code: what is sent and shown, what the polls bear, and what ends them.

use std::time::Duration;

use intelliauth::{
    AudienceParameter, Client, ClientAuthentication, Clock, DeniedReason, DeviceCode, Dialect,
    Error, MemoryStore, Session, TokenRequest,
};
use serde_json::{Value, json};
use tokio::time::Instant;
use wiremock::ResponseTemplate;

use crate::support::{
    CLIENT_ID, CLIENT_SECRET, DISCOVERY_PATH, HANGS, Server,
    device::{DEVICE_CODE, DEVICE_GRANT, DEVICE_PATH, USER_CODE, noted},
    leak::Recorder,
    person::{BANKING, HEALTH},
    raw::{ClosedPort, answer},
};

/// Both APIs in one prompt.
fn both(login: DeviceCode) -> DeviceCode {
    login
        .request(TokenRequest::new(BANKING).scope("read:accounts"))
        .request(TokenRequest::new(HEALTH).scope("read:records"))
}

async fn sign_in(session: &Session) -> Result<(), Error> {
    let (login, _) = noted();
    session.sign_in(both(login)).await.map(|_| ())
}

/// Signs in while the device endpoint answers as usual and the polls as was mounted.
async fn outcome(server: &Server) -> Result<(), Error> {
    server.device(200, server.device_codes()).await;
    sign_in(&server.person().build().unwrap().default_session()).await
}

#[tokio::test]
async fn a_code_that_was_not_shown_is_not_polled_for() {
    let server = Server::with_device_codes().await;
    server.device(200, server.device_codes()).await;
    let session = server.person().build().unwrap().default_session();
    let login = DeviceCode::new(|_prompt| panic!("the program has a bug, on purpose"));
    let error = session.sign_in(both(login)).await.unwrap_err();
    assert!(matches!(error, Error::Request(_)), "{error}");
    assert_eq!(server.token_requests().await.len(), 0);
}

#[tokio::test]
async fn one_prompt_serves_two_apis_and_the_session_goes_on_by_itself() {
    let server = Server::with_device_codes().await;
    server.device(200, server.device_codes()).await;
    server
        .poll()
        .refuses(400, "authorization_pending")
        .times(2)
        .mount()
        .await;
    server.approves().await;
    server
        .refresh("R0")
        .with_parameter("audience", HEALTH)
        .access_token("for health")
        .expect(1)
        .mount()
        .await;
    let session = server.person().build().unwrap().default_session();
    let (login, prompts) = noted();
    session.sign_in(both(login).scope("profile")).await.unwrap();

    let asked = server.device_requests().await;
    assert_eq!(asked.len(), 1);
    let audiences: Vec<&str> = asked[0]
        .form
        .iter()
        .filter(|(name, _)| name == "audience")
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(audiences, [BANKING, HEALTH]);
    assert_eq!(asked[0].parameter("client_id"), CLIENT_ID);
    assert_eq!(
        asked[0].parameter("scope"),
        "offline_access openid profile read:accounts read:records"
    );
    assert_eq!(asked[0].accept.as_deref(), Some("application/json"));
    let polls = server.token_requests().await;
    assert_eq!(polls.len(), 3);
    for poll in polls {
        assert_eq!(poll.parameter("grant_type"), DEVICE_GRANT);
        assert_eq!(poll.parameter("device_code"), DEVICE_CODE);
        assert_eq!(poll.parameter("client_id"), CLIENT_ID);
        assert_eq!(poll.parameter("audience"), BANKING);
        assert_eq!(poll.parameter("scope"), "", "RFC 8628 has none here");
    }
    let prompts = prompts.lock().unwrap().clone();
    assert_eq!(prompts.len(), 1);
    assert_eq!(prompts[0].page, server.url("/device"));
    assert_eq!(prompts[0].code, USER_CODE);
    assert_eq!(prompts[0].seconds, 600);
    assert!(prompts[0].complete.as_ref().unwrap().ends_with(USER_CODE));

    // The first API's token came with the sign-in, the second's with the refresh token.
    let named = TokenRequest::new(BANKING).scope("read:accounts");
    let first = session.client().get_access_token(named).await.unwrap();
    assert_eq!(first.secret(), "from the device");
    let second = session.client().get_access_token(HEALTH).await.unwrap();
    assert_eq!(second.secret(), "for health");
}

#[tokio::test]
async fn a_client_with_a_secret_authenticates_at_both_endpoints() {
    for (method, dialect) in [
        (ClientAuthentication::Basic, AudienceParameter::Both),
        (ClientAuthentication::Post, AudienceParameter::Resource),
    ] {
        let server = Server::with_device_codes().await;
        server.device(200, server.device_codes()).await;
        server.approves().await;
        let mut spoken = Dialect::intelliauth();
        spoken.audience_parameter = dialect;
        let session = server
            .person()
            .client_secret(CLIENT_SECRET)
            .client_authentication(method)
            .dialect(spoken)
            .build()
            .unwrap()
            .default_session();
        sign_in(&session).await.unwrap();
        let (asked, polls) = (
            server.device_requests().await,
            server.token_requests().await,
        );
        assert_eq!(asked[0].parameter("client_id"), CLIENT_ID);
        for seen in [&asked[0], &polls[0]] {
            let is_basic = method == ClientAuthentication::Basic;
            assert_eq!(seen.authorization.is_some(), is_basic);
            assert_eq!(seen.parameter("client_secret").is_empty(), is_basic);
            let is_named = dialect == AudienceParameter::Both;
            assert_eq!(!seen.parameter("audience").is_empty(), is_named);
            assert_eq!(seen.parameter("resource"), BANKING);
        }
    }
}

#[tokio::test]
async fn a_sign_in_for_no_api_names_none() {
    let server = Server::with_device_codes().await;
    server.device(200, server.device_codes()).await;
    server.approves().await;
    let session = server.person().build().unwrap().default_session();
    session.sign_in(noted().0).await.unwrap();
    let (asked, polls) = (
        server.device_requests().await,
        server.token_requests().await,
    );
    assert_eq!(asked[0].parameter("scope"), "offline_access openid");
    for seen in [&asked[0], &polls[0]] {
        assert!(seen.form.iter().all(|(name, _)| name != "audience"));
    }
}

type Change = fn(&mut Value);

#[tokio::test]
async fn codes_are_read_in_every_shape_that_servers_use() {
    let rows: [(Change, u64); 6] = [
        (
            |codes| codes["verification_url"] = codes["verification_uri"].take(),
            600,
        ),
        (|codes| codes["expires_in"] = Value::Null, 600),
        (|codes| codes["expires_in"] = json!("900"), 900),
        (|codes| codes["expires_in"] = json!(900.5), 900),
        (|codes| codes["interval"] = json!("0.05"), 600),
        (
            |codes| *codes = json!({"data": codes.take(), "meta": {}}),
            600,
        ),
    ];
    for (change, seconds) in rows {
        let server = Server::with_device_codes().await;
        let mut codes = server.device_codes();
        change(&mut codes);
        server.device(200, codes).await;
        server.approves().await;
        let session = server.person().build().unwrap().default_session();
        let (login, prompts) = noted();
        session.sign_in(both(login)).await.unwrap();
        let prompts = prompts.lock().unwrap();
        assert_eq!(prompts[0].page, server.url("/device"));
        assert_eq!(prompts[0].seconds, seconds);
    }
}

#[tokio::test]
async fn a_life_counts_from_the_poll_that_succeeded() {
    let server = Server::with_device_codes().await;
    server.device(200, server.device_codes()).await;
    let pending = server.poll().refuses(400, "authorization_pending");
    pending.times(1).mount().await;
    let slow = server.poll().delayed(Duration::from_millis(300));
    slow.grants(3600).mount().await;
    let session = server.person().build().unwrap().default_session();
    let polling = session.clone();
    let polling = tokio::spawn(async move { sign_in(&polling).await });
    server.arrived(1).await;
    server.advance(100.0);
    server.arrived(2).await;
    let asked_at = server.clock.now().wall();
    server.advance(100.0);
    polling.await.unwrap().unwrap();
    let request = TokenRequest::new(BANKING).scope("read:accounts");
    let token = session.client().get_access_token(request).await.unwrap();
    assert_eq!(token.expires_at(), asked_at + Duration::from_secs(3600));
}

#[tokio::test]
async fn a_missing_interval_is_five_seconds_and_the_first_poll_waits_too() {
    let server = Server::with_device_codes().await;
    let mut body = server.device_codes();
    body.as_object_mut().unwrap().remove("interval");
    server.device(200, body).await;
    server.poll().expect(0).mount().await;
    let session = server.person().build().unwrap().default_session();
    let polling = tokio::spawn(async move { sign_in(&session).await });
    server.arrived_at(DEVICE_PATH, 1).await;
    let early = tokio::time::timeout(Duration::from_millis(800), polling).await;
    assert!(
        early.is_err(),
        "nothing is asked before the interval is over"
    );
    assert_eq!(server.device_requests().await.len(), 1);
}

#[tokio::test]
async fn the_interval_counts_from_the_end_of_the_last_reply() {
    let server = Server::with_device_codes().await;
    let mut body = server.device_codes();
    body["interval"] = json!(0.3);
    server.device(200, body).await;
    let pending = server.poll().refuses(400, "authorization_pending");
    let slow = pending.delayed(Duration::from_millis(300)).times(2);
    slow.mount().await;
    server.approves().await;
    let start = Instant::now();
    sign_in(&server.person().build().unwrap().default_session())
        .await
        .unwrap();
    // Three pauses and two slow replies.
    assert!(start.elapsed() >= Duration::from_millis(1500));
    assert_eq!(server.count().await, 3);
}

#[tokio::test]
async fn trouble_ends_no_sign_in() {
    let html = "<html>maintenance</html>";
    let rows = [
        (500, html),
        (502, html),
        (503, r#"{"error":"temporarily_unavailable"}"#),
        (429, ""),
        (429, r#"{"error":"rate_limited"}"#),
        (200, html),
        (200, ""),
        (200, r#"{"access_token":"torn","refr"#),
        (400, r#"{"error":"authorization_pending"}"#),
        (428, r#"{"error":"authorization_pending"}"#),
        (200, r#"{"error":"authorization_pending"}"#),
        (
            400,
            r#"{"error":"authorization_pending","message":"x","details":{}}"#,
        ),
        (400, r#"{"data":{"error":"authorization_pending"}}"#),
    ];
    let rows = rows.map(|(status, body)| {
        tokio::spawn(async move {
            let server = Server::with_device_codes().await;
            let trouble = server.poll().raw(status, body, "text/html");
            trouble.times(2).expect(2).mount().await;
            server.approves().await;
            let outcome = outcome(&server).await;
            assert!(outcome.is_ok(), "{status} {body}: {outcome:?}");
            assert_eq!(server.count().await, 3, "{status} {body}");
        })
    });
    for row in rows {
        row.await.unwrap();
    }
}

#[tokio::test]
async fn a_page_larger_than_any_reply_ends_no_sign_in() {
    let server = Server::with_device_codes().await;
    let page = "<p>busy</p>".repeat(10_000);
    let trouble = server.poll().raw(200, page, "text/html");
    trouble.times(1).expect(1).mount().await;
    server.approves().await;
    outcome(&server).await.unwrap();
}

#[tokio::test]
async fn a_timeout_ends_no_sign_in() {
    let server = Server::with_device_codes().await;
    server.device(200, server.device_codes()).await;
    let silent = server.poll().delayed(Duration::from_secs(60));
    silent.times(1).expect(1).mount().await;
    server.approves().await;
    let people = server.person().request_timeout(Duration::from_secs(5));
    let session = people.build().unwrap().default_session();
    sign_in(&session).await.unwrap();
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn retry_after_is_kept_even_if_it_is_longer_than_the_interval() {
    let server = Server::with_device_codes().await;
    let busy = server.poll().raw(429, "", "text/plain");
    busy.header("retry-after", "1")
        .times(1)
        .expect(1)
        .mount()
        .await;
    server.approves().await;
    let start = Instant::now();
    outcome(&server).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn slow_down_makes_the_next_poll_wait_five_seconds_longer() {
    let server = Server::with_device_codes().await;
    server.device(200, server.device_codes()).await;
    server
        .poll()
        .refuses(400, "slow_down")
        .expect(1)
        .mount()
        .await;
    let session = server.person().build().unwrap().default_session();
    let polling = tokio::spawn(async move { sign_in(&session).await });
    server.arrived(1).await;
    let early = tokio::time::timeout(Duration::from_millis(1500), polling).await;
    assert!(early.is_err(), "one poll, and a long pause after it");
}

#[tokio::test]
async fn every_refusal_is_final_and_typed() {
    for (status, body, kind) in [
        (400, r#"{"error":"access_denied"}"#, "denied"),
        (403, r#"{"error":"access_denied"}"#, "denied"),
        (400, r#"{"error":"expired_token"}"#, "login"),
        (400, r#"{"error":"invalid_grant"}"#, "login"),
        (404, r#"{"error":"device_not_found"}"#, "login"),
        (401, r#"{"error":"invalid_client"}"#, "denied"),
        (400, r#"{"error":"unauthorized_client"}"#, "denied"),
        (400, r#"{"error":"invalid_request"}"#, "request"),
        (400, r#"{"error":"made_up"}"#, "protocol"),
        (400, "<html>", "protocol"),
        (200, "{}", "protocol"),
    ] {
        let server = Server::with_device_codes().await;
        let refusal = server.poll().raw(status, body, "application/json");
        refusal.expect(1).mount().await;
        let error = outcome(&server).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {body}: {error}");
    }
}

#[tokio::test]
async fn a_person_who_says_no_is_told_apart_from_a_code_that_ended() {
    let server = Server::with_device_codes().await;
    server.poll().refuses(400, "access_denied").mount().await;
    let Error::Denied(denied) = outcome(&server).await.unwrap_err() else {
        panic!("a person who says no is a refusal")
    };
    assert_eq!(denied.reason(), DeniedReason::AccessDenied);

    let server = Server::with_device_codes().await;
    server.poll().refuses(400, "expired_token").mount().await;
    let error = outcome(&server).await.unwrap_err();
    assert!(error.to_string().contains("expired"), "{error}");
    assert!(error.next_move().contains("new code"));
    assert_eq!(error.answer().unwrap().code(), Some("expired_token"));
}

#[tokio::test]
async fn polling_stops_when_the_code_ends_on_either_clock() {
    for suspend in [false, true] {
        let server = Server::with_device_codes().await;
        server.device(200, server.device_codes()).await;
        let pending = server.poll().refuses(400, "authorization_pending");
        pending.mount().await;
        let session = server.person().build().unwrap().default_session();
        let polling = tokio::spawn(async move { sign_in(&session).await });
        server.arrived(2).await;
        if suspend {
            server.clock.suspend(Duration::from_secs(600));
        } else {
            server.advance(600.0);
        }
        let before = server.count().await;
        let error = polling.await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
        assert!(error.to_string().contains("expired"), "{error}");
        assert!(error.next_move().contains("again"), "{error}");
        // One may have been under way when the clock was moved.
        assert!(server.count().await <= before + 1);
    }
}

#[tokio::test]
async fn what_a_lagging_clock_shows_as_just_before_the_end_is_the_end() {
    let server = Server::with_device_codes().await;
    let mut body = server.device_codes();
    body["interval"] = json!(1);
    server.device(200, body).await;
    server.poll().expect(0).mount().await;
    let session = server.person().build().unwrap().default_session();
    let (login, prompts) = noted();
    let polling = tokio::spawn(async move { session.sign_in(both(login)).await.map(|_| ()) });
    while prompts.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    // In the first pause.
    server.advance(600.0 - 0.005);
    let error = polling.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("expired"), "{error}");
}

#[tokio::test]
async fn a_pause_longer_than_the_code_lives_ends_with_the_code() {
    let server = Server::with_device_codes().await;
    let mut body = server.device_codes();
    body["expires_in"] = json!(1);
    body["interval"] = json!(3600);
    server.device(200, body).await;
    // The machine's own clocks: nobody moves them.
    let session = Client::for_person(server.issuer(), CLIENT_ID)
        .build()
        .unwrap()
        .default_session();
    let ended = tokio::time::timeout(HANGS, sign_in(&session)).await;
    let error = ended.unwrap().unwrap_err();
    assert!(error.to_string().contains("expired"), "{error}");
    assert_eq!(server.count().await, 0);
}

#[tokio::test]
async fn an_issuer_without_device_codes_is_told_before_anything_is_sent() {
    let server = Server::start().await;
    let session = server.person().build().unwrap().default_session();
    let error = sign_in(&session).await.unwrap_err();
    assert!(matches!(error, Error::Request(_)), "{error}");
    assert!(
        error.to_string().contains("device_authorization_endpoint"),
        "{error}"
    );
    assert_eq!(server.count_at(DEVICE_PATH).await, 0);
}

#[tokio::test]
async fn nonsense_is_told_before_anything_is_sent() {
    let server = Server::with_device_codes().await;
    let session = server.person().build().unwrap().default_session();
    for login in [
        noted().0.request(TokenRequest::new("")),
        noted().0.scope("\"quoted\""),
        noted().0.request(TokenRequest::new("api").scope("\\")),
    ] {
        let error = session.sign_in(login).await.unwrap_err();
        assert!(matches!(error, Error::Request(_)), "{error}");
    }
    assert_eq!(server.count_at(DEVICE_PATH).await, 0);
}

#[tokio::test]
async fn refusals_of_a_device_code_are_typed_and_nobody_is_shown_anything() {
    for (status, body, kind) in [
        (401, json!({"error": "invalid_client"}), "denied"),
        (400, json!({"error": "invalid_scope"}), "denied"),
        (400, json!({"error": "invalid_target"}), "denied"),
        (503, json!({}), "unavailable"),
        (200, json!({"device_code": "d"}), "protocol"),
        (
            200,
            json!({"device_code": "d", "user_code": "u", "verification_uri": "http://elsewhere.example/device"}),
            "protocol",
        ),
        (
            200,
            json!({"device_code": "d", "user_code": "u", "verification_uri": "javascript:alert(1)"}),
            "protocol",
        ),
    ] {
        let server = Server::with_device_codes().await;
        server.device(status, body.clone()).await;
        let session = server.person().build().unwrap().default_session();
        let (login, prompts) = noted();
        let error = session.sign_in(both(login)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {body}: {error}");
        assert!(prompts.lock().unwrap().is_empty());
        assert_eq!(server.count().await, 0);
    }
}

#[tokio::test]
async fn a_device_authorization_request_is_tried_again() {
    let server = Server::with_device_codes().await;
    server.device_reply(ResponseTemplate::new(503)).await;
    let session = server
        .person()
        .retries(1)
        .build()
        .unwrap()
        .default_session();
    sign_in(&session).await.unwrap_err();
    assert_eq!(server.device_requests().await.len(), 2);
}

#[tokio::test]
async fn an_issuer_that_cannot_be_reached_is_polled_on_and_never_within_a_poll() {
    let (recorder, closed) = (Recorder::running(), ClosedPort::new());
    let server = Server::bare().await;
    let mut document = server.metadata();
    document["device_authorization_endpoint"] = json!(server.url(DEVICE_PATH));
    document["token_endpoint"] = json!(closed.url());
    server.json(DISCOVERY_PATH, 200, &document).await;
    server.device(200, server.device_codes()).await;
    let session = server
        .person()
        .retries(5)
        .build()
        .unwrap()
        .default_session();
    let name = "api.that.cannot.be.reached";
    let login = noted().0.request(name);
    let polling = tokio::spawn(async move { session.sign_in(login).await });
    let failed_twice = async {
        while recorder.count(name, "outcome=unavailable") < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(HANGS, failed_twice).await.unwrap();
    let body = json!({"access_token": "at last", "expires_in": 300}).to_string();
    let server = closed.open(answer("200 OK", "", &body, body.len()));
    polling.await.unwrap().unwrap();
    assert_eq!(server.requests(), 1);
    assert_eq!(recorder.count(name, "trying again"), 0);
}

#[tokio::test]
async fn callers_of_the_same_sign_in_share_one_prompt() {
    let server = Server::with_device_codes().await;
    server.device(200, server.device_codes()).await;
    let pending = server.poll().refuses(400, "authorization_pending");
    pending.times(2).mount().await;
    server.approves().await;
    let session = server.person().build().unwrap().default_session();
    let (login, prompts) = noted();
    let login = both(login);
    let (one, two) = tokio::join!(session.sign_in(login.clone()), session.sign_in(login));
    one.unwrap();
    two.unwrap();
    assert_eq!(prompts.lock().unwrap().len(), 1);
    assert_eq!(server.device_requests().await.len(), 1);
}

#[tokio::test]
async fn an_error_that_needs_a_person_is_resolved_with_a_device_code() {
    let server = Server::with_device_codes().await;
    server.device(200, server.device_codes()).await;
    server.approves().await;
    let store = MemoryStore::new();
    let session = server
        .person()
        .store(store)
        .build()
        .unwrap()
        .default_session();
    let request = TokenRequest::new(BANKING).scope("read:accounts");
    let error = session
        .client()
        .get_access_token(&request)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
    let (login, _) = noted();
    let token = session.resolve(error, login).await.unwrap();
    assert_eq!(token.secret(), "from the device");
    let asked = server.device_requests().await;
    assert_eq!(asked[0].parameter("audience"), BANKING);
    assert_eq!(
        asked[0].parameter("scope"),
        "offline_access openid read:accounts"
    );
}
