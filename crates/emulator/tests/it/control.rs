//! `/emulator/v1`: what tests in other languages use.

use intelliauth_emulator::{Config, sample};
use serde_json::{Value, json};

use crate::support::{World, sample_world};

const README: &str = include_str!("../../README.md");

const BANKING: [(&str, &str); 1] = [("audience", sample::BANKING)];

#[tokio::test]
async fn the_clock_is_read_and_advanced() {
    let world = sample_world().await;
    let before = world.emulator.now();
    let reply = world
        .admin("POST", "/emulator/v1/clock", json!({ "seconds": 90.5 }))
        .await;
    assert!(reply.json()["data"]["now"].as_str().unwrap().ends_with('Z'));
    let ahead = world.emulator.now().duration_since(before).unwrap();
    assert!(ahead.as_millis() >= 90_500, "{ahead:?}");
    assert_eq!(
        world
            .admin("GET", "/emulator/v1/clock", Value::Null)
            .await
            .status,
        200
    );
    for bad in [
        json!({}),
        json!({ "seconds": -1 }),
        json!({ "seconds": "1" }),
    ] {
        let reply = world.admin("POST", "/emulator/v1/clock", bad).await;
        assert_eq!(reply.json()["details"]["field"], "seconds");
    }
}

#[tokio::test]
async fn every_fault_has_a_name() {
    let world = sample_world().await;
    let names = [
        json!({ "delay": { "milliseconds": 1 } }),
        json!("drop_before"),
        json!("drop_after"),
        json!({ "status": { "status": 503 } }),
        json!({ "status": { "status": 503, "body": "html" } }),
        json!({ "status": { "status": 400, "body": { "oauth": { "error": "a", "description": "b" } } } }),
        json!({ "redirect": { "status": 302, "location": "http://127.0.0.1:9/" } }),
        json!({ "rate_limited": { "retry_after": { "seconds": 30 } } }),
        json!({ "rate_limited": {} }),
        json!("torn_body"),
        json!("truncated_json"),
        json!("oversized_body"),
        json!({ "wrong_audience": { "audience": "api.x" } }),
        json!({ "narrowed_scope": { "scopes": ["read:x"] } }),
        json!("missing_scope"),
        json!({ "expires_in": { "value": "3600" } }),
        json!("missing_expires_in"),
        json!({ "clock_skew": { "seconds": -60 } }),
        json!({ "rotate_keys": {} }),
        json!("opaque_token"),
        json!("missing_token_type"),
        json!({ "token_type": { "value": "bEARER" } }),
        json!({ "content_type": { "value": "text/html" } }),
        json!({ "member": { "name": "a", "value": 1 } }),
        json!({ "without_member": { "name": "a" } }),
        json!({ "delay_after": { "milliseconds": 1 } }),
        json!({ "hold": { "milliseconds": 1 } }),
        json!({ "id_token_claim": { "name": "nonce", "value": null } }),
        json!({ "callback": { "name": "state", "value": "x" } }),
        json!({ "callback": { "name": "state", "value": null } }),
    ];
    let count = names.len();
    for fault in &names {
        let object = fault.as_object().and_then(|object| object.keys().next());
        let name = object.map(String::as_str).or(fault.as_str()).unwrap();
        assert!(README.contains(&format!("\"{name}\"")), "{name}");
    }
    for fault in names {
        let body = json!({ "fault": fault, "endpoint": "token", "times": 1 });
        let reply = world.admin("POST", "/emulator/v1/faults", body).await;
        assert_eq!(reply.status, 201, "{fault}: {}", reply.text);
    }
    assert_eq!(world.emulator.faults().len(), count);
    let listed = world
        .admin("GET", "/emulator/v1/faults", Value::Null)
        .await
        .json();
    assert_eq!(listed["data"].as_array().unwrap().len(), count);
}

#[tokio::test]
async fn a_fault_works_as_named_and_unknown_ones_are_refused() {
    let world = sample_world().await;
    let fault = json!({
        "fault": { "status": { "status": 503 } },
        "endpoint": "token",
        "application": sample::SERVICE,
        "audience": sample::BANKING,
        "times": 1,
    });
    world.admin("POST", "/emulator/v1/faults", fault).await;
    assert_eq!(world.token(&BANKING).await.status, 503);
    assert_eq!(world.token(&BANKING).await.status, 200);
    for bad in [
        json!({ "fault": "explode" }),
        json!({ "fault": "drop_before", "endpoit": "token" }),
        json!({ "fault": { "delay": {} } }),
        json!({ "endpoint": "token" }),
    ] {
        let reply = world.admin("POST", "/emulator/v1/faults", bad).await;
        assert_eq!(reply.error(), (422, "validation_failed".to_owned()));
    }
}

#[tokio::test]
async fn a_fault_with_an_impossible_status_is_refused() {
    let world = sample_world().await;
    let statuses = [
        json!(-1),
        json!(0),
        json!(99),
        json!(100),
        json!(150),
        json!(199),
        json!(600),
        json!(70_000),
    ];
    for status in statuses {
        for fault in [
            json!({ "status": { "status": status } }),
            json!({ "redirect": { "status": status, "location": "http://127.0.0.1:9/" } }),
        ] {
            let body = json!({ "fault": fault });
            let reply = world.admin("POST", "/emulator/v1/faults", body).await;
            assert_eq!(reply.error(), (422, "validation_failed".to_owned()));
            assert_eq!(reply.json()["details"]["field"], "fault");
            let message = reply.json()["message"].as_str().unwrap().to_owned();
            let expected = format!("`status` must be from 200 to 599, not {status}");
            assert!(message.contains(&expected), "{message}");
        }
    }
    assert!(world.emulator.faults().is_empty());
    for status in [200, 599] {
        let body = json!({ "fault": { "status": { "status": status } } });
        let reply = world.admin("POST", "/emulator/v1/faults", body).await;
        assert_eq!(reply.status, 201);
    }
}

#[tokio::test]
async fn requests_are_listed_with_their_counts() {
    let world = sample_world().await;
    world.banking_token().await;
    world.get("/.well-known/jwks.json").await;
    let reply = world
        .admin("GET", "/emulator/v1/requests", Value::Null)
        .await
        .json();
    let counts = json!({ "requests": 2, "token_requests": 1, "tokens_issued": 1 });
    assert_eq!(reply["meta"]["counts"], counts);
    assert_eq!(reply["data"][0]["client_id"], sample::SERVICE);
    assert_eq!(reply["data"][0]["endpoint"], "token");
    assert_eq!(reply["data"][0]["status"], 200);
    world
        .admin("DELETE", "/emulator/v1/requests", Value::Null)
        .await;
    let reply = world
        .admin("GET", "/emulator/v1/requests", Value::Null)
        .await
        .json();
    let nothing = json!({ "requests": 0, "token_requests": 0, "tokens_issued": 0 });
    assert_eq!(reply["meta"]["counts"], nothing);
}

#[tokio::test]
async fn switches_are_read_and_changed_by_name() {
    let world = sample_world().await;
    let change = json!({ "scope_mode": "permissive", "access_ttl": 60 });
    let reply = world.admin("PATCH", "/emulator/v1/switches", change).await;
    assert_eq!(reply.json()["data"]["scope_mode"], "permissive");
    assert_eq!(world.token(&BANKING).await.json()["expires_in"], 60);
    let entry = world.emulator.audit().remove(0);
    assert_eq!(entry.kind, "tenant.switches_changed");
    assert_eq!(
        entry.data,
        json!({
            "before": { "scope_mode": "strict", "access_ttl": 3600 },
            "after": { "scope_mode": "permissive", "access_ttl": 60 },
        })
    );
    for (name, value) in [
        ("scope_mode", json!("loose")),
        ("scope_mood", json!("strict")),
    ] {
        let reply = world
            .admin("PATCH", "/emulator/v1/switches", json!({ name: value }))
            .await;
        assert_eq!(
            reply.error(),
            (422, "validation_failed".to_owned()),
            "{name}"
        );
        assert_eq!(reply.json()["details"]["field"], name);
    }
    let read = world
        .admin("GET", "/emulator/v1/switches", Value::Null)
        .await
        .json();
    assert_eq!(read["data"]["access_ttl"], 60);
}

#[tokio::test]
async fn the_readme_lists_every_switch() {
    let world = sample_world().await;
    let read = world
        .admin("GET", "/emulator/v1/switches", Value::Null)
        .await
        .json();
    for name in read["data"].as_object().unwrap().keys() {
        assert!(README.contains(&format!("`{name}`")), "{name}");
    }
}

#[tokio::test]
async fn keys_are_rotated_with_or_without_the_old_one() {
    let world = sample_world().await;
    let published = async || {
        let keys = world.get("/.well-known/jwks.json").await.json();
        keys["keys"].as_array().unwrap().len()
    };
    let reply = world
        .admin("POST", "/emulator/v1/keys/rotate", Value::Null)
        .await;
    assert!(reply.json()["data"]["kid"].is_string());
    assert_eq!(published().await, 2);
    world
        .admin(
            "POST",
            "/emulator/v1/keys/rotate",
            json!({ "keep_old": false }),
        )
        .await;
    assert_eq!(published().await, 1);
}

#[tokio::test]
async fn reset_brings_back_the_start() {
    let world = World::of(Config::sample()).await;
    world.banking_token().await;
    world.emulator.set_enabled(sample::SERVICE, false).unwrap();
    world
        .emulator
        .advance(std::time::Duration::from_secs(86_400));
    world
        .emulator
        .fault(intelliauth_emulator::Fault::drop_before());
    let reply = world.admin("POST", "/emulator/v1/reset", Value::Null).await;
    assert_eq!(reply.status, 200);
    assert!(world.emulator.audit().is_empty());
    assert!(world.emulator.requests().is_empty());
    assert!(world.emulator.faults().is_empty());
    assert_eq!(world.emulator.tokens_issued(), 0);
    assert_eq!(world.token(&BANKING).await.status, 200);
}
