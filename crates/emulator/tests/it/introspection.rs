//! `/oauth2/introspect` and `/oauth2/revoke`.

use std::time::Duration;

use intelliauth_emulator::{Application, sample};
use serde_json::{Value, json};

use crate::support::{Reply, SERVICE_POST, World, part, sample_world};

async fn introspect(world: &World, token: &str) -> Value {
    let parameters = [SERVICE_POST[1], SERVICE_POST[2], ("token", token)];
    let reply = world.post("/oauth2/introspect", &parameters).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()
}

async fn revoke(world: &World, token: &str) -> Reply {
    let parameters = [SERVICE_POST[1], SERVICE_POST[2], ("token", token)];
    world.post("/oauth2/revoke", &parameters).await
}

#[tokio::test]
async fn an_active_token_is_explained() {
    let world = sample_world().await;
    let token = world.banking_token().await;
    let state = introspect(&world, &token).await;
    let claims = part(&token, 1);
    assert_eq!(state["active"], true);
    assert_eq!(state["token_type"], "Bearer");
    for member in [
        "iss",
        "sub",
        "aud",
        "scope",
        "iat",
        "exp",
        "jti",
        "client_id",
    ] {
        assert_eq!(state[member], claims[member], "{member}");
    }
}

#[tokio::test]
async fn expired_revoked_and_unknown_tokens_are_inactive() {
    let world = sample_world().await;
    let inactive = json!({ "active": false });
    assert_eq!(introspect(&world, "garbage").await, inactive);
    let token = world.banking_token().await;
    assert_eq!(revoke(&world, &token).await.status, 200);
    assert_eq!(introspect(&world, &token).await, inactive);
    let token = world.banking_token().await;
    world.emulator.advance(Duration::from_secs(3601));
    assert_eq!(introspect(&world, &token).await, inactive);
}

#[tokio::test]
async fn tokens_of_a_disabled_application_are_inactive() {
    let world = sample_world().await;
    let auditor = Application::service("app_auditor", "auditor-secret");
    world.emulator.register(auditor).unwrap();
    let token = world.banking_token().await;
    let parameters = [
        ("client_id", "app_auditor"),
        ("client_secret", "auditor-secret"),
        ("token", &token),
    ];
    assert_eq!(
        world.post("/oauth2/introspect", &parameters).await.json()["active"],
        true
    );
    world.emulator.set_enabled(sample::SERVICE, false).unwrap();
    assert_eq!(
        world.post("/oauth2/introspect", &parameters).await.json()["active"],
        false
    );
}

#[tokio::test]
async fn revoking_all_tokens_of_an_application_ends_each_of_them() {
    let world = sample_world().await;
    let (one, two) = (world.banking_token().await, world.banking_token().await);
    assert_eq!(world.emulator.revoke_tokens(sample::SERVICE).unwrap(), 2);
    for token in [one, two] {
        assert_eq!(introspect(&world, &token).await["active"], false);
    }
}

#[tokio::test]
async fn opaque_tokens_are_explained_too() {
    let world = sample_world().await;
    let opaque = intelliauth_emulator::TokenFormat::Opaque;
    world
        .emulator
        .switches(|switches| switches.token_format = opaque);
    let state = introspect(&world, &world.banking_token().await).await;
    assert_eq!(state["aud"], sample::BANKING);
}

#[tokio::test]
async fn only_applications_with_a_secret_may_introspect() {
    let world = sample_world().await;
    let public = [("client_id", sample::NATIVE), ("token", "garbage")];
    let reply = world.post("/oauth2/introspect", &public).await;
    assert_eq!(reply.error(), (400, "unauthorized_client".to_owned()));
    let anonymous = world
        .post("/oauth2/introspect", &[("token", "garbage")])
        .await;
    assert_eq!(anonymous.error(), (401, "invalid_client".to_owned()));
    let no_token = world.post("/oauth2/introspect", &SERVICE_POST[1..]).await;
    assert_eq!(no_token.error(), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn revoking_garbage_succeeds_and_another_clients_token_does_not() {
    let world = sample_world().await;
    let garbage = revoke(&world, "garbage").await;
    assert_eq!((garbage.status.as_u16(), garbage.text.as_str()), (200, ""));
    let token = world.banking_token().await;
    let other = [
        ("client_id", sample::WEB),
        ("client_secret", sample::WEB_SECRET),
        ("token", token.as_str()),
    ];
    let reply = world.post("/oauth2/revoke", &other).await;
    assert_eq!(reply.error(), (400, "invalid_grant".to_owned()));
    assert_eq!(introspect(&world, &token).await["active"], true);
    let no_token = world.post("/oauth2/revoke", &SERVICE_POST[1..]).await;
    assert_eq!(no_token.error(), (400, "invalid_request".to_owned()));
}
