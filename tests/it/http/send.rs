//! One call with plain reqwest.

use std::time::Duration;

use http_body_util::Full;
use intelliauth::{
    AfterRefusal, Api as Wanted, CallError, Client, DeniedReason, Error, Refusal, TokenRequest,
    TokenSource as _, send, test_util::FakeSource,
};
use serde_json::json;
use wiremock::ResponseTemplate;

use super::{NARROW, STALE, WEAK};
use crate::support::{
    Server,
    api::{Api, plain, refusal},
};

async fn issuer() -> (Server, Client) {
    let server = Server::start().await;
    server.token().mount().await;
    let client = server.client().build().unwrap();
    (server, client)
}

fn ours(outcome: Result<reqwest::Response, CallError>) -> Error {
    match outcome {
        Err(CallError::Token(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_with_a_stale_token_cost_one_token_request_and_all_succeed() {
    let (server, client) = issuer().await;
    let api = Api::refusing(&["token-1"], 401, STALE).await;
    let banking = client.audience("api");
    banking.get_access_token().await.unwrap();
    let http = plain();
    let calls: Vec<_> = (0..1000)
        .map(|_| {
            let (banking, request) = (banking.clone(), http.get(api.url()));
            tokio::spawn(async move { banking.send(request).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn an_api_that_always_refuses_costs_one_token_request_each_half_minute() {
    let (server, client) = issuer().await;
    let api = Api::answering(|_| refusal(401, STALE)).await;
    let (banking, http) = (client.audience("api"), plain());
    let first = banking.send(http.get(api.url())).await.unwrap();
    assert_eq!(first.status(), 401, "one repetition, and then its answer");
    for _ in 0..10 {
        let Error::Denied(denied) = ours(banking.send(http.get(api.url())).await) else {
            panic!()
        };
        assert_eq!(denied.reason(), DeniedReason::RejectedByApi);
    }
    assert_eq!(server.count().await, 2);
    server.advance(31.0);
    banking.send(http.get(api.url())).await.unwrap();
    assert_eq!(server.count().await, 3);
}

#[tokio::test]
async fn a_step_up_challenge_is_no_stale_token() {
    let (server, client) = issuer().await;
    let api = Api::refusing(&["token-1"], 401, WEAK).await;
    let (banking, http) = (client.audience("api"), plain());
    for _ in 0..3 {
        let Error::StepUp(step_up) = ours(banking.send(http.get(api.url())).await) else {
            panic!()
        };
        assert_eq!(step_up.audience().as_str(), "api");
        assert_eq!(step_up.acr_values(), Some("AAL2"));
        assert_eq!(step_up.max_age(), Some(Duration::from_secs(300)));
    }
    assert_eq!(api.tokens().await, ["token-1"; 3], "it stays in use");
    assert_eq!(server.count().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_that_lack_a_listed_scope_cost_one_token_request() {
    let server = Server::start().await;
    let read = server.token().scope("read").granting("read");
    read.access_token("narrow").mount().await;
    let both = server.token().scope("read write").granting("read write");
    both.access_token("broad").mount().await;
    let client = server.client().build().unwrap();
    let api = Api::refusing(&["narrow"], 403, NARROW).await;
    let wanted = Wanted::new(TokenRequest::new("api").scope("read")).allow_scopes("write");
    client
        .get_access_token(TokenRequest::new("api").scope("read"))
        .await
        .unwrap();
    let http = plain();
    let calls: Vec<_> = (0..1000)
        .map(|_| {
            let (client, wanted) = (client.clone(), wanted.clone());
            let request = http.get(api.url());
            tokio::spawn(async move { send(&client, &wanted, request).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn a_scope_that_was_not_listed_is_named_and_never_requested() {
    let (server, client) = issuer().await;
    let api = Api::answering(|_| refusal(403, NARROW)).await;
    let read = client.audience(TokenRequest::new("api").scope("read"));
    for _ in 0..3 {
        let Error::Denied(denied) = ours(read.send(plain().get(api.url())).await) else {
            panic!()
        };
        assert_eq!(denied.reason(), DeniedReason::ScopeNotListed);
        assert_eq!(denied.missing().to_string(), "write");
        assert!(denied.to_string().contains("write"), "{denied}");
    }
    assert_eq!(server.count().await, 1);
}

#[tokio::test]
async fn an_api_that_names_no_scope_which_the_token_lacks_is_what_the_error_names() {
    const HELD: &str = r#"Bearer error="insufficient_scope", scope="read""#;
    const UNNAMED: &str = r#"Bearer error="insufficient_scope""#;
    for challenge in [HELD, UNNAMED] {
        let (server, client) = issuer().await;
        let api = Api::answering(|_| refusal(403, challenge)).await;
        let read = client.audience(TokenRequest::new("api").scope("read"));
        for _ in 0..3 {
            let error = ours(read.send(plain().get(api.url())).await);
            let Error::Denied(denied) = &error else {
                panic!("{error}")
            };
            assert_eq!(denied.reason(), DeniedReason::ScopeNotNamed, "{challenge}");
            assert!(denied.missing().is_empty(), "{challenge}");
            // It was the API that refused, and neither a person nor the issuer.
            let shown = format!("{error} {}", error.next_move());
            let blamed = ["issuer", "person"].map(|one| shown.contains(one));
            assert_eq!(blamed, [false; 2], "{shown}");
        }
        assert_eq!(server.count().await, 1, "{challenge}");
    }
}

#[tokio::test]
async fn a_listed_scope_that_the_issuer_refuses_is_denied_from_memory() {
    let server = Server::start().await;
    server.token().scope("read").granting("read").mount().await;
    let refused = server.token().scope("read write");
    refused.refuses(400, "invalid_scope").mount().await;
    let client = server.client().build().unwrap();
    let api = Api::answering(|_| refusal(403, NARROW)).await;
    let wanted = Wanted::new(TokenRequest::new("api").scope("read")).allow_scopes("write");
    for _ in 0..10 {
        let outcome = send(&client, &wanted, plain().get(api.url())).await;
        assert_eq!(ours(outcome).kind(), "denied");
    }
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn a_request_that_cannot_be_copied_is_not_repeated_and_its_token_is_dropped() {
    let (server, client) = issuer().await;
    let api = Api::refusing(&["token-1"], 401, STALE).await;
    let banking = client.audience("api");
    let stream = || reqwest::Body::wrap(Full::new(bytes::Bytes::from_static(b"one")));
    let first = banking.send(plain().post(api.url()).body(stream())).await;
    let first = first.unwrap();
    assert_eq!(
        (first.status().as_u16(), api.tokens().await.len()),
        (401, 1)
    );
    assert_eq!(first.text().await.unwrap(), "refused");
    let second = banking.send(plain().post(api.url()).body(stream())).await;
    assert_eq!(second.unwrap().status(), 200);
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn a_request_with_credentials_of_its_own_is_left_alone() {
    let (server, client) = issuer().await;
    let api = Api::answering(|_| refusal(401, STALE)).await;
    let request = plain().get(api.url()).header("authorization", "Basic eA==");
    let answer = client.audience("api").send(request).await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(api.tokens().await, ["Basic eA=="]);
    assert_eq!(server.count().await, 0);
}

#[tokio::test]
async fn what_is_not_about_the_token_is_handed_up() {
    for (status, challenge) in [
        (401, r#"Basic realm="proxy""#),
        (401, r#"Bearer error="invalid_token", audience="another""#),
        (403, "Bearer"),
        (500, STALE),
    ] {
        let (server, client) = issuer().await;
        let api = Api::answering(move |_| refusal(status, challenge)).await;
        let banking = client.audience("api");
        let answer = banking.send(plain().get(api.url())).await.unwrap();
        assert_eq!(answer.status(), status, "{challenge}");
        assert_eq!(answer.text().await.unwrap(), "refused");
        assert_eq!(api.tokens().await.len(), 1, "{challenge}");
        assert_eq!(server.count().await, 1, "{challenge}");
    }
}

#[tokio::test]
async fn the_body_of_a_refusal_is_read_and_still_there() {
    let (server, client) = issuer().await;
    let api = Api::answering(|_| {
        let body = json!({"error": "quota_exceeded", "message": "later"});
        ResponseTemplate::new(403).set_body_json(body)
    })
    .await;
    let banking = client.audience("api");
    let answer = banking.send(plain().get(api.url())).await.unwrap();
    assert_eq!(answer.url().as_str(), format!("{}/", api.url()));
    assert_eq!(answer.headers()["content-type"], "application/json");
    let body = answer.text().await.unwrap();
    assert!(body.contains("quota_exceeded"), "{body}");

    let api = Api::answering(|_| {
        let body = json!({"error": "insufficient_scope", "required": "write"});
        ResponseTemplate::new(403).set_body_json(body)
    })
    .await;
    let Error::Denied(denied) = ours(banking.send(plain().get(api.url())).await) else {
        panic!()
    };
    assert_eq!(denied.missing().to_string(), "write");
    assert_eq!(server.count().await, 1);
}

#[tokio::test]
async fn a_token_goes_over_http_to_a_loopback_address_alone() {
    let (server, client) = issuer().await;
    let banking = client.audience("api");
    let outcome = banking.send(plain().get("http://api.example/x")).await;
    assert_eq!(ours(outcome).kind(), "request");
    assert_eq!(server.count().await, 0);
}

#[tokio::test]
async fn an_api_that_repeats_the_token_as_a_scope_brings_it_into_no_error() {
    let (_server, client) = issuer().await;
    let api = Api::answering(|token| {
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{token} write\"");
        refusal(403, &challenge)
    })
    .await;
    let error = ours(client.audience("api").send(plain().get(api.url())).await);
    let shown = format!("{error} {error:?} {}", error.next_move());
    assert!(
        shown.contains("write") && !shown.contains("token-1"),
        "{shown}"
    );
}

#[tokio::test]
async fn any_source_of_tokens_decides_alike() {
    let tokens = FakeSource::new();
    let boxed = tokens.clone().boxed();
    let token = boxed.get("api".into()).await.unwrap();
    let mut headers = http::HeaderMap::new();
    headers.insert("www-authenticate", http::HeaderValue::from_static(STALE));
    let refused = Refusal::new(http::StatusCode::UNAUTHORIZED, &headers);
    let AfterRefusal::Repeat(next) = boxed.after_refusal(&token, &refused).await.unwrap() else {
        panic!()
    };
    assert_ne!(next.secret(), token.secret());
    assert_eq!(tokens.rejected().len(), 1);
}
