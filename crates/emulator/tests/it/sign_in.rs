//! From the authorization endpoint to tokens.

use intelliauth_emulator::{FamilyDeath, RefreshTokenState, sample};

use crate::person::{SCOPES, parameter};
use crate::support::{part, sample_world};

#[tokio::test]
async fn a_person_signs_in_allows_and_the_application_gets_tokens_for_each_api() {
    let world = sample_world().await;
    let callback = world.approved(sample::ALICE, &[]).await;
    assert_eq!(parameter(&callback, "state").as_deref(), Some("state-1"));
    assert_eq!(
        parameter(&callback, "iss").as_deref(),
        Some(world.emulator.issuer())
    );
    let code = parameter(&callback, "code").unwrap();

    let reply = world.exchange(&code, &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let claims = reply.claims();
    assert_eq!(claims["sub"], sample::ALICE);
    assert_eq!(claims["aud"], sample::BANKING);
    assert_eq!(claims["auth_level"], "AAL1");
    assert_eq!(
        reply.json()["scope"],
        "offline_access openid profile read:transactions"
    );
    let id_claims = part(reply.json()["id_token"].as_str().unwrap(), 1);
    assert_eq!(id_claims["aud"], sample::NATIVE);
    assert_eq!(id_claims["nonce"], "nonce-1");
    assert_eq!(id_claims["name"], "Alice Sample");
    assert_eq!(id_claims["sid"], claims["sid"]);

    let first = reply.json()["refresh_token"].as_str().unwrap().to_owned();
    let reply = world.refresh(&first, &[("audience", sample::HEALTH)]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.claims()["aud"], sample::HEALTH);
    let scope = "offline_access openid profile read:records";
    assert_eq!(reply.json()["scope"], scope);
    let second = reply.json()["refresh_token"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    assert_eq!(
        world.emulator.refresh_token_state(&second),
        RefreshTokenState::Current
    );

    let reply = world.refresh(&first, &[]).await;
    assert_eq!(reply.error(), (400, "invalid_grant".to_owned()));
    let dead = RefreshTokenState::Dead(FamilyDeath::Reuse);
    assert_eq!(world.emulator.refresh_token_state(&second), dead);
    let families = world.emulator.families();
    assert_eq!(
        (
            families[0].rotations,
            families[0].redemptions,
            families[0].reuses
        ),
        (1, 1, 1)
    );
}

#[tokio::test]
async fn what_was_never_consented_to_needs_the_person_again() {
    let world = sample_world().await;
    let tokens = world.sign_in(&[]).await;
    let settings = [("audience", sample::SETTINGS), ("scope", "write:settings")];
    let reply = world.refresh(&tokens.refresh_token(), &settings).await;
    assert_eq!(reply.error(), (400, "consent_required".to_owned()));
    let scope = format!("{SCOPES} write:settings");
    let more = world.sign_in(&[("scope", &scope)]).await;
    let reply = world.refresh(&more.refresh_token(), &settings).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.claims()["scope"], "write:settings");
}

#[tokio::test]
async fn a_person_who_says_no_is_an_error_at_the_callback() {
    let world = sample_world().await;
    let callback = world
        .emulator
        .login_as(sample::BOB)
        .deny(world.authorize_url(&[]))
        .await;
    let callback = callback.unwrap();
    assert_eq!(
        parameter(&callback, "error").as_deref(),
        Some("access_denied")
    );
    assert_eq!(parameter(&callback, "state").as_deref(), Some("state-1"));
    assert_eq!(parameter(&callback, "code"), None);
}

#[tokio::test]
async fn a_device_gets_its_tokens_once_the_person_has_allowed_it() {
    let world = sample_world().await;
    let client = ("client_id", sample::NATIVE);
    let begun = world
        .post("/oauth2/device_authorization", &[client, ("scope", SCOPES)])
        .await;
    assert_eq!(begun.status, 200, "{}", begun.text);
    let text = |name: &str| begun.json()[name].as_str().unwrap().to_owned();
    let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    let device_code = text("device_code");
    let poll = [client, grant, ("device_code", device_code.as_str())];
    let reply = world.post("/oauth2/token", &poll).await;
    assert_eq!(reply.error(), (400, "authorization_pending".to_owned()));
    let alice = world.emulator.login_as(sample::ALICE_EMAIL);
    alice.device_approve(&text("user_code")).await.unwrap();
    world.emulator.advance(std::time::Duration::from_secs(5));
    let reply = world.post("/oauth2/token", &poll).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.claims()["sub"], sample::ALICE);
}
