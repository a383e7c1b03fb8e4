//! Keys come and go, and the issuer with them.

use std::time::Duration;

use intelliauth::resource_server::{Claims, ProtectedRouter, Verifier, VerifyError, require_scope};
use serde_json::json;
use wiremock::ResponseTemplate;

use super::issuer::{Answer, Api, Issuer, Keys, encode};

fn router(verifier: Verifier) -> axum::Router {
    let read = require_scope("read:transactions").unwrap();
    ProtectedRouter::new(verifier)
        .get("/", read, async |claims: Claims| {
            claims.subject().unwrap_or("-").to_owned()
        })
        .open("/healthz", axum::routing::get(async || "ok"))
        .into_router()
        .unwrap()
}

async fn status(verifier: &Verifier, token: &str) -> &'static str {
    match verifier.verify(token).await {
        Ok(_) => "ok",
        Err(VerifyError::Invalid(_)) => "invalid",
        Err(VerifyError::Unavailable(_)) => "unavailable",
        Err(_) => "other",
    }
}

#[tokio::test]
async fn an_api_starts_without_its_issuer_and_recovers_with_it() {
    let issuer = Issuer::silent().await;
    issuer.answer_keys(ResponseTemplate::new(503)).await;
    let api = Api::serve(router(issuer.verifier().build().unwrap())).await;
    let token = issuer.token(&json!({}));
    for _ in 0..30 {
        let answer = api.get("/", &token).await;
        assert_eq!((answer.status, answer.challenge.as_deref()), (503, None));
        assert!(
            (1..=30).contains(&answer.retry_after.unwrap()),
            "{answer:?}"
        );
    }
    assert_eq!(issuer.fetches().await, 1, "it is spared");
    assert_eq!(Answer::of(api.request("GET", "/healthz")).await.status, 200);
    assert_eq!(
        Answer::of(api.request("GET", "/")).await.status,
        401,
        "that needs no keys"
    );
    assert_eq!(api.get("/", "a.b.c").await.status, 401, "nor does that");
    // An hour of it.
    for _ in 0..120 {
        issuer.clock.advance(Duration::from_secs(30));
        assert_eq!(api.get("/", &issuer.token(&json!({}))).await.status, 503);
    }
    issuer.publish(&issuer.keys.public("")).await;
    issuer.clock.advance(Duration::from_secs(30));
    assert_eq!(
        api.get("/", &issuer.token(&json!({}))).await.status,
        200,
        "back within half a minute"
    );
}

#[tokio::test]
async fn an_issuer_that_was_never_there_is_unavailable() {
    let issuer = Issuer::silent().await;
    let url = issuer.url();
    let token = issuer.token(&json!({}));
    let verifier = issuer.verifier().build().unwrap();
    assert_eq!(status(&verifier, &token).await, "unavailable");
    let nobody = Verifier::builder("http://127.0.0.1:9", "x")
        .build()
        .unwrap();
    let token = Issuer::silent()
        .await
        .token_of("RS256", &json!({ "iss": url }));
    let error = nobody.verify(&token).await.unwrap_err();
    let VerifyError::Unavailable(keys) = &error else {
        panic!("{error}")
    };
    assert!(keys.retry_after() >= Duration::from_secs(1) && !keys.is_timeout());
    assert!(std::error::Error::source(keys).is_some());
}

#[tokio::test]
async fn a_rotated_key_works_at_once_and_a_removed_one_until_the_end_of_its_life() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().build().unwrap();
    let old = issuer.token(&json!({}));
    assert_eq!(status(&verifier, &old).await, "ok");
    let newer = Keys::generate();
    let rotated: Vec<_> = issuer
        .keys
        .public("")
        .into_iter()
        .chain(newer.public("-2"))
        .collect();
    issuer.publish(&rotated).await;
    let header = r#"{"alg":"EdDSA","kid":"ed-2"}"#;
    let new = newer.sign("EdDSA", header, &issuer.claims().to_string());
    assert_eq!(status(&verifier, &new).await, "ok");
    assert_eq!(status(&verifier, &old).await, "ok");
    assert_eq!(issuer.fetches().await, 1);
    issuer.publish(&newer.public("-2")).await;
    assert_eq!(status(&verifier, &old).await, "ok");
    issuer.clock.advance(Duration::from_secs(600));
    assert_eq!(
        status(&verifier, &old).await,
        "invalid",
        "remembered tokens go with their key"
    );
    assert_eq!(status(&verifier, &new).await, "ok");
}

#[tokio::test]
async fn unknown_keys_cost_one_fetch_in_half_a_minute() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().build().unwrap();
    assert_eq!(status(&verifier, &issuer.token(&json!({}))).await, "ok");
    let stranger = Keys::generate();
    let forged = |n: usize| {
        let header = format!(r#"{{"alg":"EdDSA","kid":"{n}"}}"#);
        stranger.sign("EdDSA", &header, &issuer.claims().to_string())
    };
    let calls: Vec<_> = (0..300)
        .map(|n| {
            let (verifier, token) = (verifier.clone(), forged(n));
            tokio::spawn(async move { status(&verifier, &token).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), "invalid");
    }
    assert_eq!(issuer.fetches().await, 2);
    for n in 0..6 {
        issuer.clock.advance(Duration::from_secs(10));
        assert_eq!(status(&verifier, &forged(n)).await, "invalid");
    }
    assert_eq!(issuer.fetches().await, 4, "two more in a minute");
}

#[tokio::test]
async fn in_an_outage_known_keys_work_and_an_unknown_one_is_not_judged() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().build().unwrap();
    assert_eq!(status(&verifier, &issuer.token(&json!({}))).await, "ok");
    issuer
        .answer_keys(ResponseTemplate::new(200).set_body_string("<html>maintenance</html>"))
        .await;
    let header = r#"{"alg":"EdDSA","kid":"new"}"#;
    let unknown = Keys::generate().sign("EdDSA", header, &issuer.claims().to_string());
    assert_eq!(status(&verifier, &unknown).await, "unavailable");
    for _ in 0..23 {
        issuer.clock.advance(Duration::from_secs(3600));
        assert_eq!(status(&verifier, &issuer.token(&json!({}))).await, "ok");
    }
    issuer.clock.advance(Duration::from_secs(3600));
    assert_eq!(
        status(&verifier, &issuer.token(&json!({}))).await,
        "unavailable",
        "a day later"
    );
}

#[tokio::test]
async fn an_unknown_key_is_not_judged_until_it_was_looked_up() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().build().unwrap();
    assert_eq!(status(&verifier, &issuer.token(&json!({}))).await, "ok");
    issuer.answer_keys(ResponseTemplate::new(503)).await;
    let newer = Keys::generate();
    let new = || {
        let header = r#"{"alg":"EdDSA","kid":"ed-2"}"#;
        newer.sign("EdDSA", header, &issuer.claims().to_string())
    };
    let before = issuer.fetches().await;
    for _ in 0..29 {
        assert_eq!(status(&verifier, &new()).await, "unavailable");
        issuer.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(issuer.fetches().await, before + 1);
    issuer.publish(&newer.public("-2")).await;
    let VerifyError::Unavailable(keys) = verifier.verify(&new()).await.unwrap_err() else {
        panic!("it was judged")
    };
    assert_eq!(
        keys.retry_after(),
        Duration::from_secs(1),
        "then it is asked"
    );
    issuer.clock.advance(keys.retry_after());
    assert_eq!(status(&verifier, &new()).await, "ok");
}

#[tokio::test]
async fn an_issuer_that_hangs_holds_nobody_up_whose_key_is_known() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().build().unwrap();
    let token = issuer.token(&json!({ "exp": issuer.now() + 100_000 }));
    assert_eq!(status(&verifier, &token).await, "ok");
    issuer
        .answer_keys(ResponseTemplate::new(200).set_delay(Duration::from_secs(60)))
        .await;
    for advance in [480, 3600] {
        issuer.clock.advance(Duration::from_secs(advance));
        let start = tokio::time::Instant::now();
        assert_eq!(status(&verifier, &token).await, "ok");
        // A flight takes ten, and nobody waits for its end.
        assert!(start.elapsed() < Duration::from_secs(9));
    }
}

#[tokio::test]
async fn a_token_that_was_seen_expires_all_the_same() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().build().unwrap();
    let token = issuer.token(&json!({ "exp": issuer.now() + 60 }));
    assert_eq!(status(&verifier, &token).await, "ok");
    issuer.clock.advance(Duration::from_secs(89));
    assert_eq!(status(&verifier, &token).await, "ok", "within the leeway");
    issuer.clock.advance(Duration::from_secs(1));
    let error = verifier.verify(&token).await.unwrap_err();
    let VerifyError::Invalid(why) = error else {
        panic!("{error}")
    };
    assert!(why.is_expired() && !why.is_for_another_audience());
}

#[tokio::test]
async fn an_issuer_by_another_name_is_not_believed() {
    let issuer = Issuer::start().await;
    let other_name = issuer.url().replace("127.0.0.1", "localhost");
    let verifier = Verifier::builder(&other_name, super::issuer::AUDIENCE)
        .algorithms(super::issuer::ALGORITHMS)
        .clock(issuer.clock.clone())
        .build()
        .unwrap();
    let token = issuer.token(&json!({ "iss": other_name }));
    assert_eq!(
        status(&verifier, &token).await,
        "unavailable",
        "its metadata names another"
    );
}

#[test]
fn outside_of_a_runtime_nothing_panics() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let token = runtime.block_on(async { Issuer::silent().await.token(&json!({})) });
    let verifier = Verifier::builder("http://127.0.0.1:9", "x")
        .algorithms(super::issuer::ALGORITHMS)
        .build()
        .unwrap();
    let verifying = verifier.verify(&token);
    let mut verifying = std::pin::pin!(verifying);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(outcome) = verifying.as_mut().poll(&mut cx) else {
        panic!("it waits")
    };
    assert!(matches!(outcome, Err(VerifyError::Unavailable(_))));
}

#[tokio::test]
async fn a_published_key_of_small_order_verifies_nothing() {
    let issuer = Issuer::silent().await;
    // The neutral point: under it this signature is right for every text.
    let neutral: Vec<u8> = [1].into_iter().chain([0; 31]).collect();
    let signature: Vec<u8> = neutral.iter().copied().chain([0; 32]).collect();
    let mut keys = issuer.keys.public("");
    keys.push(json!({ "kty": "OKP", "crv": "Ed25519", "kid": "weak", "x": encode(&neutral) }));
    issuer.publish(&keys).await;
    let verifier = issuer.verifier().build().unwrap();
    let header = json!({ "alg": "EdDSA", "kid": "weak", "typ": "at+jwt" }).to_string();
    let claims = issuer.claims().to_string();
    let forged = format!(
        "{}.{}.{}",
        encode(header),
        encode(claims),
        encode(signature)
    );
    assert_eq!(status(&verifier, &forged).await, "invalid");
    assert_eq!(
        status(&verifier, &issuer.token_of("EdDSA", &json!({}))).await,
        "ok"
    );
}
