//! What comes back is checked: a token that names other audiences is no token for this one.

use intelliauth::{ClientBuilder, Error, MemoryStore, People, Source, Violation};
use serde_json::json;

use crate::support::{Server, jwt, person::BANKING};

/// A server whose tokens name `aud`.
async fn naming(aud: serde_json::Value) -> Server {
    let server = Server::start().await;
    let token = jwt(&json!({"aud": aud, "sub": "app_test"}));
    server.token().access_token(&token).mount().await;
    server
}

#[tokio::test]
async fn a_token_for_another_audience_is_refused_with_both_names() {
    let server = naming(json!(["health", "billing"])).await;
    let client = server.client().build().unwrap();
    let error = client.get_access_token("banking").await.unwrap_err();
    let Error::Protocol(violation) = &error else {
        panic!("{error:?}")
    };
    let Violation::WrongAudience {
        expected, found, ..
    } = violation.violation()
    else {
        panic!("{violation:?}")
    };
    assert_eq!(expected.as_str(), "banking");
    assert_eq!(found, &["health", "billing"]);
    let text = error.to_string();
    assert!(
        text.contains("banking") && text.contains("health"),
        "{text}"
    );
    for audience in ["banking", "health"] {
        assert!(
            client.current(audience).is_none(),
            "{audience} is not cached"
        );
    }
}

#[tokio::test]
async fn a_wrong_audience_is_remembered_for_half_a_minute() {
    let server = naming(json!("health")).await;
    let client = server.client().build().unwrap();
    for _ in 0..10 {
        assert_eq!(
            client.get_access_token("banking").await.unwrap_err().kind(),
            "protocol"
        );
        server.advance(2.9);
    }
    assert_eq!(server.count().await, 1);
    server.advance(1.1);
    assert!(client.get_access_token("banking").await.is_err());
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn a_right_audience_is_checked_alone_or_among_others() {
    for aud in [json!("banking"), json!(["userinfo", "banking"])] {
        let server = naming(aud).await;
        let client = server.client().build().unwrap();
        let token = client.get_access_token("banking").await.unwrap();
        assert!(token.audience_is_checked());
        assert_eq!(server.count().await, 1);
    }
}

#[tokio::test]
async fn an_audience_that_only_resembles_is_wrong() {
    for aud in [
        json!("Banking"),
        json!("banking/"),
        json!("banking health"),
        json!([]),
        json!(7),
        json!({"banking": 1}),
    ] {
        let server = naming(aud.clone()).await;
        let client = server.client().build().unwrap();
        let error = client.get_access_token("banking").await.unwrap_err();
        assert_eq!(error.kind(), "protocol", "{aud}");
    }
}

#[tokio::test]
async fn a_token_without_an_audience_is_refused() {
    let server = Server::start().await;
    server
        .token()
        .access_token(&jwt(&json!({"sub": "x"})))
        .mount()
        .await;
    let client = server.client().build().unwrap();
    assert_eq!(
        client.get_access_token("banking").await.unwrap_err().kind(),
        "protocol"
    );
}

#[tokio::test]
async fn an_opaque_token_cannot_be_checked_and_says_so() {
    for text in ["opaque", "a.b", "not.a.jwt", "a.b.c.d.e"] {
        let server = Server::start().await;
        server.token().access_token(text).expect(1).mount().await;
        let client = server.client().build().unwrap();
        let token = client.get_access_token("banking").await.unwrap();
        assert!(!token.audience_is_checked(), "{text}");
        assert!(!client.current("banking").unwrap().audience_is_checked());
    }
}

#[tokio::test]
async fn an_issuer_that_renames_an_audience_is_believed_for_that_one_alone() {
    let server = naming(json!("urn:banking")).await;
    let client = server
        .client()
        .expect_audience("banking", "urn:banking")
        .build()
        .unwrap();
    assert!(
        client
            .get_access_token("banking")
            .await
            .unwrap()
            .audience_is_checked()
    );
    assert_eq!(
        server.token_requests().await[0].parameter("audience"),
        "banking"
    );
    assert_eq!(
        client.get_access_token("health").await.unwrap_err().kind(),
        "protocol"
    );
}

#[tokio::test]
async fn a_renamed_audience_under_its_old_name_is_wrong() {
    let server = naming(json!("banking")).await;
    let client = server
        .client()
        .expect_audience("banking", "urn:banking")
        .build()
        .unwrap();
    assert_eq!(
        client.get_access_token("banking").await.unwrap_err().kind(),
        "protocol"
    );
}

#[tokio::test]
async fn the_check_can_be_switched_off_and_then_nothing_is_called_checked() {
    let server = naming(json!("health")).await;
    let client = server
        .client()
        .danger_skip_audience_check()
        .build()
        .unwrap();
    let token = client.get_access_token("banking").await.unwrap();
    assert!(!token.audience_is_checked());
    assert!(
        client.current("health").is_none(),
        "it is cached for what was asked"
    );
}

#[tokio::test]
async fn a_refresh_that_brings_the_wrong_audience_keeps_the_token_in_use() {
    let server = Server::start().await;
    server.token().grants(300).times(1).mount().await;
    server
        .token()
        .access_token(&jwt(&json!({"aud": "health"})))
        .mount()
        .await;
    let client = server.client().build().unwrap();
    client.get_access_token("banking").await.unwrap();
    server.advance(250.0);
    for _ in 0..3 {
        assert_eq!(
            client.get_access_token("banking").await.unwrap().secret(),
            "token-1"
        );
        client.close().await.unwrap();
    }
    assert_eq!(server.count().await, 2);
}

/// Where tokens for banking name `urn:banking`: how often two processes redeem between them, and what
/// the second one gets.
async fn two_processes(
    set: impl Fn(ClientBuilder<People>) -> ClientBuilder<People> + Sync + Send,
) -> (usize, Option<Source>) {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let build = || set(server.person()).store(store.clone()).build().unwrap();
    let (one, two) = (build().default_session(), build().default_session());
    server.sign_in(&one).await;
    let token = jwt(&json!({"aud": "urn:banking", "sub": "alice"}));
    server.refresh("R0").access_token(&token).mount().await;
    let first = one.client().get_access_token(BANKING).await;
    let second = two.client().get_access_token(BANKING).await;
    assert_eq!(first.is_ok(), second.is_ok());
    let source = second.ok().map(|token| token.source());
    (server.redemptions().await.len(), source)
}

#[tokio::test]
async fn what_is_believed_of_an_audience_holds_for_the_next_process_too() {
    let renamed = two_processes(|client| client.expect_audience(BANKING, "urn:banking")).await;
    assert_eq!(renamed, (1, Some(Source::Session)));
    let skipped = two_processes(ClientBuilder::danger_skip_audience_check).await;
    assert_eq!(skipped, (1, Some(Source::Session)));
    // Refused by the first process, so the second one asks the issuer itself.
    assert_eq!(two_processes(|client| client).await, (2, None));
}
