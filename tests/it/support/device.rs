//! The device code endpoints of the mock issuer, and a person who is shown a code.

use std::sync::{Arc, Mutex};

use intelliauth::DeviceCode;
use serde_json::{Value, json};
use wiremock::{Mock, Request, ResponseTemplate, matchers};

use super::{DISCOVERY_PATH, Seen, Server, TokenMock};

pub(crate) const DEVICE_PATH: &str = "/oauth2/device_authorization";
pub(crate) const DEVICE_CODE: &str = "the-device-code";
pub(crate) const USER_CODE: &str = "WDJB-MJHT";
pub(crate) const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

impl Server {
    /// A server whose metadata names a device authorization endpoint; nothing answers there yet.
    pub(crate) async fn with_device_codes() -> Self {
        let server = Self::bare().await;
        let mut document = server.metadata();
        document["device_authorization_endpoint"] = json!(server.url(DEVICE_PATH));
        server.json(DISCOVERY_PATH, 200, &document).await;
        server
    }

    /// The usual answer to a device authorization request, as a value to change. Its `interval` of 0
    /// keeps tests fast.
    pub(crate) fn device_codes(&self) -> Value {
        let page = self.url("/device");
        json!({
            "device_code": DEVICE_CODE,
            "user_code": USER_CODE,
            "verification_uri": page,
            "verification_uri_complete": format!("{page}?user_code={USER_CODE}"),
            "expires_in": 600,
            "interval": 0,
        })
    }

    /// Answers device authorization requests with this.
    pub(crate) async fn device(&self, status: u16, body: Value) {
        self.device_reply(ResponseTemplate::new(status).set_body_json(body))
            .await;
    }

    pub(crate) async fn device_reply(&self, reply: ResponseTemplate) {
        Mock::given(matchers::method("POST"))
            .and(matchers::path(DEVICE_PATH))
            .respond_with(reply)
            .mount(&self.mock)
            .await;
    }

    /// What is answered to a poll with the usual device code.
    pub(crate) fn poll(&self) -> TokenMock<'_> {
        self.token()
            .with_parameter("grant_type", DEVICE_GRANT)
            .with_parameter("device_code", DEVICE_CODE)
    }

    /// The person says yes: there is a token at the next poll.
    pub(crate) async fn approves(&self) {
        self.poll()
            .member("refresh_token", json!("R0"))
            .access_token("from the device")
            .expect(1)
            .named("the poll that succeeds")
            .mount()
            .await;
    }

    /// The device authorization requests, in their order.
    pub(crate) async fn device_requests(&self) -> Vec<Seen> {
        let requests = self.mock.received_requests().await.unwrap_or_default();
        let there = |request: &&Request| request.url.path() == DEVICE_PATH;
        requests.iter().filter(there).map(Seen::read).collect()
    }
}

/// What a person was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) page: String,
    pub(crate) complete: Option<String>,
    pub(crate) code: String,
    pub(crate) seconds: u64,
    pub(crate) debug: String,
}

/// A sign-in whose prompts are noted.
pub(crate) fn noted() -> (DeviceCode, Arc<Mutex<Vec<Shown>>>) {
    let prompts: Arc<Mutex<Vec<Shown>>> = Arc::default();
    let notes = Arc::clone(&prompts);
    let login = DeviceCode::new(move |prompt| {
        notes.lock().unwrap().push(Shown {
            page: prompt.verification_uri().to_owned(),
            complete: prompt.verification_uri_complete().map(str::to_owned),
            code: prompt.user_code().to_owned(),
            seconds: prompt.expires_in().as_secs(),
            debug: format!("{prompt:?} {prompt:#?}"),
        });
    });
    (login, prompts)
}
