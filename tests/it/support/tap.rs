//! Stands between a client and a token endpoint, and keeps every secret that passes.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde_json::Value;

/// An address that passes everything on to a token endpoint, and what it has seen.
pub(crate) struct Tap {
    address: String,
    seen: Arc<Seen>,
}

struct Seen {
    endpoint: String,
    http: reqwest::Client,
    /// Names as in the specifications, and values.
    secrets: Mutex<Vec<(String, String)>>,
}

/// What of a request's form, and of an answer's members, nobody else may know.
pub(crate) const SECRET: &[&str] = &[
    "access_token",
    "assertion",
    "client_secret",
    "code",
    "code_verifier",
    "device_code",
    "id_token",
    "refresh_token",
];

impl Tap {
    pub(crate) async fn before(endpoint: String) -> Self {
        let seen = Arc::new(Seen {
            endpoint,
            http: reqwest::Client::builder().build().unwrap(),
            secrets: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/token", listener.local_addr().unwrap());
        let routes = Router::new()
            .route("/token", post(pass_on))
            .with_state(Arc::clone(&seen));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { address, seen }
    }

    /// Where it stands.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Every secret that has passed so far.
    pub(crate) fn secrets(&self) -> Vec<(String, String)> {
        self.seen.secrets.lock().unwrap().clone()
    }
}

async fn pass_on(
    State(seen): State<Arc<Seen>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap, Bytes) {
    for (name, value) in url::form_urlencoded::parse(&body) {
        seen.note(&name, &value);
    }
    let mut request = seen.http.post(&seen.endpoint).body(body);
    for name in ["authorization", "content-type", "accept"] {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value);
        }
    }
    let answer = request.send().await.unwrap();
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    // The body is sent as one piece.
    headers.remove("transfer-encoding");
    let body = answer.bytes().await.unwrap();
    if let Ok(Value::Object(members)) = serde_json::from_slice(&body) {
        for (name, value) in &members {
            seen.note(name, value.as_str().unwrap_or_default());
        }
    }
    (status, headers, body)
}

impl Seen {
    fn note(&self, name: &str, value: &str) {
        if SECRET.contains(&name) && !value.is_empty() {
            let mut secrets = self.secrets.lock().unwrap();
            secrets.push((name.to_owned(), value.to_owned()));
        }
    }
}
