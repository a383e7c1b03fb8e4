//! `/api/v1`: applications and the audit log.

use intelliauth_emulator::{Outcome, sample};
use serde_json::{Value, json};

use crate::support::{World, sample_world};

async fn register(world: &World, body: Value) -> Value {
    let reply = world.admin("POST", "/api/v1/applications", body).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    reply.json()["data"].clone()
}

fn jobs() -> Value {
    json!({
        "name": "Jobs",
        "type": "service",
        "allowed_audiences": [sample::BANKING],
        "allowed_scopes": ["read:accounts"],
        "token_lifetime": 120,
    })
}

#[tokio::test]
async fn the_admin_token_is_required() {
    let world = sample_world().await;
    for path in [
        "/api/v1/applications",
        "/api/v1/audit",
        "/emulator/v1/clock",
    ] {
        let reply = world.get(path).await;
        assert_eq!(
            reply.error(),
            (401, "not_authenticated".to_owned()),
            "{path}"
        );
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"), "{path}");
    }
    let wrong = world
        .http()
        .get(world.emulator.url("/api/v1/audit"))
        .bearer_auth("wrong");
    assert_eq!(wrong.send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_registered_application_gets_tokens_with_the_secret_shown_once() {
    let world = sample_world().await;
    let application = register(&world, jobs()).await;
    let id = application["id"].as_str().unwrap();
    assert!(id.starts_with("app_"), "{id}");
    let secret = application["secret"].as_str().unwrap();
    let parameters = [
        ("grant_type", "client_credentials"),
        ("client_id", id),
        ("client_secret", secret),
    ];
    let reply = world.post("/oauth2/token", &parameters).await;
    assert_eq!(reply.json()["scope"], "read:accounts");
    assert_eq!(reply.json()["expires_in"], 120);
    let path = format!("/api/v1/applications/{id}");
    let read = world.admin("GET", &path, Value::Null).await;
    assert_eq!(read.json()["data"]["name"], "Jobs");
    assert!(!read.text.contains(secret));
}

#[tokio::test]
async fn a_public_application_is_registered_without_a_secret() {
    let world = sample_world().await;
    let application = register(
        &world,
        json!({ "id": "app_x", "name": "X", "type": "native" }),
    )
    .await;
    assert_eq!(application["id"], "app_x");
    assert!(application.get("secret").is_none());
    let again = json!({ "id": "app_x", "name": "X", "type": "native" });
    let reply = world.admin("POST", "/api/v1/applications", again).await;
    assert_eq!(reply.error(), (409, "already_exists".to_owned()));
}

#[tokio::test]
async fn a_wrong_registration_names_the_field_and_the_fix() {
    let world = sample_world().await;
    let rows = [
        (
            "allowed_scopes",
            json!(["read:account"]),
            "did you mean `read:accounts`?",
        ),
        (
            "allowed_scopes",
            json!("read:accounts"),
            "must be an array of strings",
        ),
        (
            "allowed_audiences",
            json!(["api.nowhere"]),
            "which no API has",
        ),
        (
            "type",
            json!("daemon"),
            "must be one of service, web, native, browser",
        ),
        ("name", Value::Null, "is missing"),
        ("token_lifetime", json!(0), "give it at least 1"),
        (
            "token_lifetime",
            json!("1h"),
            "must be a whole number of seconds",
        ),
        ("enabled", json!("yes"), "must be true or false"),
        ("audience", json!(sample::HEALTH), "may not call it"),
        ("colour", json!("red"), "there is no such field"),
    ];
    for (field, value, message) in rows {
        let mut body = jobs();
        body[field] = value;
        let reply = world.admin("POST", "/api/v1/applications", body).await;
        assert_eq!(
            reply.error(),
            (422, "validation_failed".to_owned()),
            "{field}"
        );
        let json = reply.json();
        assert_eq!(json["details"]["field"], field);
        let text = json["message"].as_str().unwrap();
        assert!(text.contains(message), "{field}: {text}");
    }
    let request = world
        .http()
        .post(world.emulator.url("/api/v1/applications"))
        .bearer_auth(sample::ADMIN_TOKEN)
        .body("{");
    let reply = crate::support::Reply::of(request).await.unwrap();
    assert_eq!(reply.error(), (400, "invalid_request".to_owned()));
    let changes = world.emulator.audit();
    assert!(changes.is_empty(), "{changes:?}");
}

#[tokio::test]
async fn applications_are_listed_in_pages() {
    let world = sample_world().await;
    let first = world
        .admin("GET", "/api/v1/applications?limit=3", Value::Null)
        .await
        .json();
    assert_eq!(first["data"].as_array().unwrap().len(), 3);
    assert_eq!(first["meta"]["limit"], 3);
    let cursor = first["meta"]["next_cursor"].as_str().unwrap();
    let path = format!("/api/v1/applications?limit=3&cursor={cursor}");
    let last = world.admin("GET", &path, Value::Null).await.json();
    assert_eq!(last["data"].as_array().unwrap().len(), 1);
    assert!(last["meta"]["next_cursor"].is_null());
    let bad = world
        .admin("GET", "/api/v1/applications?limit=0", Value::Null)
        .await;
    assert_eq!(bad.error(), (422, "validation_failed".to_owned()));
}

#[tokio::test]
async fn a_change_of_the_allowlist_is_audited_with_before_and_after() {
    let world = sample_world().await;
    let path = format!("/api/v1/applications/{}", sample::SERVICE);
    let change = json!({ "allowed_scopes": ["read:accounts"] });
    let reply = world.admin("PATCH", &path, change).await;
    assert_eq!(
        reply.json()["data"]["allowed_scopes"],
        json!(["read:accounts"])
    );
    let entry = world.emulator.audit().pop().unwrap();
    assert_eq!(entry.kind, "application.updated");
    assert_eq!(
        (entry.actor.kind.as_str(), entry.actor.id.as_str()),
        ("admin", "admin")
    );
    assert_eq!(entry.target.id, sample::SERVICE);
    assert_eq!(entry.outcome, Outcome::Success);
    assert_eq!(
        entry.data,
        json!({
            "before": { "allowed_scopes": ["read:accounts", "read:records", "read:transactions"] },
            "after": { "allowed_scopes": ["read:accounts"] },
        })
    );
    assert_eq!(
        entry.context.request_id.as_deref(),
        reply.header("x-request-id")
    );
}

#[tokio::test]
async fn disabling_enabling_and_a_lifetime_are_changes_too() {
    let world = sample_world().await;
    let path = format!("/api/v1/applications/{}", sample::SERVICE);
    for change in [
        json!({ "enabled": false }),
        json!({ "enabled": true }),
        json!({ "token_lifetime": 60 }),
        json!({ "token_lifetime": null }),
        json!({ "name": "Renamed", "allowed_audiences": [sample::HEALTH] }),
    ] {
        let reply = world.admin("PATCH", &path, change).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }
    let kinds: Vec<String> = world
        .emulator
        .audit()
        .into_iter()
        .map(|entry| entry.kind)
        .collect();
    let updated = "application.updated";
    let expected = [
        "application.disabled",
        "application.enabled",
        updated,
        updated,
        updated,
    ];
    assert_eq!(kinds, expected);
    let secret = world.admin("PATCH", &path, json!({ "secret": "x" })).await;
    assert_eq!(secret.json()["details"]["field"], "secret");
    let unknown = world
        .admin("PATCH", "/api/v1/applications/app_nobody", json!({}))
        .await;
    assert_eq!(unknown.error(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn rotating_a_secret_shows_it_once_and_says_when_the_old_one_ends() {
    let world = sample_world().await;
    let path = format!("/api/v1/applications/{}/rotate-secret", sample::SERVICE);
    let rotated = world.admin("POST", &path, Value::Null).await.json();
    let secret = rotated["data"]["secret"].as_str().unwrap();
    assert!(
        rotated["data"]["previous_expires_at"]
            .as_str()
            .unwrap()
            .ends_with('Z')
    );
    let parameters = [
        ("grant_type", "client_credentials"),
        ("client_id", sample::SERVICE),
        ("client_secret", secret),
        ("audience", sample::BANKING),
    ];
    assert_eq!(world.post("/oauth2/token", &parameters).await.status, 200);
    let audit = world.admin("GET", "/api/v1/audit", Value::Null).await;
    assert!(audit.text.contains("application.secret_rotated"));
    assert!(!audit.text.contains(secret));
    let path = format!("/api/v1/applications/{}/rotate-secret", sample::NATIVE);
    let reply = world.admin("POST", &path, Value::Null).await;
    assert_eq!(reply.error(), (409, "no_secret".to_owned()));
}

#[tokio::test]
async fn all_tokens_of_an_application_are_revoked_at_once() {
    let world = sample_world().await;
    world.banking_token().await;
    let path = format!("/api/v1/applications/{}/revoke-tokens", sample::SERVICE);
    let reply = world.admin("POST", &path, Value::Null).await;
    assert_eq!(reply.json()["data"]["revoked"], 1);
    assert_eq!(
        world.emulator.audit().pop().unwrap().kind,
        "application.tokens_revoked"
    );
}

#[tokio::test]
async fn every_token_request_is_audited_with_its_outcome() {
    let world = sample_world().await;
    let banking = ("audience", sample::BANKING);
    world.token(&[banking]).await;
    world
        .token(&[banking, ("scope", "write:transactions")])
        .await;
    world.token(&[banking, ("client_id", "twice")]).await;
    let wrong = [
        ("grant_type", "client_credentials"),
        ("client_id", "app_nobody"),
    ];
    world.post("/oauth2/token", &wrong).await;
    let permissive = intelliauth_emulator::ScopeMode::Permissive;
    world
        .emulator
        .switches(|switches| switches.scope_mode = permissive);
    world
        .token(&[banking, ("scope", "read:accounts write:transactions")])
        .await;
    let entries: Vec<_> = world
        .emulator
        .audit()
        .into_iter()
        .filter(|entry| entry.kind == "oauth.token_request")
        .map(|entry| (entry.actor.id, entry.outcome, entry.data["error"].clone()))
        .collect();
    let service = || sample::SERVICE.to_owned();
    assert_eq!(
        entries,
        [
            (service(), Outcome::Success, Value::Null),
            (service(), Outcome::Denied, json!("invalid_scope")),
            (service(), Outcome::Failure, json!("invalid_request")),
            (
                "app_nobody".to_owned(),
                Outcome::Failure,
                json!("invalid_client")
            ),
            (service(), Outcome::Partial, Value::Null),
        ]
    );
    let last = world.emulator.audit().pop().unwrap();
    assert_eq!(last.data["scope_granted"], "read:accounts");
    assert_eq!(last.data["scope_dropped"], "write:transactions");
    assert_eq!(last.target.id, sample::BANKING);
}

#[tokio::test]
async fn the_audit_log_is_read_in_pages_and_by_type() {
    let world = sample_world().await;
    for _ in 0..3 {
        world.banking_token().await;
    }
    world.emulator.set_enabled(sample::SERVICE, false).unwrap();
    let path = "/api/v1/audit?type=oauth.token_request&limit=2";
    let first = world.admin("GET", path, Value::Null).await.json();
    assert_eq!(first["data"].as_array().unwrap().len(), 2);
    let entry = first["data"][0].as_object().unwrap();
    let fields: Vec<&str> = entry.keys().map(String::as_str).collect();
    let expected = [
        "actor",
        "context",
        "data",
        "id",
        "occurred_at",
        "outcome",
        "target",
        "type",
    ];
    assert_eq!(fields, expected);
    let cursor = first["meta"]["next_cursor"].as_str().unwrap();
    let last = world
        .admin("GET", &format!("{path}&cursor={cursor}"), Value::Null)
        .await
        .json();
    assert_eq!(last["data"].as_array().unwrap().len(), 1);
    assert_ne!(first["data"][0]["id"], last["data"][0]["id"]);
}
