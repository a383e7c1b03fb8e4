//! How long a token is said to live, in every form, and what happens with the odd ones.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Server, jwt};

/// How long a token lives whose reply says `expires_in`; nothing if it is refused.
async fn lifetime_of(expires_in: Value) -> Option<Duration> {
    let server = Server::start().await;
    server
        .token()
        .member("expires_in", expires_in)
        .expect(1)
        .mount()
        .await;
    let client = server.client().build().ok()?;
    let first = client.get_access_token("api").await;
    // Once more: cached, or the same refusal without a request.
    let second = client.get_access_token("api").await;
    assert_eq!(first.is_ok(), second.is_ok());
    match first {
        Ok(token) => Some(token.lifetime()),
        Err(error) => {
            assert_eq!(error.kind(), "protocol");
            None
        }
    }
}

#[tokio::test]
async fn a_lifetime_is_read_in_every_form_and_never_without_bounds() {
    for (form, seconds) in [
        (json!(3600), 3600),
        (json!("3600"), 3600),
        (json!(3600.0), 3600),
        (json!("60"), 60),
        (json!(5), 5),
        (json!(1), 1),
        (json!(1e12), 86_400),
        (json!(u64::MAX), 86_400),
        (json!(i64::MAX), 86_400),
        (json!("999999999999999999999"), 86_400),
        (Value::Null, 300),
    ] {
        let lifetime = lifetime_of(form.clone()).await;
        assert_eq!(lifetime, Some(Duration::from_secs(seconds)), "{form}");
    }
}

#[tokio::test]
async fn a_lifetime_of_zero_or_less_is_refused_and_remembered() {
    for form in [
        json!(0),
        json!("0"),
        json!(0.0),
        json!(-1),
        json!("-3600"),
        json!(i64::MIN),
        json!("soon"),
        json!([60]),
    ] {
        assert_eq!(lifetime_of(form.clone()).await, None, "{form}");
    }
}

#[tokio::test]
async fn a_missing_lifetime_is_taken_from_the_token_else_guessed() {
    for (claims, seconds) in [
        (json!({"aud": "api", "iat": 1000, "exp": 1900}), Some(900)),
        // Their clock is not compared with ours.
        (
            json!({"aud": "api", "iat": 4_000_000_000_u64, "exp": 4_000_000_060_u64}),
            Some(60),
        ),
        (json!({"aud": "api", "iat": 0, "exp": 1e12}), Some(86_400)),
        (json!({"aud": "api", "exp": 1900}), Some(300)),
        (json!({"aud": "api"}), Some(300)),
        (json!({"aud": "api", "iat": 1000, "exp": 1000}), None),
        (json!({"aud": "api", "iat": 1000, "exp": 10}), None),
    ] {
        let server = Server::start().await;
        let token = server
            .token()
            .access_token(&jwt(&claims))
            .member("expires_in", Value::Null);
        token.expect(1).mount().await;
        let client = server.client().build().unwrap();
        for _ in 0..2 {
            let lifetime = client
                .get_access_token("api")
                .await
                .map(|token| token.lifetime());
            assert_eq!(lifetime.ok(), seconds.map(Duration::from_secs), "{claims}");
        }
    }
}

#[tokio::test]
async fn the_reply_goes_before_the_token_when_both_say_how_long() {
    let server = Server::start().await;
    let claims = json!({"aud": "api", "iat": 1000, "exp": 1900});
    server
        .token()
        .access_token(&jwt(&claims))
        .grants(60)
        .mount()
        .await;
    let client = server.client().build().unwrap();
    let token = client.get_access_token("api").await.unwrap();
    assert_eq!(token.lifetime(), Duration::from_secs(60));
}

#[tokio::test]
async fn a_short_life_is_used_for_most_of_it_and_never_past_its_end() {
    for seconds in [300_u32, 60, 20, 5, 1] {
        let server = Server::start().await;
        server.token().grants(seconds.into()).mount().await;
        let client = server.client().build().unwrap();
        let step = f64::from(seconds) / 50.0;
        // Ten lives in steps of a fiftieth.
        for _ in 0..500 {
            let token = client.get_access_token("api").await.unwrap();
            assert!(intelliauth::Clock::now(&server.clock).wall() < token.expires_at());
            client.close().await.unwrap();
            server.advance(step);
        }
        let count = server.count().await;
        assert!(
            (10..=17).contains(&count),
            "{count} requests in ten lives of {seconds} s"
        );
    }
}

#[tokio::test]
async fn an_issuer_that_repeats_an_ending_token_is_not_asked_in_a_loop() {
    let server = Server::start().await;
    for left in (0..=5).rev() {
        let token = server
            .token()
            .access_token("same")
            .member("expires_in", json!(left));
        let token = if left == 0 { token } else { token.times(1) };
        token.mount().await;
    }
    let client = server.client().build().unwrap();
    for _ in 0..300 {
        let _either = client.get_access_token("api").await;
        client.close().await.unwrap();
        server.advance(0.1);
    }
    let count = server.count().await;
    assert!(count <= 15, "{count} requests in half a minute");
}

#[tokio::test]
async fn an_issuer_whose_tokens_have_ended_already_is_asked_every_half_minute() {
    let server = Server::start().await;
    server.token().grants(0).mount().await;
    let client = server.client().build().unwrap();
    for _ in 0..600 {
        assert!(client.get_access_token("api").await.is_err());
        server.advance(0.1);
    }
    assert_eq!(server.count().await, 2);
}
