//! `/oauth2/token`: what is granted, and every way it is refused.

use std::time::Duration;

use intelliauth_emulator::{Api, Application, Config, sample};
use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use crate::support::{SERVICE_POST, World, part, sample_world};

/// A name, the parameters, and the status and the code to expect.
type Row<'r> = (&'r str, &'r [(&'r str, &'r str)], u16, &'r str);

#[tokio::test]
async fn a_service_gets_a_token_for_one_api() {
    let world = sample_world().await;
    let reply = world
        .token(&[("audience", sample::BANKING), ("scope", "read:accounts")])
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let json = reply.json();
    assert_eq!(json["token_type"], "Bearer");
    assert_eq!(json["expires_in"], 3600);
    assert_eq!(json["scope"], "read:accounts");
    let claims = reply.claims();
    assert_eq!(claims["iss"], json!(world.emulator.issuer()));
    assert_eq!(claims["sub"], sample::SERVICE);
    assert_eq!(claims["client_id"], sample::SERVICE);
    assert_eq!(claims["aud"], sample::BANKING);
    assert_eq!(claims["scope"], "read:accounts");
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        3600
    );
    let header = part(json["access_token"].as_str().unwrap(), 0);
    assert_eq!(header["alg"], "RS256");
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!(world.emulator.token_requests(), 1);
    assert_eq!(world.emulator.token_requests_for(sample::BANKING), 1);
    assert_eq!(world.emulator.tokens_issued(), 1);
}

#[tokio::test]
async fn without_scope_everything_allowed_at_the_audience_is_granted() {
    let world = sample_world().await;
    let banking = world.token(&[("audience", sample::BANKING)]).await;
    assert_eq!(banking.json()["scope"], "read:accounts read:transactions");
    let health = world.token(&[("audience", sample::HEALTH)]).await;
    assert_eq!(health.json()["scope"], "read:records");
}

#[tokio::test]
async fn two_tokens_for_the_same_request_differ() {
    let world = sample_world().await;
    assert_ne!(world.banking_token().await, world.banking_token().await);
}

#[tokio::test]
async fn a_lifetime_of_the_application_wins_over_the_tenants() {
    let world = sample_world().await;
    let five_minutes = Duration::from_secs(300);
    world
        .emulator
        .set_token_lifetime(sample::SERVICE, Some(five_minutes))
        .unwrap();
    let reply = world.token(&[("audience", sample::BANKING)]).await;
    assert_eq!(reply.json()["expires_in"], 300);
    world
        .emulator
        .set_token_lifetime(sample::SERVICE, None)
        .unwrap();
    let reply = world.token(&[("audience", sample::BANKING)]).await;
    assert_eq!(reply.json()["expires_in"], 3600);
}

#[tokio::test]
async fn an_application_for_one_api_may_leave_the_audience_out() {
    let config = Config::new("one", "api")
        .api(Api::new("api.one").scope("read", "Read", "Reads"))
        .application(
            Application::service(sample::SERVICE, sample::SERVICE_SECRET)
                .allow_audiences(["api.one"])
                .allow_scopes(["read"]),
        );
    let world = World::of(config).await;
    assert_eq!(world.token(&[]).await.claims()["aud"], "api.one");
}

#[tokio::test]
async fn every_refusal_has_its_code_and_status() {
    let world = sample_world().await;
    let banking = ("audience", sample::BANKING);
    let rows: [Row<'_>; 7] = [
        ("missing audience", &[], 400, "invalid_request"),
        (
            "unknown audience",
            &[("audience", "api.nowhere.example")],
            400,
            "invalid_target",
        ),
        (
            "audience that may not be called",
            &[("audience", sample::SETTINGS)],
            400,
            "invalid_target",
        ),
        (
            "scope off the list",
            &[banking, ("scope", "write:transactions")],
            400,
            "invalid_scope",
        ),
        (
            "unknown scope",
            &[banking, ("scope", "read:nothing")],
            400,
            "invalid_scope",
        ),
        (
            "scope of another API",
            &[banking, ("scope", "read:records")],
            400,
            "invalid_scope",
        ),
        (
            "malformed scope",
            &[banking, ("scope", "read:\"x\"")],
            400,
            "invalid_scope",
        ),
    ];
    for (row, parameters, status, code) in rows {
        let reply = world.token(parameters).await;
        assert_eq!(reply.error(), (status, code.to_owned()), "{row}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{row}");
        assert!(reply.json()["error_description"].is_string(), "{row}");
    }
    assert_eq!(world.emulator.token_requests(), rows.len());
    assert_eq!(world.emulator.tokens_issued(), 0);
}

#[tokio::test]
async fn a_refusal_names_the_scopes_it_is_about() {
    let world = sample_world().await;
    let scope = "read:accounts write:transactions read:records";
    let reply = world
        .token(&[("audience", sample::BANKING), ("scope", scope)])
        .await;
    assert_eq!(
        reply.json()["error_description"],
        format!(
            "application `{}` is not allowed read:records write:transactions at `{}`",
            sample::SERVICE,
            sample::BANKING
        )
    );
}

#[tokio::test]
async fn a_client_that_cannot_prove_itself_is_refused_with_401() {
    let world = sample_world().await;
    let grant = ("grant_type", "client_credentials");
    let id = ("client_id", sample::SERVICE);
    let rows: [(&str, &[(&str, &str)]); 5] = [
        ("wrong secret", &[grant, id, ("client_secret", "wrong")]),
        ("no secret", &[grant, id]),
        ("no client", &[grant]),
        (
            "unknown client",
            &[
                grant,
                ("client_id", "app_nobody"),
                ("client_secret", "wrong"),
            ],
        ),
        (
            "secret of a public client",
            &[grant, ("client_id", sample::NATIVE), ("client_secret", "x")],
        ),
    ];
    for (row, parameters) in rows {
        let reply = world.post("/oauth2/token", parameters).await;
        assert_eq!(reply.error(), (401, "invalid_client".to_owned()), "{row}");
        assert_eq!(reply.header("www-authenticate"), None, "{row}");
    }
}

#[tokio::test]
async fn a_401_after_basic_names_the_scheme() {
    let world = sample_world().await;
    let grant = [("grant_type", "client_credentials")];
    let halves = format!("{}:wrong", sample::SERVICE);
    let reply = world.post_basic("/oauth2/token", &halves, &grant).await;
    assert_eq!(reply.error(), (401, "invalid_client".to_owned()));
    let challenge = reply.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Basic "), "{challenge}");
}

#[tokio::test]
async fn basic_and_post_both_authenticate_and_together_are_refused() {
    let world = sample_world().await;
    let halves = format!("{}:{}", sample::SERVICE, sample::SERVICE_SECRET);
    let basic = [
        ("grant_type", "client_credentials"),
        ("audience", sample::BANKING),
    ];
    let reply = world.post_basic("/oauth2/token", &halves, &basic).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let same_id = [basic[0], basic[1], ("client_id", sample::SERVICE)];
    assert_eq!(
        world
            .post_basic("/oauth2/token", &halves, &same_id)
            .await
            .status,
        200
    );
    let other_id = [basic[0], basic[1], ("client_id", sample::WEB)];
    let reply = world.post_basic("/oauth2/token", &halves, &other_id).await;
    assert_eq!(reply.error(), (400, "invalid_request".to_owned()));
    let reply = world
        .post_basic("/oauth2/token", &halves, &SERVICE_POST)
        .await;
    assert_eq!(reply.error(), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn a_disabled_application_is_unauthorized_only_once_it_proved_itself() {
    let world = sample_world().await;
    let with = |secret| {
        [
            ("grant_type", "client_credentials"),
            ("client_id", sample::DISABLED),
            ("client_secret", secret),
            ("audience", sample::BANKING),
        ]
    };
    let reply = world
        .post("/oauth2/token", &with(sample::DISABLED_SECRET))
        .await;
    assert_eq!(reply.error(), (400, "unauthorized_client".to_owned()));
    let reply = world.post("/oauth2/token", &with("wrong")).await;
    assert_eq!(reply.error(), (401, "invalid_client".to_owned()));
    world.emulator.set_enabled(sample::DISABLED, true).unwrap();
    assert_eq!(
        world
            .post("/oauth2/token", &with(sample::DISABLED_SECRET))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn only_services_use_client_credentials() {
    let world = sample_world().await;
    let native = [
        ("grant_type", "client_credentials"),
        ("client_id", sample::NATIVE),
    ];
    let reply = world.post("/oauth2/token", &native).await;
    assert_eq!(reply.error(), (400, "unauthorized_client".to_owned()));
    let web = [
        ("grant_type", "client_credentials"),
        ("client_id", sample::WEB),
        ("client_secret", sample::WEB_SECRET),
    ];
    let reply = world.post("/oauth2/token", &web).await;
    assert_eq!(reply.error(), (400, "unauthorized_client".to_owned()));
}

#[tokio::test]
async fn other_grants_are_unsupported() {
    let world = sample_world().await;
    for grant in ["password", "urn:example:other"] {
        let mut parameters = SERVICE_POST;
        parameters[0].1 = grant;
        let reply = world.post("/oauth2/token", &parameters).await;
        assert_eq!(
            reply.error(),
            (400, "unsupported_grant_type".to_owned()),
            "{grant}"
        );
    }
}

#[tokio::test]
async fn malformed_requests_are_invalid_requests() {
    let world = sample_world().await;
    let invalid = (400, "invalid_request".to_owned());
    let no_grant = world.post("/oauth2/token", &SERVICE_POST[1..]).await;
    assert_eq!(no_grant.error(), invalid);
    let twice = world
        .token(&[("audience", "api.a"), ("audience", "api.a")])
        .await;
    assert_eq!(twice.error(), invalid);
    assert_eq!(
        twice.json()["error_description"],
        "the parameter `audience` is there more than once"
    );
    let as_json = [(CONTENT_TYPE, "application/json")];
    let request = world
        .http()
        .post(world.emulator.url("/oauth2/token"))
        .header(as_json[0].0.clone(), as_json[0].1)
        .body(r#"{"grant_type":"client_credentials"}"#);
    let json = crate::support::Reply::of(request).await.unwrap();
    assert_eq!(json.error(), invalid);
}

#[tokio::test]
async fn parameters_without_a_value_count_as_omitted() {
    let world = sample_world().await;
    let reply = world
        .token(&[("audience", sample::BANKING), ("scope", "")])
        .await;
    assert_eq!(reply.json()["scope"], "read:accounts read:transactions");
}

#[tokio::test]
async fn a_body_beyond_all_measure_is_refused() {
    let world = sample_world().await;
    let scope = "x".repeat(256 * 1024);
    let reply = world.token(&[("scope", &scope)]).await;
    assert_eq!(reply.error(), (413, "invalid_request".to_owned()));
}

#[tokio::test]
async fn get_is_no_way_to_ask_for_a_token() {
    let world = sample_world().await;
    let reply = world.get("/oauth2/token").await;
    assert_eq!(reply.error(), (405, "method_not_allowed".to_owned()));
    assert_eq!(reply.header("allow"), Some("POST"));
}

#[tokio::test]
async fn unknown_paths_answer_404_in_the_envelope() {
    let world = sample_world().await;
    for path in ["/", "/oauth2", "/oauth2/authorise", "/api/v2/applications"] {
        let reply = world.get(path).await;
        assert_eq!(reply.error(), (404, "not_found".to_owned()), "{path}");
        assert!(
            reply.json()["request_id"]
                .as_str()
                .unwrap()
                .starts_with("req_"),
            "{path}"
        );
        assert_eq!(
            reply.header("x-request-id"),
            reply.json()["request_id"].as_str()
        );
    }
}

#[tokio::test]
async fn a_rotated_secret_stays_valid_for_the_overlap() {
    let world = sample_world().await;
    let new = world.emulator.rotate_secret(sample::SERVICE).unwrap();
    let with = async |secret: &str| {
        let mut parameters = [SERVICE_POST.as_slice(), &[("audience", sample::BANKING)]].concat();
        parameters[2].1 = secret;
        world
            .post("/oauth2/token", &parameters)
            .await
            .status
            .as_u16()
    };
    assert_eq!(with(&new).await, 200);
    assert_eq!(with(sample::SERVICE_SECRET).await, 200);
    world.emulator.advance(Duration::from_secs(72 * 3600));
    assert_eq!(with(&new).await, 200);
    assert_eq!(with(sample::SERVICE_SECRET).await, 401);
}

#[tokio::test]
async fn changes_of_the_allowlist_count_at_once() {
    let world = sample_world().await;
    let settings = [("audience", sample::SETTINGS), ("scope", "write:settings")];
    assert_eq!(world.token(&settings).await.error().1, "invalid_target");
    world
        .emulator
        .set_allowed_audiences(sample::SERVICE, [sample::SETTINGS])
        .unwrap();
    assert_eq!(world.token(&settings).await.error().1, "invalid_scope");
    world
        .emulator
        .set_allowed_scopes(sample::SERVICE, ["write:settings"])
        .unwrap();
    assert_eq!(
        world.token(&settings).await.json()["scope"],
        "write:settings"
    );
}

#[tokio::test]
async fn changes_with_unknown_names_are_refused() {
    let world = sample_world().await;
    let emulator = &world.emulator;
    let error = emulator
        .set_allowed_scopes(sample::SERVICE, ["read:accouts"])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "allowed_scopes: application `{}` names the scope `read:accouts`, which no API has; \
             did you mean `read:accounts`? Else add it to the scopes of an API",
            sample::SERVICE
        )
    );
    let error = emulator.set_enabled("app_nobody", true).unwrap_err();
    assert_eq!(error.to_string(), "no application has the id `app_nobody`");
    let error = emulator.rotate_secret(sample::NATIVE).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the application `{}` has no secret", sample::NATIVE)
    );
    let taken = Application::native(sample::NATIVE);
    let error = emulator.register(taken).unwrap_err();
    let expected = format!("an application has the id `{}` already", sample::NATIVE);
    assert_eq!(error.to_string(), expected);
}
