//! Each answer of the contract.

use axum::Router;
use intelliauth::resource_server::{
    AssuranceLevel, Claims, Permission, Permitted, ProtectedRouter, VerifierBuilder, require_all,
    require_any, require_level, require_scope, require_token,
};
use serde::Deserialize;
use serde_json::json;

use super::issuer::{AUDIENCE, Answer, Api, Issuer, Keys};

fn router(verifier: VerifierBuilder) -> Router {
    let ok = async || "ok";
    ProtectedRouter::new(verifier.build().unwrap())
        .get(
            "/transactions",
            require_scope("read:transactions").unwrap(),
            ok,
        )
        .post("/settings", require_scope("write:settings").unwrap(), ok)
        .post(
            "/applications",
            require_all(["manage:applications", "write:settings"]).unwrap(),
            ok,
        )
        .get("/either", require_any(["read:a", "read:b"]).unwrap(), ok)
        .get(
            "/careful",
            require_scope("read:transactions")
                .unwrap()
                .and(require_level(AssuranceLevel::Aal2)),
            ok,
        )
        .get("/me", require_token(), whoami)
        .get("/typed", require_token(), typed)
        .open("/healthz", axum::routing::get(ok))
        .into_router()
        .unwrap()
}

#[derive(Deserialize)]
struct Custom {
    plan: String,
}

async fn whoami(claims: Claims) -> String {
    let plan = claims.parse::<Custom>().map(|custom| custom.plan);
    format!(
        "{} {} {:?} {:?} {plan:?}",
        claims.subject().unwrap_or("-"),
        claims.client_id().unwrap_or("-"),
        claims.assurance_level(),
        claims.amr(),
    )
}

struct WriteSettings;

impl Permission for WriteSettings {
    const SCOPES: &'static [&'static str] = &["write:settings"];
}

async fn typed(claims: Permitted<WriteSettings>) -> String {
    claims.subject().unwrap_or("-").to_owned()
}

async fn start() -> (Issuer, Api) {
    let issuer = Issuer::start().await;
    let api = Api::serve(router(issuer.verifier())).await;
    (issuer, api)
}

#[tokio::test]
async fn no_token_is_a_challenge_without_an_error() {
    let (issuer, api) = start().await;
    let token = issuer.token(&json!({}));
    for request in [
        api.request("GET", "/transactions"),
        api.request("GET", "/transactions")
            .header("authorization", "Basic YTpi"),
        api.request("GET", "/transactions")
            .header("authorization", ""),
        api.request("GET", &format!("/transactions?access_token={token}")),
        api.request("GET", "/transactions")
            .header("cookie", format!("access_token={token}")),
        api.request("POST", "/settings")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("access_token={token}")),
    ] {
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.challenge.as_deref(), Some("Bearer"));
        assert_eq!(answer.body, "");
    }
    assert_eq!(issuer.fetches().await, 0, "nobody looked at a token");
}

#[tokio::test]
async fn the_scheme_is_taken_in_any_case() {
    let (issuer, api) = start().await;
    let token = issuer.token(&json!({}));
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let request = api
            .request("GET", "/transactions")
            .header("authorization", format!("{scheme} {token}"));
        assert_eq!(Answer::of(request).await.status, 200, "{scheme}");
    }
}

#[tokio::test]
async fn two_tokens_in_one_request_are_a_bad_request() {
    let (issuer, api) = start().await;
    let token = issuer.token(&json!({}));
    let answer = api
        .get(&format!("/transactions?access_token={token}"), &token)
        .await;
    assert_eq!(
        (answer.status, answer.error()),
        (400, Some("invalid_request"))
    );
    assert_eq!(answer.json(), json!({ "error": "invalid_request" }));
    let request = api
        .request("GET", "/transactions")
        .header("authorization", format!("Bearer {token}"))
        .header("authorization", format!("Bearer {token}"));
    let answer = Answer::of(request).await;
    assert_eq!(
        (answer.status, answer.error()),
        (400, Some("invalid_request"))
    );
}

#[tokio::test]
async fn a_token_that_is_none_is_invalid() {
    let (_issuer, api) = start().await;
    for token in ["", "a b", "\"x\"", "x,y", "\u{7f}x", "x\r"] {
        let request = api.request("GET", "/transactions");
        let value = reqwest::header::HeaderValue::from_bytes(format!("Bearer {token}").as_bytes());
        let Ok(value) = value else { continue };
        let answer = Answer::of(request.header("authorization", value)).await;
        assert_eq!(
            (answer.status, answer.error()),
            (401, Some("invalid_token")),
            "{token:?}"
        );
    }
}

#[tokio::test]
async fn why_a_token_is_invalid_is_said_in_words_of_ours() {
    let (issuer, api) = start().await;
    let expired = api
        .get(
            "/transactions",
            &issuer.token(&json!({ "exp": issuer.now() - 60 })),
        )
        .await;
    let challenge = r#"Bearer error="invalid_token", error_description="the token has expired""#;
    assert_eq!(expired.challenge.as_deref(), Some(challenge));
    let other = api
        .get(
            "/transactions",
            &issuer.token(&json!({ "aud": "x\", scope=\"admin" })),
        )
        .await;
    assert_eq!(
        other.challenge.as_deref(),
        Some(
            r#"Bearer error="invalid_token", error_description="the token is for another audience""#
        )
    );
}

#[tokio::test]
async fn a_missing_scope_is_named_and_the_challenge_names_all() {
    let (issuer, api) = start().await;
    let token = issuer.token(&json!({ "scope": "write:settings" }));
    let answer = api.get("/transactions", &token).await;
    assert_eq!(
        (answer.status, answer.error()),
        (403, Some("insufficient_scope"))
    );
    assert!(
        answer
            .challenge
            .as_deref()
            .unwrap()
            .ends_with(r#", scope="read:transactions""#),
        "{answer:?}"
    );
    assert_eq!(
        answer.body,
        r#"{"error":"insufficient_scope","required":"read:transactions"}"#
    );

    let one = api.call("POST", "/applications", &token).await;
    assert_eq!(
        one.json(),
        json!({ "error": "insufficient_scope", "required": "manage:applications" })
    );
    assert!(
        one.challenge
            .unwrap()
            .ends_with(r#", scope="manage:applications write:settings""#)
    );

    let none = issuer.token(&json!({ "scope": "x" }));
    let both = api.call("POST", "/applications", &none).await;
    assert_eq!(
        both.json()["required"],
        json!(["manage:applications", "write:settings"])
    );

    let either = api.get("/either", &none).await;
    assert_eq!(
        (either.status, either.json()["required"].clone()),
        (403, json!(["read:a", "read:b"]))
    );
    for scope in ["read:a", "read:b", "x read:b"] {
        let token = issuer.token(&json!({ "scope": scope }));
        assert_eq!(api.get("/either", &token).await.status, 200, "{scope}");
    }
}

#[tokio::test]
async fn scopes_are_words_and_exact() {
    let (issuer, api) = start().await;
    for scope in [
        "read",
        "read:",
        "read:transaction",
        "read:transactions:all",
        "READ:TRANSACTIONS",
        "read:transactions\twrite",
        "read:transactions,write",
        "",
        "read: transactions",
    ] {
        let answer = api
            .get("/transactions", &issuer.token(&json!({ "scope": scope })))
            .await;
        assert_eq!(answer.status, 403, "{scope:?}");
    }
}

#[tokio::test]
async fn a_weak_sign_in_asks_for_a_stronger_one() {
    let (issuer, api) = start().await;
    for (claims, status) in [
        (json!({}), 401),
        (json!({ "auth_level": "AAL1" }), 401),
        (json!({ "auth_level": "AAL0" }), 401),
        (json!({ "auth_level": "AAL1", "acr": "aal3" }), 401),
        (json!({ "auth_level": "AAL" }), 401),
        (json!({ "acr": "urn:mace:incommon:iap:silver" }), 401),
        (json!({ "auth_level": "AAL2" }), 200),
        (json!({ "auth_level": "AAL3", "acr": "aal2" }), 200),
        (json!({ "acr": "aal2" }), 200),
        (json!({ "auth_level": "AAL2", "scope": "x" }), 403),
        (json!({ "scope": "x" }), 403),
    ] {
        let answer = api.get("/careful", &issuer.token(&claims)).await;
        assert_eq!(answer.status, status, "{claims}");
        if status == 401 {
            assert_eq!(answer.error(), Some("insufficient_user_authentication"));
            assert!(
                answer
                    .challenge
                    .unwrap()
                    .ends_with(r#", acr_values="AAL2""#)
            );
        }
    }
}

#[tokio::test]
async fn handlers_get_the_claims() {
    let (issuer, api) = start().await;
    let claims =
        json!({ "auth_level": "AAL2", "amr": ["pwd"], "plan": "pro", "client_id": "app_x" });
    let answer = api.get("/me", &issuer.token(&claims)).await;
    assert_eq!(
        answer.body,
        r#"usr_alice app_x Some(Aal2) ["pwd"] Some("pro")"#
    );
    let azp = json!({ "azp": "app_y", "client_id": super::issuer::REMOVED, "scope": "" });
    let answer = api.get("/me", &issuer.token(&azp)).await;
    assert_eq!(answer.body, "usr_alice app_y None [] None");
}

#[tokio::test]
async fn a_typed_extractor_asks_for_its_scopes() {
    let (issuer, api) = start().await;
    let answer = api.get("/typed", &issuer.token(&json!({}))).await;
    assert_eq!(
        (answer.status, answer.error()),
        (403, Some("insufficient_scope"))
    );
    let answer = api
        .get(
            "/typed",
            &issuer.token(&json!({ "scope": "write:settings" })),
        )
        .await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "usr_alice"));
}

#[tokio::test]
async fn a_token_without_a_key_id_needs_a_key_that_alone_fits() {
    let issuer = Issuer::start().await;
    let api = Api::serve(router(issuer.verifier())).await;
    let header = r#"{"alg":"EdDSA"}"#;
    let token = issuer
        .keys
        .sign("EdDSA", header, &issuer.claims().to_string());
    assert_eq!(api.get("/transactions", &token).await.status, 200);
    let more: Vec<_> = issuer
        .keys
        .public("")
        .into_iter()
        .chain(Keys::generate().public("2"))
        .collect();
    issuer.publish(&more).await;
    let api = Api::serve(router(issuer.verifier())).await;
    assert_eq!(
        api.get("/transactions", &token).await.status,
        401,
        "two keys fit"
    );
}

#[tokio::test]
async fn by_default_only_the_platforms_algorithm_is_allowed() {
    let issuer = Issuer::start().await;
    let verifier = intelliauth::resource_server::Verifier::builder(issuer.url(), AUDIENCE)
        .clock(issuer.clock.clone());
    let api = Api::serve(router(verifier)).await;
    for (algorithm, status) in [
        ("RS256", 200),
        ("PS256", 401),
        ("RS512", 401),
        ("ES256", 401),
        ("EdDSA", 401),
    ] {
        let token = issuer.token_of(algorithm, &json!({}));
        assert_eq!(
            api.get("/transactions", &token).await.status,
            status,
            "{algorithm}"
        );
    }
}

#[tokio::test]
async fn the_strict_profile_wants_all_of_rfc_9068() {
    let issuer = Issuer::start().await;
    let api = Api::serve(router(issuer.verifier().strict_profile())).await;
    let status = async |changes| {
        api.get("/transactions", &issuer.token(&changes))
            .await
            .status
    };
    assert_eq!(status(json!({ "jti": "x" })).await, 200);
    for name in ["sub", "client_id", "iat", "jti"] {
        assert_eq!(
            status(json!({ "jti": "x", name: super::issuer::REMOVED })).await,
            401,
            "{name}"
        );
    }
    let header = r#"{"alg":"EdDSA","kid":"ed","typ":"JWT"}"#;
    let claims = super::issuer::merged(issuer.claims(), &json!({ "jti": "x" }));
    let token = issuer.keys.sign("EdDSA", header, &claims.to_string());
    assert_eq!(api.get("/transactions", &token).await.status, 401);
}

#[tokio::test]
async fn other_spellings_of_scopes_are_options() {
    let issuer = Issuer::start().await;
    let strict = Api::serve(router(issuer.verifier())).await;
    let tolerant = Api::serve(router(issuer.verifier().scope_arrays().scp_claim())).await;
    for (changes, refused) in [
        (json!({ "scope": ["a", "read:transactions"] }), 401),
        (
            json!({ "scope": super::issuer::REMOVED, "scp": ["read:transactions"] }),
            403,
        ),
        (json!({ "scope": "x", "scp": "read:transactions" }), 403),
    ] {
        let token = issuer.token(&changes);
        assert_eq!(
            strict.get("/transactions", &token).await.status,
            refused,
            "{changes}"
        );
        assert_eq!(
            tolerant.get("/transactions", &token).await.status,
            200,
            "{changes}"
        );
    }
    let odd = issuer.token(&json!({ "scope": ["read:transactions", 1] }));
    assert_eq!(tolerant.get("/transactions", &odd).await.status, 401);
}

#[test]
fn a_verifier_needs_an_issuer_an_audience_and_an_algorithm() {
    let build = intelliauth::resource_server::Verifier::builder;
    for (verifier, field) in [
        (build("", AUDIENCE), "issuer"),
        (build("http://banking.example", AUDIENCE), "issuer"),
        (build("banking.example", AUDIENCE), "issuer"),
        (build("https://banking.example", ""), "audience"),
        (
            build("https://banking.example", AUDIENCE).algorithms([]),
            "algorithms",
        ),
        (
            build("https://banking.example", AUDIENCE).root_certificate("x"),
            "root_certificate",
        ),
    ] {
        let error = verifier.build().unwrap_err();
        assert_eq!(error.field(), field, "{error}");
        assert!(!error.fix().is_empty());
    }
}
