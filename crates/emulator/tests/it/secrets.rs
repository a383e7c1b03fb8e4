//! No secret comes out where it does not belong.

use intelliauth_emulator::{Application, Config, Fault, TokenFormat, sample};
use reqwest::header::USER_AGENT;
use serde_json::{Value, json};

use crate::support::{SERVICE_POST, World, sample_world};

const SECRETS: [&str; 6] = [
    sample::ADMIN_TOKEN,
    sample::SERVICE_SECRET,
    sample::DISABLED_SECRET,
    sample::WEB_SECRET,
    "sample-alice-password",
    "sample-bob-password",
];

fn assert_clean(what: &str, text: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(!text.contains(secret), "{what} shows {secret}: {text}");
    }
}

#[test]
fn debug_of_a_configuration_hides_every_secret() {
    let config = Config::sample();
    assert_clean("Config", &format!("{config:?} {config:#?}"), &SECRETS);
    for application in config.applications() {
        assert_clean("Application", &format!("{application:?}"), &SECRETS);
    }
}

#[tokio::test]
async fn logs_and_views_never_show_a_secret_or_a_token() {
    let world = sample_world().await;
    let emulator = &world.emulator;
    let token = world.banking_token().await;
    let rotated = emulator.rotate_secret(sample::SERVICE).unwrap();
    // Secrets where they do not belong: a client that mixes up its fields.
    let misplaced = [
        ("grant_type", sample::SERVICE_SECRET),
        ("client_id", sample::SERVICE_SECRET),
        ("client_secret", sample::SERVICE),
        ("audience", rotated.as_str()),
        ("scope", sample::WEB_SECRET),
    ];
    world.post("/oauth2/token", &misplaced).await;
    world.token(&[("audience", sample::SERVICE_SECRET)]).await;
    world
        .token(&[("audience", sample::BANKING), ("scope", &rotated)])
        .await;
    world
        .post(
            "/oauth2/introspect",
            &[SERVICE_POST[1], SERVICE_POST[2], ("token", &token)],
        )
        .await;
    world
        .post(
            "/oauth2/revoke",
            &[SERVICE_POST[1], SERVICE_POST[2], ("token", &token)],
        )
        .await;
    world.get(&format!("/{}", sample::WEB_SECRET)).await;
    emulator.fault(Fault::drop_after().application("app_other"));

    let secrets = [SECRETS.as_slice(), &[rotated.as_str(), token.as_str()]].concat();
    assert_clean("requests", &format!("{:?}", emulator.requests()), &secrets);
    assert_clean("audit", &format!("{:?}", emulator.audit()), &secrets);
    assert_clean("Emulator", &format!("{emulator:?}"), &secrets);
    assert_clean("faults", &format!("{:?}", emulator.faults()), &secrets);
    for path in [
        "/api/v1/audit?limit=200",
        "/api/v1/applications",
        "/emulator/v1/requests",
        "/emulator/v1/switches",
        "/emulator/v1/faults",
    ] {
        let reply = world.admin("GET", path, Value::Null).await;
        assert_eq!(reply.status, 200, "{path}");
        assert_clean(path, &reply.text, &secrets);
    }
}

/// Sends a text in every field that a log keeps.
async fn put_everywhere(world: &World, text: &str) {
    for field in ["grant_type", "client_id", "audience", "resource", "scope"] {
        world.post("/oauth2/token", &[(field, text)]).await;
        let among_others = format!("one {text} two");
        world.post("/oauth2/token", &[(field, &among_others)]).await;
    }
    world
        .post_basic("/oauth2/token", &format!("{text}:x"), &[])
        .await;
    let agent = format!("client/1.0 ({text})");
    for agent in [text, &agent] {
        world
            .post_with("/oauth2/token", &SERVICE_POST, &[(USER_AGENT, agent)])
            .await;
    }
    world.get(&format!("/{text}")).await;
    world.get(&format!("/{text}/more")).await;
    let name = json!({ "name": text, "type": "service" });
    world.admin("POST", "/api/v1/applications", name).await;
}

async fn assert_logs_clean(world: &World, secret: &str) {
    let emulator = &world.emulator;
    assert_clean("requests", &format!("{:?}", emulator.requests()), &[secret]);
    assert_clean("audit", &format!("{:?}", emulator.audit()), &[secret]);
    for path in ["/api/v1/audit?limit=200", "/emulator/v1/requests"] {
        let reply = world.admin("GET", path, Value::Null).await;
        assert_eq!(reply.status, 200, "{path}");
        assert_clean(path, &reply.text, &[secret]);
    }
}

#[tokio::test]
async fn a_secret_in_any_logged_field_is_blanked() {
    let world = sample_world().await;
    put_everywhere(&world, sample::SERVICE_SECRET).await;
    assert_logs_clean(&world, sample::SERVICE_SECRET).await;
}

#[tokio::test]
async fn an_issued_token_in_any_logged_field_is_blanked() {
    let world = sample_world().await;
    let token = world.banking_token().await;
    put_everywhere(&world, &token).await;
    assert_logs_clean(&world, &token).await;
    let agents = world.emulator.audit().into_iter();
    let agents: Vec<_> = agents.filter_map(|it| it.context.user_agent).collect();
    assert_eq!(agents, ["[redacted]", "client/1.0 ([redacted])"]);
}

#[tokio::test]
async fn an_issued_opaque_token_in_any_logged_field_is_blanked() {
    let world = sample_world().await;
    world
        .emulator
        .switches(|switches| switches.token_format = TokenFormat::Opaque);
    let token = world.banking_token().await;
    put_everywhere(&world, &token).await;
    assert_logs_clean(&world, &token).await;
}

#[tokio::test]
async fn a_token_of_another_issuer_is_blanked_too() {
    let (world, other) = tokio::join!(sample_world(), sample_world());
    let token = other.banking_token().await;
    put_everywhere(&world, &token).await;
    assert_logs_clean(&world, &token).await;
}

#[tokio::test]
async fn a_short_secret_is_blanked_as_a_word() {
    let world = sample_world().await;
    world
        .emulator
        .register(Application::service("app_short", "pass1"))
        .unwrap();
    put_everywhere(&world, "pass1").await;
    assert_logs_clean(&world, "pass1").await;
}

#[tokio::test]
async fn a_secret_in_an_encoded_path_is_blanked() {
    let world = sample_world().await;
    world
        .emulator
        .register(Application::service("app_odd", "sample secret"))
        .unwrap();
    world.get("/sample%20secret/more").await;
    world.get("/plain%20path").await;
    let requests = world.emulator.requests();
    assert_eq!(requests[0].path, "/[redacted]/more");
    assert_eq!(requests[1].path, "/plain%20path");
}

#[tokio::test]
async fn a_short_secret_does_not_garble_the_logs() {
    let world = sample_world().await;
    world
        .emulator
        .register(Application::service("app_exes", "e"))
        .unwrap();
    world.token(&[("audience", sample::BANKING)]).await;
    let parameters = [("client_id", "app_exes"), ("client_secret", "e")];
    world.post("/oauth2/token", &parameters).await;
    let requests = world.emulator.requests();
    assert_eq!(requests[0].audience.as_deref(), Some(sample::BANKING));
    assert_eq!(requests[1].client_id.as_deref(), Some("app_exes"));
}

#[tokio::test]
async fn an_admin_token_is_made_up_where_none_is_set() {
    let config = || Config::new("a", "b");
    let one = World::of(config()).await;
    let two = World::of(config()).await;
    assert_ne!(one.emulator.admin_token(), two.emulator.admin_token());
    assert!(one.emulator.admin_token().len() >= 43);
    assert_eq!(
        one.admin("GET", "/api/v1/audit", Value::Null).await.status,
        200
    );
    let chosen = World::of(config().admin_token("sample-chosen")).await;
    assert_eq!(chosen.emulator.admin_token(), "sample-chosen");
}
