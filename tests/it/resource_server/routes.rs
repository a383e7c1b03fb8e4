//! What is declared is protected, and what is not declared is not there.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use axum::{Router, body::Body, middleware, routing};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use intelliauth::resource_server::{
    Claims, Permission, Permitted, ProtectedRouter, RequireLayer, RouteError, require_scope,
};
use serde_json::json;
use tower_layer::Layer;
use tower_service::Service;

use super::issuer::{Answer, Api, Issuer};

fn protected(issuer: &Issuer) -> ProtectedRouter {
    ProtectedRouter::new(issuer.verifier().build().unwrap())
}

async fn ok() -> &'static str {
    "ok"
}

#[tokio::test]
async fn every_route_says_what_it_needs() {
    let issuer = Issuer::silent().await;
    let admin = protected(&issuer)
        .post("/", require_scope("write:settings").unwrap(), ok)
        .delete("/{id}", require_scope("manage:applications").unwrap(), ok);
    let router = protected(&issuer)
        .get(
            "/transactions",
            require_scope("read:transactions").unwrap(),
            ok,
        )
        .put(
            "/transactions/{id}",
            require_scope("write:transactions").unwrap(),
            ok,
        )
        .open("/healthz", routing::get(ok))
        .open_router("/docs", Router::new().route("/a", routing::get(ok)))
        .nest("/admin/", admin);
    let list: Vec<String> = router.routes().iter().map(ToString::to_string).collect();
    assert_eq!(
        list,
        [
            "GET /transactions: read:transactions",
            "PUT /transactions/{id}: write:transactions",
            "/healthz: open",
            "/docs: open",
            "/docs/{*rest}: open",
            "POST /admin: write:settings",
            "DELETE /admin/{id}: manage:applications",
        ]
    );
    assert_eq!(
        router
            .routes()
            .iter()
            .filter(|route| route.is_open())
            .count(),
        3
    );
}

#[tokio::test]
async fn whatever_is_open_is_in_the_list() {
    let issuer = Issuer::start().await;
    let docs = || Router::new().route("/", routing::get(ok));
    let inner = protected(&issuer).open_fallback(ok);
    let router = protected(&issuer)
        .open_router("/docs", docs())
        .open_router("/help/", docs())
        .nest("/admin", inner)
        .open_fallback(ok)
        .merge(protected(&issuer).open_fallback(async || "never"));
    let list: Vec<String> = router.routes().iter().map(ToString::to_string).collect();
    assert_eq!(
        list,
        [
            "/docs: open",
            "/docs/{*rest}: open",
            "/help: open",
            "/help/{*rest}: open",
            "/admin/{*rest}: open",
            "/{*rest}: open",
        ]
    );
    let api = Api::serve(router.into_router().unwrap()).await;
    for path in ["/docs", "/docs/a", "/help/", "/admin/x", "/", "/x/y"] {
        let answer = Answer::of(api.request("GET", path)).await;
        assert_eq!((answer.status, &*answer.body), (200, "ok"), "{path}");
    }
}

#[tokio::test]
async fn other_methods_and_paths_are_not_there() {
    let issuer = Issuer::start().await;
    let router = protected(&issuer)
        .get(
            "/transactions",
            require_scope("read:transactions").unwrap(),
            ok,
        )
        .post(
            "/transactions",
            require_scope("write:transactions").unwrap(),
            ok,
        )
        .get(
            "/transactions/{id}",
            require_scope("read:transactions").unwrap(),
            ok,
        );
    let api = Api::serve(router.into_router().unwrap()).await;
    let reader = issuer.token(&json!({}));
    for (method, path, status) in [
        ("GET", "/transactions", 200),
        ("HEAD", "/transactions", 200),
        ("POST", "/transactions", 403),
        ("GET", "/transactions/7", 200),
        ("GET", "/transactions/..%2f..%2fx", 200),
        ("PUT", "/transactions", 405),
        ("OPTIONS", "/transactions", 405),
        ("GET", "/transactions/", 404),
        ("GET", "/%74ransactions", 404),
        ("GET", "/TRANSACTIONS", 404),
        ("GET", "//transactions", 404),
        ("GET", "/nothing", 404),
    ] {
        let answer = api.call(method, path, &reader).await;
        assert_eq!(answer.status, status, "{method} {path}");
        let anonymous = Answer::of(api.request(method, path)).await;
        let expected = if status == 200 || status == 403 {
            401
        } else {
            status
        };
        assert_eq!(anonymous.status, expected, "{method} {path}");
        if expected != 401 {
            assert!(anonymous.challenge.is_none() && anonymous.body.is_empty());
        }
    }
}

#[tokio::test]
async fn nested_and_merged_routes_keep_their_requirements() {
    let issuer = Issuer::start().await;
    let admin = protected(&issuer)
        .post("/", require_scope("write:settings").unwrap(), ok)
        .post(
            "/applications",
            require_scope("manage:applications").unwrap(),
            async |uri: http::Uri| uri.path().to_owned(),
        )
        .open_fallback(async || (http::StatusCode::NOT_FOUND, "no such setting"));
    let router = protected(&issuer)
        .nest("/admin", admin)
        .merge(protected(&issuer).get(
            "/transactions",
            require_scope("read:transactions").unwrap(),
            ok,
        ))
        .open_fallback(async || (http::StatusCode::NOT_FOUND, "nothing here"));
    let api = Api::serve(router.into_router().unwrap()).await;
    let manager = issuer.token(&json!({ "scope": "manage:applications" }));
    let status = async |method, path| api.call(method, path, &manager).await.status;
    assert_eq!(status("POST", "/admin").await, 403);
    assert_eq!(status("GET", "/transactions").await, 403);
    assert_eq!(
        api.call("POST", "/admin/applications", &manager).await.body,
        "/admin/applications"
    );
    assert_eq!(
        Answer::of(api.request("GET", "/admin/x/y")).await.body,
        "no such setting"
    );
    assert_eq!(
        Answer::of(api.request("GET", "/x")).await.body,
        "nothing here"
    );
    assert_eq!(
        Answer::of(api.request("POST", "/admin/applications"))
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn a_nested_fallback_is_in_the_way_of_no_route() {
    let issuer = Issuer::start().await;
    let missing = |text: &'static str| async move || (http::StatusCode::NOT_FOUND, text);
    let read = || require_scope("read:transactions").unwrap();
    let tenant = protected(&issuer)
        .get("/{id}/x", read(), ok)
        .open_fallback(missing("no such tenant"));
    let inner = protected(&issuer)
        .get("/{id}", read(), ok)
        .nest("/{tenant}/more", tenant)
        .open_fallback(missing("no such setting"))
        .merge(protected(&issuer).open_fallback(missing("never")));
    let router = protected(&issuer)
        .get("/{id}", read(), ok)
        .nest("/admin", inner.clone())
        .nest("/other/", inner)
        .nest(
            "/",
            protected(&issuer).open_fallback(missing("nothing here")),
        );
    let api = Api::serve(router.into_router().unwrap()).await;
    for (path, status, body) in [
        ("/admin/7", 401, r#"{"error":"unauthorized"}"#),
        ("/admin/7/x", 404, "no such setting"),
        ("/admin/7/more/x", 404, "no such tenant"),
        ("/admin/7/more/1/x", 401, ""),
        ("/other/7/y", 404, "no such setting"),
        ("/admin", 401, ""),
        ("/admin/", 404, "nothing here"),
        ("/a/b", 404, "nothing here"),
        ("/", 404, "nothing here"),
    ] {
        let answer = Answer::of(api.request("GET", path)).await;
        assert_eq!(answer.status, status, "{path}");
        if status == 404 {
            assert_eq!(answer.body, body, "{path}");
        }
    }
    let token = issuer.token(&json!({}));
    assert_eq!(api.get("/admin/7", &token).await.body, "ok");
}

#[tokio::test]
async fn an_open_wildcard_over_a_protected_path_is_refused() {
    let issuer = Issuer::silent().await;
    let read = || require_scope("read:transactions").unwrap();
    let files = || Router::new().route("/{name}", routing::get(ok));
    let avoidable: [ProtectedRouter; 5] = [
        protected(&issuer)
            .get("/pub/secret", read(), ok)
            .open("/pub/{*rest}", routing::get(ok)),
        protected(&issuer)
            .open("/users/{id}", routing::get(ok))
            .get("/users/me", read(), ok),
        protected(&issuer)
            .open_router("/pub", files())
            .get("/pub/secret", read(), ok),
        protected(&issuer)
            .open("/{*rest}", routing::get(ok))
            .nest("/admin", protected(&issuer).post("/settings", read(), ok)),
        protected(&issuer)
            .optional("/pub/{*rest}", routing::get(ok))
            .get("/pub/secret", read(), ok),
    ];
    for router in avoidable {
        let list: Vec<String> = router.routes().iter().map(ToString::to_string).collect();
        let refused = router.into_router().unwrap_err();
        assert!(
            matches!(refused, RouteError::Avoidable { .. }),
            "{list:?}: {refused}"
        );
    }
    // What the client spells differently is not there, or is answered by what is said to be open to all.
    let router = protected(&issuer)
        .get("/pub/secret", read(), ok)
        .open("/pub/other", routing::get(ok))
        .open("/users/{id}", routing::post(ok))
        .get("/users/{id}", read(), ok)
        .open_fallback(async || "fallback");
    let api = Api::serve(router.into_router().unwrap()).await;
    for path in ["/pub/%73ecret", "//pub/secret", "/pub/secret/"] {
        assert_eq!(Answer::of(api.request("GET", path)).await.body, "fallback");
    }
}

#[tokio::test]
async fn what_cannot_be_routed_is_an_error_and_no_panic() {
    let issuer = Issuer::silent().await;
    let read = || require_scope("read:transactions").unwrap();
    let bare = || protected(&issuer).get("/x", read(), ok);
    for router in [
        protected(&issuer).get("x", read(), ok),
        protected(&issuer).get("/:id", read(), ok),
        protected(&issuer).get("/{*rest}/x", read(), ok),
        protected(&issuer).nest("admin", bare()),
        protected(&issuer).open_router("/", Router::new()),
        protected(&issuer).open_router("docs", Router::new()),
        protected(&issuer).open_router("/{*rest}", Router::new()),
    ] {
        let refused = router.into_router().unwrap_err();
        assert!(matches!(refused, RouteError::Path { .. }), "{refused}");
    }
    for router in [
        protected(&issuer)
            .get("/a/{id}", read(), ok)
            .get("/a/{*rest}", read(), ok),
        protected(&issuer)
            .get("/a/{id}", read(), ok)
            .post("/a/{other}", read(), ok),
        bare().nest("/", bare()),
    ] {
        let list: Vec<String> = router.routes().iter().map(ToString::to_string).collect();
        let refused = router.into_router().unwrap_err();
        assert!(
            matches!(refused, RouteError::Conflict { .. }),
            "{list:?} {refused}"
        );
    }
}

#[tokio::test]
async fn a_token_that_may_be_left_out_is_looked_at_when_it_comes() {
    let issuer = Issuer::start().await;
    let greeting = async |claims: Option<Claims>| match claims {
        Some(claims) => claims.subject().unwrap_or_default().to_owned(),
        None => "stranger".to_owned(),
    };
    let router = protected(&issuer)
        .optional("/", routing::get(greeting).post(async |_: Claims| "ok"))
        .open("/open", routing::get(greeting));
    let api = Api::serve(router.into_router().unwrap()).await;
    let token = issuer.token(&json!({}));
    assert_eq!(Answer::of(api.request("GET", "/")).await.body, "stranger");
    assert_eq!(api.get("/", &token).await.body, "usr_alice");
    let expired = issuer.token(&json!({ "exp": 1 }));
    for bad in [expired.as_str(), "a.b.c", "x y"] {
        let answer = api.get("/", bad).await;
        assert_eq!(
            (answer.status, answer.error()),
            (401, Some("invalid_token"))
        );
    }
    let twice = api
        .request("GET", "/?access_token=x")
        .header("authorization", format!("Bearer {token}"));
    assert_eq!(Answer::of(twice).await.status, 400);
    assert_eq!(Answer::of(api.request("POST", "/")).await.status, 401);
    // Where nothing looks at tokens, `None` would be said of a good one too.
    assert_eq!(api.get("/open", &token).await.status, 500);

    let layer = issuer.verifier().build().unwrap().layer();
    let layer = layer
        .optional()
        .requiring(require_scope("write:x").unwrap());
    let require = RequireLayer::new(require_scope("read:transactions").unwrap());
    let router = Router::new()
        .route("/", routing::get(greeting))
        .route("/required", routing::get(ok).layer(require))
        .layer(layer);
    let api = Api::serve(router).await;
    assert_eq!(Answer::of(api.request("GET", "/")).await.body, "stranger");
    assert_eq!(api.get("/", &token).await.status, 403);
    assert_eq!(
        Answer::of(api.request("GET", "/required")).await.status,
        401
    );
}

struct ReadTransactions;

impl Permission for ReadTransactions {
    const SCOPES: &'static [&'static str] = &["read:transactions"];
}

struct Impossible;

impl Permission for Impossible {
    const SCOPES: &'static [&'static str] = &["two words"];
}

#[tokio::test]
async fn a_requirement_without_authentication_is_never_open() {
    let issuer = Issuer::start().await;
    let token = issuer.token(&json!({}));
    let require = RequireLayer::new(require_scope("read:transactions").unwrap());
    let router = Router::new()
        .route("/layer", routing::get(ok).layer(require.clone()))
        .route("/claims", routing::get(async |_: Claims| "ok"))
        .route(
            "/permitted",
            routing::get(async |_: Permitted<ReadTransactions>| "ok"),
        )
        .route(
            "/optional",
            routing::get(async |claims: Option<Claims>| format!("{}", claims.is_some())),
        );
    let bare = Api::serve(router.clone()).await;
    for path in ["/layer", "/claims", "/permitted", "/optional"] {
        let answer = bare.get(path, &token).await;
        assert_eq!((answer.status, answer.challenge), (500, None), "{path}");
        assert_eq!(answer.body, r#"{"error":"server_error"}"#);
    }
    // The wrong way round, the requirement is outside.
    let wrong = Router::new()
        .route("/", routing::get(ok))
        .layer(issuer.verifier().build().unwrap().layer())
        .layer(require);
    let wrong = Api::serve(wrong).await;
    assert_eq!(wrong.get("/", &token).await.status, 500);
    let layered = Api::serve(router.layer(issuer.verifier().build().unwrap().layer())).await;
    for path in ["/layer", "/claims", "/permitted", "/optional"] {
        assert_eq!(layered.get(path, &token).await.status, 200, "{path}");
    }
    let impossible = Router::new()
        .route("/", routing::get(async |_: Permitted<Impossible>| "ok"))
        .layer(issuer.verifier().build().unwrap().layer());
    let impossible = Api::serve(impossible).await;
    assert_eq!(impossible.get("/", &token).await.status, 500);
}

#[tokio::test]
async fn preflights_pass_where_that_is_wanted_and_nothing_else_does() {
    let issuer = Issuer::start().await;
    let require = RequireLayer::new(require_scope("read:transactions").unwrap());
    let handlers = || {
        routing::get(ok)
            .options(async || "preflight")
            .layer(require.clone())
    };
    let layer = issuer.verifier().build().unwrap().layer();
    let closed = Api::serve(Router::new().route("/", handlers()).layer(layer.clone())).await;
    let open = Api::serve(
        Router::new()
            .route("/", handlers())
            .layer(layer.pass_preflight()),
    )
    .await;
    let preflight = |api: &Api, method: &str| {
        api.request(method, "/")
            .header("origin", "https://app.example")
            .header("access-control-request-method", "GET")
    };
    assert_eq!(Answer::of(preflight(&closed, "OPTIONS")).await.status, 401);
    assert_eq!(
        Answer::of(preflight(&open, "OPTIONS")).await.body,
        "preflight"
    );
    assert_eq!(Answer::of(preflight(&open, "GET")).await.status, 401);
    assert_eq!(Answer::of(open.request("OPTIONS", "/")).await.status, 401);
}

#[tokio::test]
async fn a_preflight_that_becomes_another_request_is_none() {
    let issuer = Issuer::start().await;
    let require = RequireLayer::new(require_scope("read:transactions").unwrap());
    let overridden = middleware::map_request(async |mut request: Request<Body>| {
        *request.method_mut() = http::Method::POST;
        request
    });
    let router = Router::new()
        .route("/", routing::any(ok).layer(require))
        .layer(overridden)
        .layer(issuer.verifier().build().unwrap().layer().pass_preflight());
    let api = Api::serve(router).await;
    let preflight = api
        .request("OPTIONS", "/")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "POST");
    let answer = Answer::of(preflight).await;
    assert_eq!(answer.status, 500, "it has no claims");
    let answer = api.get("/", &issuer.token(&json!({}))).await;
    assert_eq!(answer.status, 200);
}

/// A service without any framework.
#[derive(Clone)]
struct Plain;

impl Service<Request<()>> for Plain {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let claims: &Claims = request.extensions().get().unwrap();
        ready(Ok(Response::new(claims.subject().unwrap().to_owned())))
    }
}

#[tokio::test]
async fn the_layers_fit_any_service_of_the_http_crate() {
    let issuer = Issuer::start().await;
    let require = RequireLayer::new(require_scope("read:transactions").unwrap());
    let layer = issuer.verifier().build().unwrap().layer();
    let mut service = layer.layer(require.layer(Plain));
    let mut call = async |token: &str| {
        let request = Request::get("/").header("authorization", format!("Bearer {token}"));
        service.call(request.body(()).unwrap()).await.unwrap()
    };
    let response = call(&issuer.token(&json!({}))).await;
    assert_eq!(response.status(), 200);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "usr_alice");
    assert_eq!(
        call(&issuer.token(&json!({ "scope": "x" }))).await.status(),
        403
    );
    assert_eq!(call("x").await.status(), 401);
}
