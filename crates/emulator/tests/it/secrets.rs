//! No secret comes out where it does not belong.

use intelliauth_emulator::{Application, Config, Fault, sample};
use serde_json::Value;

use crate::support::{SERVICE_POST, sample_world};

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
    let one = crate::support::World::of(config()).await;
    let two = crate::support::World::of(config()).await;
    assert_ne!(one.emulator.admin_token(), two.emulator.admin_token());
    assert!(one.emulator.admin_token().len() >= 43);
    assert_eq!(
        one.admin("GET", "/api/v1/audit", Value::Null).await.status,
        200
    );
    let chosen = crate::support::World::of(config().admin_token("sample-chosen")).await;
    assert_eq!(chosen.emulator.admin_token(), "sample-chosen");
}
