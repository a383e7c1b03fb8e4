//! The whole circle: an API says what is missing, the person allows it, and the call goes through.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use intelliauth::{AuthorizationCode, Client, Error, TokenRequest};
use intelliauth_emulator::{Config, Emulator, sample};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A small API beside the issuer: it asks that for each token, and checks audience and scope itself.
#[derive(Clone)]
struct Api {
    emulator: Arc<Emulator>,
    http: reqwest::Client,
}

impl Api {
    async fn serve(emulator: Arc<Emulator>) -> String {
        let api = Self {
            emulator,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        let routes = Router::new()
            .route("/settings", get(read).post(write))
            .route("/healthz", post(|| async { "ok" }))
            .with_state(api);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        url
    }

    /// RFC 7662: what the issuer says of the token; then this API's own decision.
    async fn require(&self, headers: &HeaderMap, scope: &str) -> Result<(), Response> {
        let header = headers.get(header::AUTHORIZATION);
        let token = header
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
            .ok_or_else(|| StatusCode::UNAUTHORIZED.into_response())?;
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token)
            .finish();
        let answer = self
            .http
            .post(self.emulator.url("/oauth2/introspect"))
            .basic_auth(sample::SERVICE, Some(sample::SERVICE_SECRET))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await
            .unwrap();
        let claims: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        if claims["active"] != true || claims["aud"] != sample::SETTINGS {
            return Err(StatusCode::UNAUTHORIZED.into_response());
        }
        let scopes = claims["scope"].as_str().unwrap_or_default();
        if scopes.split(' ').any(|held| held == scope) {
            return Ok(());
        }
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
        let body = json!({"error": "insufficient_scope", "required": scope});
        Err((
            StatusCode::FORBIDDEN,
            [(header::WWW_AUTHENTICATE, challenge)],
            Json(body),
        )
            .into_response())
    }
}

async fn read(State(api): State<Api>, headers: HeaderMap) -> Result<&'static str, Response> {
    api.require(&headers, "read:settings").await?;
    Ok("dark")
}

async fn write(State(api): State<Api>, headers: HeaderMap) -> Result<&'static str, Response> {
    api.require(&headers, "write:settings").await?;
    Ok("changed")
}

#[tokio::test]
async fn what_an_api_asks_for_is_consented_to_and_then_works() {
    let emulator = Arc::new(Emulator::start(Config::sample()).await.unwrap());
    let api = Api::serve(Arc::clone(&emulator)).await;
    let session = Client::for_person(emulator.issuer(), sample::NATIVE)
        .build()
        .unwrap()
        .default_session();
    let reading = TokenRequest::new(sample::SETTINGS).scope("read:settings");
    let login = AuthorizationCode::redirect_to("http://127.0.0.1/callback").request(&reading);
    let alice = emulator.login_as(sample::ALICE);
    let (url, pending) = session.begin_sign_in(login).await.unwrap();
    let callback = alice.approve(&url).await.unwrap();
    session
        .finish_sign_in(&pending, callback.as_str())
        .await
        .unwrap();

    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let settings = format!("{api}/settings");
    let token = session.client().get_access_token(&reading).await.unwrap();
    let bearer = token.header_value().clone();
    let read = http.get(&settings).header("authorization", bearer.clone());
    assert_eq!(read.send().await.unwrap().text().await.unwrap(), "dark");

    // The API says what its route needs.
    let refused = http.post(&settings).header("authorization", bearer);
    let refused = refused.send().await.unwrap();
    assert_eq!(refused.status(), 403);
    let body: Value = serde_json::from_slice(&refused.bytes().await.unwrap()).unwrap();
    let required = body["required"].as_str().unwrap();

    // The session knows that nobody has consented to it, without asking.
    let before = emulator.token_requests();
    let writing = TokenRequest::from(&reading).scope(required);
    let error = session
        .client()
        .get_access_token(&writing)
        .await
        .unwrap_err();
    let Error::Consent(consent) = error else {
        panic!("{error}")
    };
    assert_eq!(consent.missing().to_string(), "write:settings");
    assert_eq!(emulator.token_requests(), before);

    // The person allows it, and the same call goes through.
    let (url, pending) = consent
        .authorization_url("http://127.0.0.1/callback")
        .unwrap();
    let callback = alice.approve(&url).await.unwrap();
    session
        .finish_sign_in(&pending, callback.as_str())
        .await
        .unwrap();
    let token = session.client().get_access_token(&writing).await.unwrap();
    let again = http
        .post(&settings)
        .header("authorization", token.header_value().clone());
    assert_eq!(again.send().await.unwrap().text().await.unwrap(), "changed");

    // A token for another API is none here, though it is valid.
    let banking = session.client().get_access_token(sample::BANKING).await;
    assert!(banking.is_err(), "nobody consented to that");
}

#[tokio::test]
async fn one_call_goes_the_whole_way_from_the_apis_challenge_to_its_answer() {
    let emulator = Arc::new(Emulator::start(Config::sample()).await.unwrap());
    let api = Api::serve(Arc::clone(&emulator)).await;
    let people = Client::for_person(emulator.issuer(), sample::NATIVE)
        .build()
        .unwrap();
    let session = people.default_session();
    let reading = TokenRequest::new(sample::SETTINGS).scope("read:settings");
    let login = AuthorizationCode::redirect_to("http://127.0.0.1/callback").request(&reading);
    let alice = emulator.login_as(sample::ALICE);
    let (url, pending) = session.begin_sign_in(login).await.unwrap();
    let callback = alice.approve(&url).await.unwrap();
    let callback = callback.as_str();
    session.finish_sign_in(&pending, callback).await.unwrap();

    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let settings = intelliauth::Api::new(&reading).allow_scopes("write:settings");
    let change = || http.post(format!("{api}/settings"));
    session.client().get_access_token(&reading).await.unwrap();
    let before = emulator.token_requests();
    let error = intelliauth::send(&session, &settings, change())
        .await
        .unwrap_err();
    let Some(Error::Consent(consent)) = Error::find(&error) else {
        panic!("{error}")
    };
    assert_eq!(consent.missing().to_string(), "write:settings");
    assert_eq!(emulator.token_requests(), before);

    let (url, pending) = consent
        .authorization_url("http://127.0.0.1/callback")
        .unwrap();
    let callback = alice.approve(&url).await.unwrap();
    let callback = callback.as_str();
    session.finish_sign_in(&pending, callback).await.unwrap();
    let answer = intelliauth::send(&session, &settings, change()).await;
    assert_eq!(answer.unwrap().text().await.unwrap(), "changed");
}
