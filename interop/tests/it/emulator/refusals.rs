//! Refusals: foreign clients read the same in them as the SDK.

use intelliauth::ClientAuthentication::{Basic, Post};
use intelliauth_emulator::{Challenge, Config, Emulator, Endpoint, Fault, RetryAfter, sample};
use serde_json::json;

use super::{Start, for_each_peer};
use crate::support::{Question, ours};

for_each_peer! {
    every_refusal_reads_as_it_does_to_the_sdk
    a_refusal_reads_the_same_whatever_the_challenge_says
    a_request_for_patience_reads_as_it_does_to_the_sdk
    the_limit_of_the_tenant_reads_as_it_does_to_the_sdk
}

async fn emulator() -> Emulator {
    Emulator::start(Config::sample()).await.unwrap()
}

async fn every_refusal_reads_as_it_does_to_the_sdk(start: Start) {
    let emulator = emulator().await;
    let mut peer = start(&emulator);
    for (status, code, question) in refused() {
        for method in [Basic, Post] {
            let question = Question { method, ..question };
            let theirs = peer.token(question);
            let expected = json!({"status": status, "code": code, "retry_after": null});
            assert_eq!(theirs["error"], expected, "{question:?}");
            assert_eq!(theirs, ours(&emulator, question).await, "{question:?}");
        }
    }
}

/// Status, code and the question that they answer.
fn refused() -> [(u16, &'static str, Question<'static>); 7] {
    let usual = Question::default();
    let scope = |scope| Question { scope, ..usual };
    let audience = |audience| Question { audience, ..usual };
    let credentials = |client_id, client_secret| Question {
        client_id,
        client_secret,
        ..usual
    };
    let disabled = credentials(sample::DISABLED, sample::DISABLED_SECRET);
    let wrong_secret = credentials(sample::SERVICE, "wrong-secret");
    let unknown = credentials("app_nobody", sample::SERVICE_SECRET);
    [
        (400, "invalid_scope", scope("write:transactions")),
        (400, "invalid_scope", scope("read:accounts read:weather")),
        (400, "invalid_target", audience(sample::SETTINGS)),
        (400, "invalid_target", audience("api.weather.cymmetri.com")),
        (400, "unauthorized_client", disabled),
        (401, "invalid_client", wrong_secret),
        (401, "invalid_client", unknown),
    ]
}

async fn a_refusal_reads_the_same_whatever_the_challenge_says(start: Start) {
    let emulator = emulator().await;
    let mut peer = start(&emulator);
    let question = Question {
        client_secret: "wrong-secret",
        ..Question::default()
    };
    for challenge in [
        Challenge::Basic,
        Challenge::Bearer,
        Challenge::WithoutScheme,
        Challenge::None,
    ] {
        emulator.switches(|switches| switches.challenge = challenge);
        let theirs = peer.token(question);
        assert_eq!(theirs["error"]["code"], "invalid_client", "{challenge:?}");
        assert_eq!(theirs, ours(&emulator, question).await, "{challenge:?}");
    }
}

async fn a_request_for_patience_reads_as_it_does_to_the_sdk(start: Start) {
    let emulator = emulator().await;
    let mut peer = start(&emulator);
    let fault = Fault::rate_limited(RetryAfter::Seconds(17));
    emulator.fault(fault.at(Endpoint::Token).times(2));
    let theirs = peer.token(Question::default());
    assert_eq!(theirs["error"]["status"], 429, "{theirs}");
    assert_eq!(theirs["error"]["retry_after"], "17", "{theirs}");
    assert_eq!(theirs, ours(&emulator, Question::default()).await);
}

async fn the_limit_of_the_tenant_reads_as_it_does_to_the_sdk(start: Start) {
    let emulator = emulator().await;
    let mut peer = start(&emulator);
    emulator.switches(|switches| switches.requests_per_minute = Some(1));
    assert!(peer.token(Question::default())["ok"].is_object());
    let theirs = peer.token(Question::default());
    let ours = ours(&emulator, Question::default()).await;
    for answer in [&theirs, &ours] {
        assert_eq!(answer["error"]["status"], 429, "{answer}");
        let wait = answer["error"]["retry_after"].as_str().unwrap();
        assert!((1..=60).contains(&wait.parse().unwrap()), "{wait}");
    }
    assert_eq!(theirs["error"]["code"], ours["error"]["code"]);
}
