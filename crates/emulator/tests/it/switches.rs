//! Every switch, on and off.

use std::time::Duration;

use intelliauth_emulator::{
    AudienceClaim, AudienceParameter, AudienceSource, BasicDecoding, Challenge,
    ClientAuthentication, Config, Endpoint, ErrorShape, Fault, MissingAudience, NothingGranted,
    RetryHint, ScopeMode, Switches, TenantState, TokenFormat, TokenType, UnknownAudience, sample,
};
use serde_json::{Value, json};

use crate::support::{World, part, sample_world};

const BANKING: (&str, &str) = ("audience", sample::BANKING);

async fn world_with(change: impl FnOnce(&mut Switches)) -> World {
    World::of(Config::sample().switches(change)).await
}

#[tokio::test]
async fn access_ttl_is_the_lifetime_of_tokens() {
    let world = world_with(|switches| switches.access_ttl = Duration::from_secs(300)).await;
    let reply = world.token(&[BANKING]).await;
    assert_eq!(reply.json()["expires_in"], 300);
    let claims = reply.claims();
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        300
    );
}

#[tokio::test]
async fn permissive_mode_drops_scopes_and_says_what_is_left() {
    let world = world_with(|switches| switches.scope_mode = ScopeMode::Permissive).await;
    let reply = world
        .token(&[BANKING, ("scope", "read:accounts write:transactions")])
        .await;
    assert_eq!(reply.json()["scope"], "read:accounts");
    assert_eq!(reply.claims()["scope"], "read:accounts");
}

#[tokio::test]
async fn nothing_granted_is_an_error_or_a_token_without_scope() {
    let world = world_with(|switches| switches.scope_mode = ScopeMode::Permissive).await;
    let nothing = [BANKING, ("scope", "write:transactions")];
    assert_eq!(world.token(&nothing).await.error().1, "invalid_scope");
    let without = |switches: &mut Switches| {
        switches.nothing_granted = NothingGranted::TokenWithoutScope;
    };
    world.emulator.switches(without);
    let reply = world.token(&nothing).await;
    assert_eq!(reply.status, 200);
    assert!(reply.json().get("scope").is_none());
    assert!(reply.claims().get("scope").is_none());
}

#[tokio::test]
async fn the_audience_comes_from_the_request_the_application_or_both() {
    let toml = sample::TOML.replace(
        "name = \"Nightly jobs\"",
        &format!("name = \"Nightly jobs\"\naudience = \"{}\"", sample::HEALTH),
    );
    let world = World::of(Config::from_toml(&toml).unwrap()).await;
    assert_eq!(world.token(&[]).await.error().1, "invalid_request");
    world
        .emulator
        .switches(|switches| switches.audience_source = AudienceSource::Application);
    assert_eq!(
        world.token(&[BANKING]).await.claims()["aud"],
        sample::HEALTH
    );
    assert_eq!(world.token(&[]).await.claims()["aud"], sample::HEALTH);
    world
        .emulator
        .switches(|switches| switches.audience_source = AudienceSource::Both);
    assert_eq!(
        world.token(&[BANKING]).await.claims()["aud"],
        sample::BANKING
    );
    assert_eq!(world.token(&[]).await.claims()["aud"], sample::HEALTH);
}

#[tokio::test]
async fn an_application_without_an_audience_of_its_own_is_told_so() {
    let world = world_with(|switches| switches.audience_source = AudienceSource::Application).await;
    let reply = world.token(&[BANKING]).await;
    assert_eq!(reply.error(), (400, "invalid_request".to_owned()));
    let expected = format!(
        "application `{}` has no audience of its own",
        sample::SERVICE
    );
    assert_eq!(reply.json()["error_description"], expected);
}

#[tokio::test]
async fn resource_can_name_the_audience_instead() {
    let world =
        world_with(|switches| switches.audience_parameter = AudienceParameter::Resource).await;
    let resource = ("resource", sample::BANKING);
    assert_eq!(
        world.token(&[resource]).await.claims()["aud"],
        sample::BANKING
    );
    // The other parameter is ignored, as real servers do it.
    assert_eq!(world.token(&[BANKING]).await.error().1, "invalid_request");
    world
        .emulator
        .switches(|switches| switches.audience_parameter = AudienceParameter::Both);
    assert_eq!(
        world.token(&[BANKING, resource]).await.claims()["aud"],
        sample::BANKING
    );
    let other = ("resource", sample::HEALTH);
    assert_eq!(
        world.token(&[BANKING, other]).await.error().1,
        "invalid_target"
    );
}

#[tokio::test]
async fn an_unknown_audience_is_refused_or_ignored() {
    let world =
        world_with(|switches| switches.unknown_audience = UnknownAudience::InvalidRequest).await;
    let unknown = [("audience", "api.nowhere.example")];
    assert_eq!(world.token(&unknown).await.error().1, "invalid_request");
    world
        .emulator
        .switches(|switches| switches.unknown_audience = UnknownAudience::Ignore);
    assert_eq!(world.token(&unknown).await.error().1, "invalid_request");
    world
        .emulator
        .set_allowed_audiences(sample::SERVICE, [sample::HEALTH])
        .unwrap();
    assert_eq!(world.token(&unknown).await.claims()["aud"], sample::HEALTH);
}

#[tokio::test]
async fn a_missing_audience_yields_an_opaque_token_or_all_audiences() {
    let world =
        world_with(|switches| switches.missing_audience = MissingAudience::OpaqueToken).await;
    let token = world.token(&[]).await.json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(!token.contains('.'));
    world
        .emulator
        .switches(|switches| switches.missing_audience = MissingAudience::AllAudiences);
    let reply = world.token(&[]).await;
    assert_eq!(
        reply.claims()["aud"],
        json!([sample::BANKING, sample::HEALTH])
    );
    assert_eq!(
        reply.json()["scope"],
        "read:accounts read:records read:transactions"
    );
}

#[tokio::test]
async fn audiences_may_have_to_be_uris() {
    let world = world_with(|switches| switches.audience_must_be_uri = true).await;
    assert_eq!(world.token(&[BANKING]).await.error().1, "invalid_target");
    world
        .emulator
        .set_allowed_audiences(sample::SERVICE, [sample::SETTINGS])
        .unwrap();
    world
        .emulator
        .set_allowed_scopes(sample::SERVICE, ["read:settings"])
        .unwrap();
    assert_eq!(
        world.token(&[("audience", sample::SETTINGS)]).await.status,
        200
    );
}

#[tokio::test]
async fn tokens_can_be_opaque() {
    let world = world_with(|switches| switches.token_format = TokenFormat::Opaque).await;
    let reply = world.token(&[BANKING]).await;
    assert!(!reply.json()["access_token"].as_str().unwrap().contains('.'));
    assert_eq!(reply.json()["scope"], "read:accounts read:transactions");
}

#[tokio::test]
async fn the_header_typ_is_a_switch() {
    let world = sample_world().await;
    let rows = [
        (TokenType::AtJwt, json!("at+jwt")),
        (TokenType::Jwt, json!("JWT")),
        (TokenType::None, json!(null)),
    ];
    for (typ, expected) in rows {
        world.emulator.switches(|switches| switches.token_typ = typ);
        assert_eq!(part(&world.banking_token().await, 0)["typ"], expected);
    }
}

#[tokio::test]
async fn optional_claims_come_and_go() {
    let world = sample_world().await;
    let claims = part(&world.banking_token().await, 1);
    assert!(claims["jti"].is_string() && claims["client_id"].is_string());
    assert!(claims.get("nbf").is_none());
    world.emulator.switches(|switches| {
        switches.claim_jti = false;
        switches.claim_client_id = false;
        switches.claim_nbf = true;
        switches.audience_claim = AudienceClaim::Array;
    });
    let claims = part(&world.banking_token().await, 1);
    assert!(claims.get("jti").is_none() && claims.get("client_id").is_none());
    assert_eq!(claims["nbf"], claims["iat"]);
    assert_eq!(claims["aud"], json!([sample::BANKING]));
}

#[tokio::test]
async fn the_reply_may_leave_the_scope_out() {
    let world = world_with(|switches| switches.token_reply_includes_scope = false).await;
    let reply = world.token(&[BANKING]).await;
    assert!(reply.json().get("scope").is_none());
    assert_eq!(reply.claims()["scope"], "read:accounts read:transactions");
}

#[tokio::test]
async fn errors_have_three_shapes() {
    let world = sample_world().await;
    let keys = async |shape| {
        world
            .emulator
            .switches(|switches| switches.oauth_error_shape = shape);
        let json = world.token(&[]).await.json();
        let keys: Vec<String> = json.as_object().unwrap().keys().cloned().collect();
        keys.join(" ")
    };
    assert_eq!(keys(ErrorShape::Rfc6749).await, "error error_description");
    assert_eq!(
        keys(ErrorShape::Envelope).await,
        "details error message request_id"
    );
    let both = "details error error_description message request_id";
    assert_eq!(keys(ErrorShape::Both).await, both);
}

#[tokio::test]
async fn basic_is_form_decoded_or_taken_raw() {
    let secret = "p+w%25";
    let toml = sample::TOML.replace(sample::SERVICE_SECRET, secret);
    let world = World::of(Config::from_toml(&toml).unwrap()).await;
    let ask = async |decoding, encoded: &str| {
        world
            .emulator
            .switches(|switches| switches.basic_decoding = decoding);
        let halves = format!("{}:{encoded}", sample::SERVICE);
        let parameters = [("grant_type", "client_credentials"), BANKING];
        world
            .post_basic("/oauth2/token", &halves, &parameters)
            .await
            .status
            .as_u16()
    };
    let encoded = "p%2Bw%2525";
    assert_eq!(ask(BasicDecoding::Form, encoded).await, 200);
    assert_eq!(ask(BasicDecoding::Form, secret).await, 401);
    assert_eq!(ask(BasicDecoding::Raw, secret).await, 200);
    assert_eq!(ask(BasicDecoding::Raw, encoded).await, 401);
    assert_eq!(ask(BasicDecoding::Either, encoded).await, 200);
    assert_eq!(ask(BasicDecoding::Either, secret).await, 200);
}

#[tokio::test]
async fn only_the_accepted_methods_authenticate_and_are_advertised() {
    let world = world_with(|switches| {
        switches.client_authentication = vec![ClientAuthentication::ClientSecretBasic];
    })
    .await;
    assert_eq!(
        world.token(&[BANKING]).await.error(),
        (401, "invalid_client".to_owned())
    );
    let metadata = world.get("/.well-known/openid-configuration").await.json();
    let methods = &metadata["token_endpoint_auth_methods_supported"];
    assert_eq!(*methods, json!(["client_secret_basic"]));
}

#[tokio::test]
async fn the_challenge_can_be_as_odd_as_real_ones() {
    let world = sample_world().await;
    let rows = [
        (
            Challenge::Basic,
            Some("Basic realm=\"intelliauth\", charset=\"UTF-8\""),
        ),
        (Challenge::Bearer, Some("Bearer")),
        (Challenge::WithoutScheme, Some("realm=\"intelliauth\"")),
        (Challenge::None, None),
    ];
    for (challenge, expected) in rows {
        world
            .emulator
            .switches(|switches| switches.challenge = challenge);
        let grant = [("grant_type", "client_credentials")];
        let reply = world.post_basic("/oauth2/token", "app:wrong", &grant).await;
        assert_eq!(reply.header("www-authenticate"), expected);
    }
}

#[tokio::test]
async fn the_rate_limit_counts_a_sliding_minute() {
    let world = world_with(|switches| switches.requests_per_minute = Some(2)).await;
    assert_eq!(world.token(&[BANKING]).await.status, 200);
    world.emulator.advance(Duration::from_secs(30));
    assert_eq!(world.token(&[BANKING]).await.status, 200);
    let reply = world.token(&[BANKING]).await;
    assert_eq!(reply.error(), (429, "rate_limited".to_owned()));
    let seconds: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((29..=30).contains(&seconds), "{seconds}");
    world.emulator.advance(Duration::from_secs(seconds));
    assert_eq!(world.token(&[BANKING]).await.status, 200);
    assert_eq!(world.token(&[BANKING]).await.status, 429);
    assert_eq!(world.get("/.well-known/jwks.json").await.status, 200);
}

#[tokio::test]
async fn a_rate_limit_may_hint_by_date_or_not_at_all() {
    let world = world_with(|switches| {
        switches.requests_per_minute = Some(0);
        switches.retry_hint = RetryHint::Date;
    })
    .await;
    world.emulator.advance(Duration::from_secs(86_400));
    let reply = world.token(&[BANKING]).await;
    let date = |name| httpdate::parse_http_date(reply.header(name).unwrap()).unwrap();
    let wait = date("retry-after").duration_since(date("date")).unwrap();
    assert!((59..=61).contains(&wait.as_secs()), "{wait:?}");
    world
        .emulator
        .switches(|switches| switches.retry_hint = RetryHint::None);
    assert_eq!(world.token(&[BANKING]).await.header("retry-after"), None);
}

#[tokio::test]
async fn a_suspended_tenant_mints_nothing_and_keeps_its_keys() {
    let world = world_with(|switches| switches.tenant_state = TenantState::Suspended).await;
    assert_eq!(
        world.token(&[BANKING]).await.error(),
        (403, "tenant_suspended".to_owned())
    );
    assert_eq!(
        world.get("/.well-known/openid-configuration").await.status,
        200
    );
    assert_eq!(world.get("/.well-known/jwks.json").await.status, 200);
    assert_eq!(world.emulator.tokens_issued(), 0);
}

#[tokio::test]
async fn the_overlap_of_rotated_secrets_is_a_switch() {
    let world = world_with(|switches| switches.secret_overlap = Duration::ZERO).await;
    world.emulator.rotate_secret(sample::SERVICE).unwrap();
    assert_eq!(world.token(&[BANKING]).await.error().1, "invalid_client");
}

#[tokio::test]
async fn keys_may_come_without_alg() {
    let world = sample_world().await;
    let alg = async || world.get("/.well-known/jwks.json").await.json()["keys"][0]["alg"].clone();
    assert_eq!(alg().await, "RS256");
    world
        .emulator
        .switches(|switches| switches.jwks_includes_alg = false);
    assert!(alg().await.is_null());
}

#[tokio::test]
async fn only_the_advertised_form_of_an_endpoint_answers() {
    let world = sample_world().await;
    let parameters = [crate::support::SERVICE_POST.as_slice(), &[BANKING]].concat();
    let endpoints = [
        ("token_endpoint", "/oauth2/token"),
        ("introspection_endpoint", "/oauth2/introspect"),
        ("revocation_endpoint", "/oauth2/revoke"),
        ("jwks_uri", "/.well-known/jwks.json"),
    ];
    for end_in_slash in [false, true] {
        world
            .emulator
            .switches(|switches| switches.endpoints_end_in_slash = end_in_slash);
        world.emulator.clear_requests();
        let metadata = world.get("/.well-known/openid-configuration").await.json();
        for (member, path) in endpoints {
            let with_slash = format!("{path}/");
            let (right, wrong) = if end_in_slash {
                (with_slash.as_str(), path)
            } else {
                (path, with_slash.as_str())
            };
            assert_eq!(metadata[member], world.emulator.url(right));
            let ask = async |path: &str| match member {
                "jwks_uri" => world.get(path).await.status.as_u16(),
                _ => world.post(path, &parameters).await.status.as_u16(),
            };
            assert_ne!(ask(right).await, 404, "{right}");
            assert_eq!(ask(wrong).await, 404, "{wrong}");
            let two_slashes = format!("{path}//");
            assert_eq!(ask(&two_slashes).await, 404, "{two_slashes}");
        }
        assert_eq!(world.emulator.tokens_issued(), 1);
        assert_eq!(world.emulator.token_requests(), 1);
        assert_eq!(world.emulator.count("/oauth2/token"), 2);
        assert_eq!(world.emulator.count("/oauth2/token/"), 2);
        let requests = world.emulator.requests();
        let answered = requests
            .iter()
            .find(|it| it.endpoint == Some(Endpoint::Token));
        let expected = if end_in_slash {
            "/oauth2/token/"
        } else {
            "/oauth2/token"
        };
        assert_eq!(answered.unwrap().path, expected);
    }
}

#[tokio::test]
async fn metadata_and_the_admin_api_never_end_in_a_slash() {
    for end_in_slash in [false, true] {
        let world = world_with(|switches| switches.endpoints_end_in_slash = end_in_slash).await;
        for path in [
            "/.well-known/openid-configuration",
            "/.well-known/oauth-authorization-server",
            "/api/v1/audit",
            "/emulator/v1/requests",
        ] {
            let reply = world.admin("GET", path, Value::Null).await;
            assert_eq!(reply.status, 200, "{path}");
            let path = format!("{path}/");
            let reply = world.admin("GET", &path, Value::Null).await;
            assert_eq!(reply.status, 404, "{path}");
        }
    }
}

#[tokio::test]
async fn a_fault_concerns_the_advertised_form_only() {
    let world = world_with(|switches| switches.endpoints_end_in_slash = true).await;
    world.emulator.fault(Fault::status(503).at(Endpoint::Token));
    assert_eq!(world.post("/oauth2/token/", &[]).await.status, 503);
    assert_eq!(world.post("/oauth2/token", &[]).await.status, 404);
}
