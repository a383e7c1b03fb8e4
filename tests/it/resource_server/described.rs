//! An API that describes itself (RFC 9728): what it publishes, and what its challenges say.

use axum::Router;
use intelliauth::resource_server::{
    Permission, Permitted, ProtectedRouter, RequireLayer, Route, RouteError, Verifier,
    require_scope, require_token,
};
use serde_json::{Value, json};

use super::issuer::{AUDIENCE, Answer, Api, Issuer};

const RESOURCE: &str = "https://api.banking.cymmetri.com/v1";
const PATH: &str = "/.well-known/oauth-protected-resource/v1";

fn verifier(issuer: &Issuer) -> Verifier {
    issuer.verifier().resource(RESOURCE).build().unwrap()
}

fn router(issuer: &Issuer) -> ProtectedRouter {
    let ok = async || "ok";
    ProtectedRouter::new(verifier(issuer))
        .get("/v1/a", require_scope("read:a").unwrap(), ok)
        .post("/v1/a", require_scope("write:a").unwrap(), ok)
        .get("/v1/me", require_token(), ok)
}

async fn document(api: &Api) -> Value {
    let answer = Answer::of(api.request("GET", PATH)).await;
    assert_eq!(answer.status, 200);
    serde_json::from_str(&answer.body).unwrap()
}

#[tokio::test]
async fn it_publishes_its_issuer_and_the_scopes_of_its_routes_to_every_caller() {
    let issuer = Issuer::start().await;
    let router = router(&issuer);
    let listed: Vec<String> = router.routes().iter().map(ToString::to_string).collect();
    assert_eq!(listed[0], format!("GET {PATH}: open"));
    assert_eq!(listed.len(), 4);
    let api = Api::serve(router.into_router().unwrap()).await;
    let expected = json!({
        "resource": RESOURCE,
        "authorization_servers": [verifier(&issuer).issuer()],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["read:a", "write:a"],
    });
    assert_eq!(document(&api).await, expected);
    assert_eq!(issuer.fetches().await, 0);
}

#[tokio::test]
async fn every_challenge_says_where_that_is_and_a_401_which_scopes_are_needed() {
    let issuer = Issuer::start().await;
    let api = Api::serve(router(&issuer).into_router().unwrap()).await;
    let metadata = format!("resource_metadata=\"https://api.banking.cymmetri.com{PATH}\"");
    let challenge = async |path: &str, token: Option<&str>| {
        let mut request = api.request("GET", path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        Answer::of(request).await.challenge.unwrap()
    };
    assert_eq!(
        challenge("/v1/a", None).await,
        format!("Bearer {metadata}, scope=\"read:a\"")
    );
    assert_eq!(
        challenge("/v1/me", None).await,
        format!("Bearer {metadata}")
    );
    let invalid = challenge("/v1/a", Some("x")).await;
    assert!(invalid.contains("error=\"invalid_token\""), "{invalid}");
    assert!(
        invalid.ends_with(&format!(", {metadata}, scope=\"read:a\"")),
        "{invalid}"
    );
    let narrow = challenge("/v1/a", Some(&issuer.token(&json!({"scope": "b"})))).await;
    assert!(narrow.contains("scope=\"read:a\""), "{narrow}");
    assert!(narrow.ends_with(&metadata), "{narrow}");
    assert_eq!(narrow.matches("scope=").count(), 1, "{narrow}");
}

struct ReadA;

impl Permission for ReadA {
    const SCOPES: &'static [&'static str] = &["read:a"];
}

#[tokio::test]
async fn what_stands_behind_the_layer_says_it_too() {
    let issuer = Issuer::start().await;
    let require = RequireLayer::new(require_scope("read:a").unwrap());
    let ok = axum::routing::get(async || "ok").layer(require);
    let typed = axum::routing::get(async |_: Permitted<ReadA>| "ok");
    let router = Router::new().route("/layer", ok).route("/typed", typed);
    let router = router.layer(verifier(&issuer).layer().optional());
    let api = Api::serve(router).await;
    for path in ["/layer", "/typed"] {
        let narrow = api.get(path, &issuer.token(&json!({"scope": "b"}))).await;
        let challenge = narrow.challenge.unwrap();
        assert!(challenge.contains("resource_metadata="), "{challenge}");
        let missing = Answer::of(api.request("GET", path)).await;
        let challenge = missing.challenge.unwrap();
        assert!(challenge.ends_with("scope=\"read:a\""), "{challenge}");
    }
}

#[tokio::test]
async fn routers_that_are_put_together_publish_each_api_once_and_without_a_prefix() {
    let issuer = Issuer::start().await;
    let ok = async || "ok";
    let more = ProtectedRouter::new(verifier(&issuer));
    let more = more.get("/b", require_scope("read:b").unwrap(), ok);
    let other = issuer
        .verifier()
        .resource("https://api.banking.cymmetri.com/v2");
    let other = ProtectedRouter::new(other.build().unwrap());
    let all = router(&issuer).nest("/v1/below", more).merge(other);
    let open = all.routes().iter().filter(|route| route.is_open());
    let open: Vec<&str> = open.map(Route::path).collect();
    assert_eq!(open, [PATH, "/.well-known/oauth-protected-resource/v2"]);
    let api = Api::serve(all.into_router().unwrap()).await;
    let scopes = json!(["read:a", "read:b", "write:a"]);
    assert_eq!(document(&api).await["scopes_supported"], scopes);
}

#[tokio::test]
async fn two_apis_at_one_url_are_told_apart_by_nothing() {
    let issuer = Issuer::start().await;
    let other = Verifier::builder("https://other.example", AUDIENCE);
    let other = ProtectedRouter::new(other.resource(RESOURCE).build().unwrap());
    let outcome = router(&issuer).merge(other).into_router();
    assert!(matches!(outcome, Err(RouteError::Conflict { .. })));
}

#[tokio::test]
async fn a_resource_that_is_no_url_of_an_api_is_refused_when_it_is_set() {
    let issuer = Issuer::start().await;
    for bad in [
        "api.banking.cymmetri.com",
        "http://api.example",
        "https://a.example/?b",
    ] {
        let error = issuer.verifier().resource(bad).build().unwrap_err();
        assert_eq!(error.field(), "resource", "{bad}");
    }
}
