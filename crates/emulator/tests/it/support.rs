//! A client of the emulator that knows nothing of it but HTTP.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use intelliauth_emulator::{Config, Emulator, sample};
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName};
use serde_json::Value;

/// An emulator and a client for it.
pub(crate) struct World {
    pub(crate) emulator: Emulator,
    http: reqwest::Client,
}

/// A reply, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

pub(crate) async fn sample_world() -> World {
    World::of(Config::sample()).await
}

impl World {
    pub(crate) async fn of(config: Config) -> Self {
        Self::around(Emulator::start(config).await.unwrap())
    }

    pub(crate) fn around(emulator: Emulator) -> Self {
        let http = http_client();
        Self { emulator, http }
    }

    /// Asks for a token as the sample service, with the secret in the form.
    pub(crate) async fn token(&self, parameters: &[(&str, &str)]) -> Reply {
        let all: Vec<(&str, &str)> = SERVICE_POST
            .into_iter()
            .chain(parameters.iter().copied())
            .collect();
        self.post("/oauth2/token", &all).await
    }

    /// A token for the banking API, as text.
    pub(crate) async fn banking_token(&self) -> String {
        let reply = self.token(&[("audience", sample::BANKING)]).await;
        reply.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn post(&self, path: &str, parameters: &[(&str, &str)]) -> Reply {
        self.post_with(path, parameters, &[]).await
    }

    /// Posts a form with the client's id and secret in HTTP Basic.
    pub(crate) async fn post_basic(
        &self,
        path: &str,
        halves: &str,
        parameters: &[(&str, &str)],
    ) -> Reply {
        let header = format!("Basic {}", STANDARD.encode(halves));
        self.post_with(path, parameters, &[(AUTHORIZATION, &header)])
            .await
    }

    pub(crate) async fn post_with(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        headers: &[(HeaderName, &str)],
    ) -> Reply {
        self.try_post(path, parameters, headers).await.unwrap()
    }

    async fn try_post(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        headers: &[(HeaderName, &str)],
    ) -> reqwest::Result<Reply> {
        let mut request = self
            .http
            .post(self.emulator.url(path))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(encoded(parameters));
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        Reply::of(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.try_get(path).await.unwrap()
    }

    pub(crate) async fn try_get(&self, path: &str) -> reqwest::Result<Reply> {
        Reply::of(self.http.get(self.emulator.url(path))).await
    }

    pub(crate) async fn try_token(&self, audience: &str) -> reqwest::Result<Reply> {
        let parameters = [SERVICE_POST.as_slice(), &[("audience", audience)]].concat();
        self.try_post("/oauth2/token", &parameters, &[]).await
    }

    /// Calls the admin API with JSON.
    pub(crate) async fn admin(&self, method: &str, path: &str, body: Value) -> Reply {
        let method = method.parse().unwrap();
        let mut request = self
            .http
            .request(method, self.emulator.url(path))
            .bearer_auth(self.emulator.admin_token());
        if !body.is_null() {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        Reply::of(request).await.unwrap()
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }
}

impl Reply {
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await?;
        Ok(Self {
            status,
            headers,
            text,
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Status and `error`.
    pub(crate) fn error(&self) -> (u16, String) {
        (
            self.status.as_u16(),
            self.json()["error"].as_str().unwrap_or_default().to_owned(),
        )
    }

    /// The claims of the access token, unverified.
    pub(crate) fn claims(&self) -> Value {
        part(self.json()["access_token"].as_str().unwrap(), 1)
    }
}

pub(crate) fn encoded(parameters: &[(&str, &str)]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(parameters);
    form.finish()
}

/// A part of a compact JWS as JSON.
pub(crate) fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn http_client() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy();
    builder
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

pub(crate) const SERVICE_POST: [(&str, &str); 3] = [
    ("grant_type", "client_credentials"),
    ("client_id", sample::SERVICE),
    ("client_secret", sample::SERVICE_SECRET),
];
