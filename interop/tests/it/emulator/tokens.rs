//! Tokens that foreign clients get and verify with their own code.

use intelliauth::ClientAuthentication::{Basic, Post};
use intelliauth_emulator::{
    Application, AudienceClaim, BasicDecoding, Config, Emulator, Switches, TokenType, sample,
};
use serde_json::Value;

use super::{Start, for_each_peer};
use crate::support::{Peer, Question, TRICKY_SECRET, ours};

for_each_peer! {
    tokens_for_two_audiences_are_what_the_sdk_gets
    a_token_verifies_for_its_own_audience_alone
    a_rotation_of_the_signing_key_leaves_old_and_new_tokens_valid
    a_replaced_signing_key_is_noticed
    an_issuer_with_a_path_is_discovered
    every_shape_that_a_tenant_can_be_switched_to_is_read_alike
}

async fn emulator() -> Emulator {
    Emulator::start(Config::sample()).await.unwrap()
}

async fn tokens_for_two_audiences_are_what_the_sdk_gets(start: Start) {
    let emulator = emulator().await;
    let mut peer = start(&emulator);
    for (audience, scope) in [
        (sample::BANKING, ""),
        (sample::BANKING, "read:accounts"),
        (sample::HEALTH, "read:records"),
    ] {
        for method in [Basic, Post] {
            let question = Question {
                method,
                audience,
                scope,
                ..Question::default()
            };
            let theirs = &peer.token(question)["ok"];
            let ours = &ours(&emulator, question).await["ok"];
            assert!(!theirs.is_null() && !ours.is_null(), "{question:?}");
            for member in ["scope", "expires_in"] {
                assert_eq!(theirs[member], ours[member], "{question:?}");
            }
            for claim in ["aud", "iss", "sub", "scope", "client_id"] {
                let (theirs, ours) = (&theirs["claims"][claim], &ours["claims"][claim]);
                assert_eq!(theirs, ours, "{claim} of {question:?}");
            }
            assert_eq!(theirs["claims"]["aud"], audience);
            assert_eq!(theirs["claims"]["iss"], emulator.issuer());
        }
    }
}

async fn a_token_verifies_for_its_own_audience_alone(start: Start) {
    let emulator = emulator().await;
    let mut peer = start(&emulator);
    let token = &ours(&emulator, Question::default()).await["ok"]["token"];
    assert!(peer.verify(token, sample::BANKING)["ok"].is_object());
    let refused = peer.verify(token, sample::HEALTH);
    assert!(problem(&refused).contains("aud"), "{refused}");
}

async fn a_rotation_of_the_signing_key_leaves_old_and_new_tokens_valid(start: Start) {
    let emulator = emulator().await;
    let mut peer = start(&emulator);
    let old = peer.token(Question::default())["ok"].clone();
    let new_key = emulator.rotate_keys().unwrap();
    let new = peer.token(Question::default())["ok"].clone();
    assert_eq!(new["key"], new_key);
    assert_ne!(old["key"], new_key);

    // A verifier that starts after the rotation knows the old key as well.
    let mut late = start(&emulator);
    for verifier in [&mut peer, &mut late] {
        for token in [&old, &new] {
            let verified = verifier.verify(&token["token"], sample::BANKING);
            assert_eq!(verified["ok"]["key"], token["key"], "{verified}");
        }
    }
}

async fn a_replaced_signing_key_is_noticed(start: Start) {
    let emulator = emulator().await;
    let mut peer = start(&emulator);
    let old = peer.token(Question::default())["ok"].clone();
    let new_key = emulator.replace_keys().unwrap();
    assert_eq!(peer.token(Question::default())["ok"]["key"], new_key);
    let mut late = start(&emulator);
    let refused = late.verify(&old["token"], sample::BANKING);
    assert!(!problem(&refused).is_empty(), "{refused}");
}

async fn an_issuer_with_a_path_is_discovered(start: Start) {
    let config = Config::sample().issuer_path("/tenants/a");
    let emulator = Emulator::start(config).await.unwrap();
    let token = start(&emulator).token(Question::default());
    assert_eq!(token["ok"]["claims"]["iss"], emulator.issuer(), "{token}");
}

async fn every_shape_that_a_tenant_can_be_switched_to_is_read_alike(start: Start) {
    let shapes: [fn(&mut Switches); 6] = [
        |switches| switches.audience_claim = AudienceClaim::Array,
        |switches| switches.jwks_includes_alg = false,
        |switches| switches.token_typ = TokenType::Jwt,
        |switches| switches.token_typ = TokenType::None,
        |switches| switches.claim_nbf = true,
        |switches| switches.claim_jti = false,
    ];
    let emulator = emulator().await;
    let mut peer = start(&emulator);
    for shape in shapes {
        emulator.reset();
        emulator.switches(shape);
        let theirs = peer.token(Question::default());
        let ours = ours(&emulator, Question::default()).await;
        assert_eq!(told_alike(&theirs), told_alike(&ours));
    }
}

/// The claims that do not differ from token to token.
fn told_alike(answer: &Value) -> Value {
    let mut claims = answer["ok"]["claims"].clone();
    let members = claims.as_object_mut();
    let members = members.unwrap_or_else(|| panic!("{answer}"));
    for own in ["exp", "iat", "jti", "nbf"] {
        members.remove(own);
    }
    claims
}

/// One client encodes it by the letter of RFC 6749 section 2.3.1, the other sends it as it is.
#[tokio::test]
async fn a_tricky_secret_in_basic_is_read_as_the_tenant_is_switched() {
    for (start, decoding, other) in [
        (
            Peer::openid_client as Start,
            BasicDecoding::Form,
            BasicDecoding::Raw,
        ),
        (Peer::authlib, BasicDecoding::Raw, BasicDecoding::Form),
    ] {
        let (emulator, question) = tricky().await;
        let mut peer = start(&emulator);
        for fitting in [decoding, BasicDecoding::Either] {
            emulator.switches(|switches| switches.basic_decoding = fitting);
            let token = peer.token(question);
            assert!(token["ok"].is_object(), "{fitting:?}: {token}");
        }
        emulator.switches(|switches| switches.basic_decoding = other);
        let refused = peer.token(question);
        assert_eq!(refused["error"]["code"], "invalid_client", "{refused}");
    }
}

#[tokio::test]
async fn a_tricky_secret_in_the_form_is_read_whoever_sends_it() {
    for start in [Peer::openid_client, Peer::authlib] {
        let (emulator, question) = tricky().await;
        let question = Question {
            method: Post,
            ..question
        };
        let token = start(&emulator).token(question);
        assert!(token["ok"].is_object(), "{token}");
    }
}

async fn tricky() -> (Emulator, Question<'static>) {
    let application = Application::service("app_tricky", TRICKY_SECRET)
        .allow_audiences([sample::BANKING])
        .allow_scopes(["read:accounts"]);
    let config = Config::sample().application(application);
    let question = Question {
        client_id: "app_tricky",
        client_secret: TRICKY_SECRET,
        ..Question::default()
    };
    (Emulator::start(config).await.unwrap(), question)
}

/// What a peer says about a token that it does not take; empty if it takes it.
fn problem(answer: &Value) -> &str {
    answer["error"]["problem"].as_str().unwrap_or_default()
}
