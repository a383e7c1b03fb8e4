//! Every fault, as a client sees it.

use std::time::Duration;

use intelliauth_emulator::{Endpoint, Fault, Outcome, ReplyBody, RetryAfter, sample};
use serde_json::{Value, json};

use crate::support::{Reply, World, part, sample_world};

/// The reply to a token request under a fault.
async fn spoilt(world: &World, fault: Fault) -> Reply {
    world.emulator.fault(fault.at(Endpoint::Token).times(1));
    world.token(&[("audience", sample::BANKING)]).await
}

/// Whether the request ended without a reply, and how many tokens were minted meanwhile.
async fn dropped(world: &World, fault: Fault) -> (bool, usize) {
    world.emulator.clear_requests();
    world.emulator.fault(fault.at(Endpoint::Token).times(1));
    let outcome = world.try_token(sample::BANKING).await;
    assert_eq!(world.emulator.token_requests(), 1);
    (outcome.is_err(), world.emulator.tokens_issued())
}

#[tokio::test]
async fn a_dropped_connection_has_no_status_line() {
    let world = sample_world().await;
    assert_eq!(dropped(&world, Fault::drop_before()).await, (true, 0));
    assert_eq!(world.emulator.requests()[0].status, None);
    assert_eq!(dropped(&world, Fault::drop_after()).await, (true, 1));
    let (is_dropped, _) = dropped(&world, Fault::drop_before()).await;
    assert!(is_dropped);
    assert_eq!(
        world.token(&[("audience", sample::BANKING)]).await.status,
        200
    );
}

#[tokio::test]
async fn a_torn_body_starts_with_the_status_and_breaks_off() {
    let world = sample_world().await;
    world
        .emulator
        .fault(Fault::torn_body().at(Endpoint::Jwks).times(1));
    let address = world.emulator.url("/.well-known/jwks.json");
    let response = world.http().get(address).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let promised = response.content_length().unwrap();
    let mut response = response;
    let mut received = 0;
    let error = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => received += u64::try_from(chunk.len()).unwrap(),
            Ok(None) => panic!("the body was complete"),
            Err(error) => break error,
        }
    };
    assert!(
        received > 0 && received < promised,
        "{received} of {promised}"
    );
    assert!(error.is_body() || error.is_decode(), "{error:?}");
}

#[tokio::test]
async fn truncated_json_is_complete_for_http_only() {
    let world = sample_world().await;
    let reply = spoilt(&world, Fault::truncated_json()).await;
    assert_eq!(reply.status, 200);
    assert!(reply.text.starts_with('{'));
    assert!(serde_json::from_str::<Value>(&reply.text).is_err());
}

#[tokio::test]
async fn a_delayed_reply_still_comes() {
    let world = sample_world().await;
    let delay = Duration::from_millis(30);
    let begun = tokio::time::Instant::now();
    assert_eq!(spoilt(&world, Fault::delay(delay)).await.status, 200);
    assert!(begun.elapsed() >= delay);
}

#[tokio::test]
async fn a_delay_of_one_application_delays_no_other() {
    let world = sample_world().await;
    let never = Fault::delay(Duration::from_secs(3600));
    world.emulator.fault(never.audience(sample::HEALTH));
    let stuck = world.token(&[("audience", sample::HEALTH)]);
    let other = world.token(&[("audience", sample::BANKING)]);
    tokio::select! {
        _ = stuck => panic!("the delayed reply came"),
        reply = other => assert_eq!(reply.status, 200),
    }
}

#[tokio::test]
async fn made_up_replies_do_nothing_behind_them() {
    let world = sample_world().await;
    let raw = ReplyBody::Raw {
        content_type: "text/plain".into(),
        text: "no".into(),
    };
    let rows = [
        (Fault::status(503), 503, None, ""),
        (Fault::status(403), 403, None, ""),
        (Fault::empty(), 200, None, ""),
        (Fault::html(), 200, Some("text/html"), "<!doctype"),
        (
            Fault::status(502).body(ReplyBody::Html),
            502,
            Some("text/html"),
            "<!doctype",
        ),
        (
            Fault::problem(500),
            500,
            Some("application/problem+json"),
            "{",
        ),
        (Fault::status(418).body(raw), 418, Some("text/plain"), "no"),
    ];
    for (fault, status, content_type, start) in rows {
        let reply = spoilt(&world, fault).await;
        assert_eq!(reply.status, status);
        assert_eq!(reply.header("content-type"), content_type);
        assert!(reply.text.starts_with(start), "{}", reply.text);
    }
    assert_eq!(world.emulator.tokens_issued(), 0);
}

#[tokio::test]
async fn an_impossible_status_in_code_is_a_500_that_says_so() {
    let world = sample_world().await;
    for status in [0, 99, 100, 150, 600, u16::MAX] {
        let faults = [
            Fault::status(status),
            Fault::problem(status),
            Fault::redirect(status, "http://127.0.0.1:9/"),
        ];
        for fault in faults {
            assert!(format!("{fault:?}").contains("500"), "{fault:?}");
            assert_eq!(spoilt(&world, fault).await.status, 500, "{status}");
        }
    }
    let problem = spoilt(&world, Fault::problem(99)).await.json();
    assert_eq!(problem["status"], 500);
    for status in [200, 299, 404, 599] {
        let reply = spoilt(&world, Fault::status(status)).await;
        assert_eq!(reply.status, status);
    }
}

#[tokio::test]
async fn a_token_request_that_a_fault_answers_is_audited_with_its_name() {
    let world = sample_world().await;
    let rows = [
        (Fault::status(503), "status"),
        (Fault::html(), "status"),
        (Fault::oauth_error("invalid_grant", "no"), "status"),
        (Fault::redirect(307, "http://127.0.0.1:9/"), "redirect"),
        (Fault::rate_limited(RetryAfter::Missing), "rate_limited"),
        (Fault::drop_before(), "drop_before"),
    ];
    let names = rows.each_ref().map(|(_, name)| *name);
    for (fault, _) in rows {
        world.emulator.fault(fault.at(Endpoint::Token).times(1));
        drop(world.try_token(sample::BANKING).await);
    }
    let audit = world.emulator.audit();
    assert_eq!(audit.len(), names.len(), "{audit:?}");
    for (entry, name) in audit.iter().zip(names) {
        assert_eq!(entry.kind, "oauth.token_request");
        assert_eq!(entry.outcome, Outcome::Failure);
        assert_eq!(entry.actor.id, sample::SERVICE);
        assert_eq!(entry.target.id, sample::BANKING);
        assert_eq!(entry.data["audience"], sample::BANKING);
        assert_eq!(entry.data["fault"], name);
        assert!(entry.context.request_id.is_some());
    }
}

#[tokio::test]
async fn a_token_request_that_a_fault_alters_is_audited_as_what_it_was() {
    let world = sample_world().await;
    let rows = [
        (Some(Fault::drop_after()), json!("drop_after")),
        (Some(Fault::expires_in(1)), json!("expires_in")),
        (Some(Fault::opaque_token()), json!("opaque_token")),
        (None, json!(null)),
    ];
    for (fault, name) in rows {
        if let Some(fault) = fault {
            world.emulator.fault(fault.at(Endpoint::Token).times(1));
        }
        drop(world.try_token(sample::BANKING).await);
        let entry = world.emulator.audit().pop().unwrap();
        assert_eq!(entry.outcome, Outcome::Success);
        assert_eq!(entry.data["fault"], name);
    }
}

#[tokio::test]
async fn faults_of_other_requests_are_no_token_requests() {
    let world = sample_world().await;
    world.emulator.fault(Fault::status(503));
    world.get("/.well-known/jwks.json").await;
    world.get("/oauth2/token").await;
    world.post("/oauth2/introspect", &[]).await;
    assert!(world.emulator.audit().is_empty());
}

#[tokio::test]
async fn a_fault_that_changes_the_keys_is_audited_as_their_change() {
    let world = sample_world().await;
    for (fault, old_published) in [(Fault::rotate_keys(), true), (Fault::replace_keys(), false)] {
        let reply = spoilt(&world, fault).await;
        let audit = world.emulator.audit();
        let [.., change, request] = audit.as_slice() else {
            panic!("one entry is missing: {audit:?}");
        };
        assert_eq!(change.kind, "tenant.keys_rotated");
        let kid = part(reply.json()["access_token"].as_str().unwrap(), 0)["kid"].clone();
        assert_eq!(
            change.data["after"],
            json!({ "kid": kid, "old_published": old_published })
        );
        assert_eq!(change.actor.kind, "system");
        assert_eq!(request.kind, "oauth.token_request");
        assert_eq!(request.data["fault"], "rotate_keys");
        assert_eq!(change.context.request_id, request.context.request_id);
    }
}

#[tokio::test]
async fn errors_of_any_code_have_the_shape_that_was_asked_for() {
    let world = sample_world().await;
    let reply = spoilt(
        &world,
        Fault::oauth_error("consent_required", "ask the person"),
    )
    .await;
    assert_eq!(reply.error(), (400, "consent_required".to_owned()));
    assert_eq!(reply.json()["error_description"], "ask the person");
    let reply = spoilt(&world, Fault::error_in_ok("invalid_grant", "in a 200")).await;
    assert_eq!(reply.error(), (200, "invalid_grant".to_owned()));
    let reply = spoilt(&world, Fault::envelope(503, "server_error", "later")).await;
    assert_eq!(reply.error(), (503, "server_error".to_owned()));
    assert_eq!(reply.json()["message"], "later");
    assert!(reply.json()["request_id"].is_string());
    let body = ReplyBody::OAuth {
        error: "invalid_client".into(),
        description: "no".into(),
    };
    let reply = spoilt(&world, Fault::status(400).body(body)).await;
    assert_eq!(reply.error(), (400, "invalid_client".to_owned()));
    let problem = spoilt(&world, Fault::problem(503)).await.json();
    assert_eq!(problem["status"], 503);
}

#[tokio::test]
async fn too_many_requests_come_with_every_kind_of_hint() {
    let world = sample_world().await;
    let missing = spoilt(&world, Fault::rate_limited(RetryAfter::Missing)).await;
    assert_eq!(missing.error(), (429, "rate_limited".to_owned()));
    assert_eq!(missing.header("retry-after"), None);
    let seconds = spoilt(&world, Fault::rate_limited(RetryAfter::Seconds(30))).await;
    assert_eq!(seconds.header("retry-after"), Some("30"));
    let raw = spoilt(&world, Fault::rate_limited(RetryAfter::Raw("soon".into()))).await;
    assert_eq!(raw.header("retry-after"), Some("soon"));
    world.emulator.advance(Duration::from_secs(86_400));
    let reply = spoilt(&world, Fault::rate_limited(RetryAfter::Date(90))).await;
    let date = |name| httpdate::parse_http_date(reply.header(name).unwrap()).unwrap();
    let wait = date("retry-after").duration_since(date("date")).unwrap();
    assert!((89..=90).contains(&wait.as_secs()), "{wait:?}");
}

#[tokio::test]
async fn redirects_point_elsewhere() {
    let world = sample_world().await;
    for status in [302, 307] {
        let fault = Fault::redirect(status, "http://127.0.0.1:9/elsewhere");
        let reply = spoilt(&world, fault).await;
        assert_eq!(reply.status, status);
        assert_eq!(
            reply.header("location"),
            Some("http://127.0.0.1:9/elsewhere")
        );
    }
}

#[tokio::test]
async fn an_oversized_body_is_valid_json_of_a_mebibyte() {
    let world = sample_world().await;
    let reply = spoilt(&world, Fault::oversized_body()).await;
    assert!(reply.text.len() > 1024 * 1024);
    assert!(reply.json()["access_token"].is_string());
}

#[tokio::test]
async fn a_wrong_audience_is_in_the_token_only() {
    let world = sample_world().await;
    let reply = spoilt(&world, Fault::wrong_audience(sample::HEALTH)).await;
    assert_eq!(reply.claims()["aud"], sample::HEALTH);
    assert_eq!(
        world.emulator.requests()[0].audience.as_deref(),
        Some(sample::BANKING)
    );
}

#[tokio::test]
async fn narrowed_scopes_are_in_the_reply_and_in_the_token() {
    let world = sample_world().await;
    let reply = spoilt(&world, Fault::narrowed_scope(["read:accounts"])).await;
    assert_eq!(reply.json()["scope"], "read:accounts");
    assert_eq!(reply.claims()["scope"], "read:accounts");
}

#[tokio::test]
async fn members_of_the_reply_go_missing() {
    let world = sample_world().await;
    let rows = [
        (Fault::missing_scope(), "scope"),
        (Fault::missing_expires_in(), "expires_in"),
        (Fault::missing_token_type(), "token_type"),
        (Fault::without_member("access_token"), "access_token"),
    ];
    for (fault, member) in rows {
        let json = spoilt(&world, fault).await.json();
        assert!(json.get(member).is_none(), "{member}");
    }
    let reply = spoilt(&world, Fault::missing_scope()).await;
    assert_eq!(reply.claims()["scope"], "read:accounts read:transactions");
}

#[tokio::test]
async fn expires_in_is_as_odd_as_asked() {
    let world = sample_world().await;
    let values = [
        json!("3600"),
        json!(3600.5),
        json!(0),
        json!(-1),
        json!(1e12),
        json!(null),
    ];
    for value in values {
        let reply = spoilt(&world, Fault::expires_in(value.clone())).await;
        assert_eq!(reply.json()["expires_in"], value);
    }
    let reply = spoilt(&world, Fault::expires_in("3600")).await;
    assert_eq!(reply.json()["expires_in"], "3600");
}

#[tokio::test]
async fn a_skewed_clock_shifts_the_token_and_not_the_reply() {
    let world = sample_world().await;
    let right = part(&world.banking_token().await, 1)["iat"]
        .as_i64()
        .unwrap();
    for skew in [-7200, 7200] {
        let reply = spoilt(&world, Fault::clock_skew(skew)).await;
        let claims = reply.claims();
        let shifted = claims["iat"].as_i64().unwrap() - right - skew;
        assert!((0..60).contains(&shifted), "{shifted}");
        assert_eq!(
            claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
            3600
        );
        assert_eq!(reply.json()["expires_in"], 3600);
    }
}

#[tokio::test]
async fn the_key_changes_just_before_the_token_is_signed() {
    let world = sample_world().await;
    let kid =
        |reply: &Reply| part(reply.json()["access_token"].as_str().unwrap(), 0)["kid"].clone();
    let before = world.token(&[("audience", sample::BANKING)]).await;
    let published = async || {
        let keys = world.get("/.well-known/jwks.json").await.json();
        let keys = keys["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["kid"].clone());
        keys.collect::<Vec<_>>()
    };
    let rotated = spoilt(&world, Fault::rotate_keys()).await;
    assert_eq!(published().await, [kid(&rotated), kid(&before)]);
    let replaced = spoilt(&world, Fault::replace_keys()).await;
    assert_eq!(published().await, [kid(&replaced)]);
}

#[tokio::test]
async fn odd_tokens_types_and_labels() {
    let world = sample_world().await;
    let opaque = spoilt(&world, Fault::opaque_token()).await.json();
    assert!(!opaque["access_token"].as_str().unwrap().contains('.'));
    let odd = spoilt(&world, Fault::token_type("bEARER")).await.json();
    assert_eq!(odd["token_type"], "bEARER");
    let labelled = spoilt(&world, Fault::content_type("text/html")).await;
    assert_eq!(labelled.header("content-type"), Some("text/html"));
    assert!(labelled.json()["access_token"].is_string());
    let extra = spoilt(&world, Fault::member("extra", json!({ "a": [1] })))
        .await
        .json();
    assert_eq!(extra["extra"], json!({ "a": [1] }));
}

#[tokio::test]
async fn metadata_can_lie_about_its_issuer() {
    let world = sample_world().await;
    let lie = Fault::member("issuer", "http://127.0.0.1:9");
    world.emulator.fault(lie.at(Endpoint::Discovery));
    let metadata = world.get("/.well-known/openid-configuration").await.json();
    assert_eq!(metadata["issuer"], "http://127.0.0.1:9");
}

#[tokio::test]
async fn faults_are_counted_down_and_chosen_by_application_and_audience() {
    let world = sample_world().await;
    let emulator = &world.emulator;
    emulator.fault(Fault::status(500).at(Endpoint::Token).times(2));
    emulator.fault(Fault::status(501).application("app_other"));
    emulator.fault(Fault::status(502).audience(sample::HEALTH));
    let status = async |audience| world.token(&[("audience", audience)]).await.status.as_u16();
    assert_eq!(status(sample::BANKING).await, 500);
    assert_eq!(emulator.faults().len(), 3);
    assert_eq!(status(sample::BANKING).await, 500);
    assert_eq!(emulator.faults().len(), 2);
    assert_eq!(status(sample::BANKING).await, 200);
    assert_eq!(status(sample::HEALTH).await, 502);
    emulator.clear_faults();
    assert_eq!(status(sample::HEALTH).await, 200);
    assert_eq!(emulator.token_requests(), 5);
}

#[tokio::test]
async fn a_fault_without_an_endpoint_concerns_discovery_and_keys_but_not_the_admin_api() {
    let world = sample_world().await;
    world.emulator.fault(Fault::status(503));
    assert_eq!(world.get("/.well-known/jwks.json").await.status, 503);
    assert_eq!(
        world.get("/.well-known/openid-configuration").await.status,
        503
    );
    assert_eq!(
        world
            .admin("GET", "/api/v1/audit", Value::Null)
            .await
            .status,
        200
    );
    let reply = world
        .admin("DELETE", "/emulator/v1/faults", Value::Null)
        .await;
    assert_eq!(reply.status, 200);
    assert_eq!(world.get("/.well-known/jwks.json").await.status, 200);
}
