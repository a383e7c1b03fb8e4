//! No token in a log, an error, an answer or a `Debug`.

use std::fmt::Write as _;

use intelliauth::resource_server::{ProtectedRouter, Verifier, require_all};
use serde_json::json;
use wiremock::ResponseTemplate;

use super::issuer::{AUDIENCE, Api, Issuer, Keys};
use crate::support::leak::{Leaks, Recorder};

#[tokio::test]
async fn no_token_is_shown_whatever_becomes_of_it() {
    let recorder = Recorder::running();
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().build().unwrap();
    let requirement = require_all(["read:transactions", "write:settings"]).unwrap();
    let router = ProtectedRouter::new(verifier.clone()).get("/", requirement, async || "ok");
    let mut shown = format!("{router:?}");
    let api = Api::serve(router.into_router().unwrap()).await;
    let stranger = Keys::generate();
    let tokens = [
        issuer.token(&json!({ "scope": "read:transactions write:settings" })),
        issuer.token(&json!({})),
        issuer.token(&json!({ "aud": "another" })),
        issuer.token(&json!({ "exp": issuer.now() - 600 })),
        stranger.sign(
            "EdDSA",
            r#"{"alg":"EdDSA","kid":"ed"}"#,
            &issuer.claims().to_string(),
        ),
        stranger.sign(
            "EdDSA",
            r#"{"alg":"EdDSA","kid":"?"}"#,
            &issuer.claims().to_string(),
        ),
        "hushed.token.with-nothing-in-it".to_owned(),
    ];
    for outage in [false, true] {
        if outage {
            issuer.answer_keys(ResponseTemplate::new(503)).await;
            issuer.clock.advance(std::time::Duration::from_secs(1000));
        }
        for token in &tokens {
            let answer = api.get("/", token).await;
            let outcome = verifier.verify(token).await;
            write!(shown, "{answer:?} {outcome:?}").unwrap();
            if let Err(error) = &outcome {
                write!(shown, "{error} {error:#?}").unwrap();
            }
        }
    }
    let proxied = Verifier::builder("https://banking.example", AUDIENCE)
        .proxy("http://u:hushed-password@h:1");
    write!(shown, "{proxied:?} {verifier:?}").unwrap();
    write!(shown, "{:?}", proxied.build()).unwrap();

    let issuer = Verifier::builder("https://u:hushed-password@banking.example", AUDIENCE);
    write!(shown, "{issuer:?}").unwrap();
    write!(shown, "{:?}", issuer.build()).unwrap();

    let parts: Vec<&str> = tokens
        .iter()
        .flat_map(|token| token.split('.'))
        .filter(|part| part.len() > 8)
        .collect();
    let leaks = Leaks::of(&[parts, vec!["hushed-password"]].concat());
    leaks.refuse("what was shown", &shown);
    let lines = recorder.lines();
    assert!(
        lines.iter().any(|line| line.contains("token not accepted")),
        "{lines:?}"
    );
    leaks.refuse("the log", &lines.join("\n"));
}
