//! Authorization codes and what they are exchanged for.

use std::time::Duration;

use intelliauth_emulator::{Config, FamilyDeath, Fault, RefreshTokenState, sample};
use serde_json::json;

use crate::person::{SCOPES, VERIFIER, WEB_WITHOUT_PKCE, challenge, parameter};
use crate::support::{World, part, sample_world};

const INVALID_GRANT: &str = "invalid_grant";

#[tokio::test]
async fn a_code_works_once_and_its_second_use_revokes_what_it_minted() {
    let world = sample_world().await;
    let code = world.code(&[]).await;
    let reply = world.exchange(&code, &[]).await;
    let token = reply.json()["refresh_token"].as_str().unwrap().to_owned();
    let access_token = reply.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(
        world.exchange(&code, &[]).await.error(),
        (400, INVALID_GRANT.to_owned())
    );
    let dead = RefreshTokenState::Dead(FamilyDeath::CodeReuse);
    assert_eq!(world.emulator.refresh_token_state(&token), dead);
    assert!(!world.is_active(&access_token).await);
    let audit = world.emulator.audit();
    assert!(audit.iter().any(|it| it.kind == "oauth.code_reused"));
}

#[tokio::test]
async fn a_code_is_bound_to_its_redirect_uri_verifier_and_application() {
    let world = sample_world().await;
    let other = "another-verifier-of-a-test-that-is-long-enough-too";
    let rows = [
        (
            "redirect_uri",
            "http://127.0.0.1:49153/callback",
            INVALID_GRANT,
        ),
        ("redirect_uri", "", "invalid_request"),
        ("code_verifier", other, INVALID_GRANT),
        ("code_verifier", "", INVALID_GRANT),
        ("code_verifier", "short", INVALID_GRANT),
    ];
    for (name, value, error) in rows {
        let code = world.code(&[]).await;
        let reply = world.exchange(&code, &[(name, value)]).await;
        assert_eq!(reply.error(), (400, error.to_owned()), "{name}={value}");
        // One attempt: a wrong guess uses the code up.
        assert_eq!(world.exchange(&code, &[]).await.error().1, INVALID_GRANT);
    }
    let code = world.code(&[]).await;
    let web = [
        ("client_id", sample::WEB),
        ("client_secret", sample::WEB_SECRET),
    ];
    assert_eq!(world.exchange(&code, &web).await.error().1, INVALID_GRANT);
    // The attempt of another client changes nothing.
    assert_eq!(world.exchange(&code, &[]).await.status, 200);
    assert_eq!(
        world.exchange("made-up", &[]).await.error().1,
        INVALID_GRANT
    );
}

#[tokio::test]
async fn a_verifier_without_a_challenge_is_refused() {
    let world = sample_world().await;
    let web = WEB_WITHOUT_PKCE;
    let code = world.code(&web).await;
    let form = [web[0], web[1], ("client_secret", sample::WEB_SECRET)];
    assert_eq!(world.exchange(&code, &form).await.error().1, INVALID_GRANT);
    assert_ne!(VERIFIER, challenge());
}

#[tokio::test]
async fn a_code_lives_as_long_as_the_switch_says() {
    let world = World::of(
        Config::sample().switches(|switches| switches.code_ttl = Duration::from_secs(10)),
    )
    .await;
    let code = world.code(&[]).await;
    world.emulator.advance(Duration::from_secs(10));
    let reply = world.exchange(&code, &[]).await;
    assert_eq!(reply.error().1, INVALID_GRANT);
    assert_eq!(reply.json()["error_description"], "the code has expired");
}

#[tokio::test]
async fn a_code_of_an_ended_session_or_of_a_suspended_person_is_worth_nothing() {
    let world = sample_world().await;
    let code = world.code(&[]).await;
    let session = world.emulator.sessions()[0].id.clone();
    world.emulator.revoke_session(&session).unwrap();
    assert_eq!(world.exchange(&code, &[]).await.error().1, INVALID_GRANT);
    let code = world.code(&[]).await;
    world
        .emulator
        .set_user_enabled(sample::ALICE, false)
        .unwrap();
    assert_eq!(world.exchange(&code, &[]).await.error().1, INVALID_GRANT);
}

#[tokio::test]
async fn a_consent_taken_back_in_between_is_missed_by_the_exchange() {
    let world = sample_world().await;
    let code = world.code(&[]).await;
    let revoke = |audience| {
        world
            .emulator
            .revoke_consent(sample::ALICE, sample::NATIVE, audience)
    };
    assert_eq!(revoke(Some(sample::BANKING)), 1);
    let reply = world.exchange(&code, &[]).await;
    assert_eq!(reply.error(), (400, "consent_required".to_owned()));
}

#[tokio::test]
async fn scopes_decide_what_comes_with_the_access_token() {
    let world = sample_world().await;
    let tokens = world.sign_in(&[("scope", "read:transactions")]).await;
    let json = tokens.reply.json();
    assert_eq!(
        (json.get("id_token"), json.get("refresh_token")),
        (None, None)
    );
    let tokens = world.sign_in(&[("scope", "openid email")]).await;
    let claims = tokens.id_claims();
    assert_eq!(claims["email"], sample::ALICE_EMAIL);
    assert_eq!(claims["email_verified"], true);
    assert_eq!(claims.get("name"), None);
    assert_eq!(tokens.reply.json().get("refresh_token"), None);
}

#[tokio::test]
async fn a_code_may_be_exchanged_for_a_token_of_any_api_that_it_covers() {
    let world = sample_world().await;
    let code = world.code(&[]).await;
    let reply = world.exchange(&code, &[("audience", sample::HEALTH)]).await;
    assert_eq!(reply.claims()["aud"], sample::HEALTH);
    let code = world.code(&[]).await;
    let reply = world
        .exchange(&code, &[("audience", sample::SETTINGS)])
        .await;
    assert_eq!(reply.error().1, "consent_required");
    let code = world.code(&[]).await;
    let reply = world.exchange(&code, &[("audience", "api.unknown")]).await;
    assert_eq!(reply.error().1, "invalid_target");
}

#[tokio::test]
async fn id_tokens_are_signed_and_say_what_they_must() {
    let world = sample_world().await;
    let tokens = world.sign_in(&[]).await;
    let claims = tokens.id_claims();
    let header = part(&tokens.text("id_token"), 0);
    assert_eq!(
        (&header["alg"], &header["typ"]),
        (&json!("RS256"), &json!("JWT"))
    );
    assert_eq!(claims["iss"], world.emulator.issuer());
    assert_eq!(claims["sub"], sample::ALICE);
    assert_eq!(claims["aud"], sample::NATIVE);
    assert_eq!(claims["nonce"], "nonce-1");
    assert_eq!(claims["given_name"], "Alice");
    let hash = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA256,
        tokens.text("access_token").as_bytes(),
    );
    let half = base64::Engine::encode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        &hash.as_ref()[..16],
    );
    assert_eq!(claims["at_hash"], half);
}

#[tokio::test]
async fn claims_of_an_id_token_go_wrong_on_demand() {
    let world = sample_world().await;
    let faults = [
        ("nonce", json!("another")),
        ("sub", json!(sample::BOB)),
        ("aud", json!("app_other")),
        ("iss", json!("https://other.example")),
        ("exp", json!(1)),
    ];
    for (name, value) in faults {
        world
            .emulator
            .fault(Fault::id_token_claim(name, value.clone()).times(1));
        let code = world.code(&[]).await;
        let reply = world.exchange(&code, &[]).await;
        let claims = part(reply.json()["id_token"].as_str().unwrap(), 1);
        assert_eq!(claims[name], value, "{name}");
    }
    let missing = Fault::id_token_claim("nonce", serde_json::Value::Null);
    world.emulator.fault(missing.times(1));
    assert_eq!(world.sign_in(&[]).await.id_claims().get("nonce"), None);
}

#[tokio::test]
async fn no_application_gets_more_of_a_person_than_the_person_may_have() {
    let world = sample_world().await;
    let callback = world.approved(sample::BOB, &[]).await;
    let code = parameter(&callback, "code").unwrap();
    let reply = world.exchange(&code, &[]).await;
    let token = reply.json()["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(reply.claims()["sub"], sample::BOB);
    // Bob has nothing at the health API, whatever was asked for.
    assert_eq!(world.emulator.families()[0].audiences, [sample::BANKING]);
    let health = [("audience", sample::HEALTH)];
    assert_eq!(
        world.refresh(&token, &health).await.error().1,
        "consent_required"
    );
    let only = [("scope", "read:records")];
    let callback = world.approved(sample::BOB, &only).await;
    let error = parameter(&callback, "error");
    assert_eq!(error.as_deref(), Some("access_denied"));
    assert!(SCOPES.contains("read:records"));
}
