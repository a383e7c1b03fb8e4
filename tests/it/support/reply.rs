//! What the token endpoint answers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, Times, matchers};

use super::TOKEN_PATH;

/// An answer of the token endpoint in the making. It grants an opaque token for an hour by default,
/// each with a text of its own (`token-1`, `token-2`, …).
pub(crate) struct TokenMock<'a> {
    server: &'a MockServer,
    parameters: Vec<(String, String)>,
    reply: Reply,
    headers: Vec<(String, String)>,
    delay: Duration,
    expected: Option<Times>,
    times: Option<u64>,
    priority: u8,
    name: String,
}

enum Reply {
    Grant(Value),
    Json(u16, Value),
    Raw(u16, Vec<u8>, String),
}

impl<'a> TokenMock<'a> {
    pub(super) fn new(server: &'a MockServer) -> Self {
        Self {
            server,
            parameters: Vec::new(),
            reply: Reply::Grant(json!({"token_type": "Bearer", "expires_in": 3600})),
            headers: Vec::new(),
            delay: Duration::ZERO,
            expected: None,
            times: None,
            priority: 5,
            name: "token endpoint".to_owned(),
        }
    }

    /// Answers only requests with this audience; goes before an answer to all.
    pub(crate) fn audience(self, audience: &str) -> Self {
        self.with_parameter("audience", audience)
    }

    /// Answers only requests with exactly these scopes.
    pub(crate) fn scope(self, scope: &str) -> Self {
        self.with_parameter("scope", scope)
    }

    /// Answers only requests with this parameter.
    pub(crate) fn with_parameter(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.to_owned(), value.to_owned()));
        self.priority = 4;
        self
    }

    /// Grants a token for this many seconds.
    pub(crate) fn grants(self, seconds: u64) -> Self {
        self.member("expires_in", json!(seconds))
    }

    /// Reports these scopes as granted.
    pub(crate) fn granting(self, scope: &str) -> Self {
        self.member("scope", json!(scope))
    }

    /// Grants this token instead of a text of its own.
    pub(crate) fn access_token(self, token: &str) -> Self {
        self.member("access_token", json!(token))
    }

    /// Sets a member of the answer; `null` leaves it out.
    pub(crate) fn member(mut self, name: &str, value: Value) -> Self {
        if let Reply::Grant(Value::Object(members)) | Reply::Json(_, Value::Object(members)) =
            &mut self.reply
        {
            if value.is_null() {
                members.remove(name);
            } else {
                members.insert(name.to_owned(), value);
            }
        }
        self
    }

    /// Refuses with an OAuth error code.
    pub(crate) fn refuses(self, status: u16, code: &str) -> Self {
        self.json(status, json!({"error": code}))
    }

    /// Answers with this JSON.
    pub(crate) fn json(mut self, status: u16, body: Value) -> Self {
        self.reply = Reply::Json(status, body);
        self
    }

    /// Answers with these bytes.
    pub(crate) fn raw(mut self, status: u16, body: impl Into<Vec<u8>>, content_type: &str) -> Self {
        self.reply = Reply::Raw(status, body.into(), content_type.to_owned());
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Answers only after this time.
    pub(crate) fn delayed(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// How many requests must have come by the end of the test.
    pub(crate) fn expect(mut self, times: impl Into<Times>) -> Self {
        self.expected = Some(times.into());
        self
    }

    /// Answers this many requests, and goes before those mounted later.
    pub(crate) fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    pub(crate) fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    pub(crate) async fn mount(self) {
        let mut mock = Mock::given(matchers::method("POST")).and(matchers::path(TOKEN_PATH));
        for (name, value) in &self.parameters {
            let (name, value) = (name.clone(), value.clone());
            mock = mock.and(move |request: &Request| {
                url::form_urlencoded::parse(&request.body).any(|(n, v)| n == name && v == value)
            });
        }
        let issued = Arc::new(AtomicU64::new(0));
        let (reply, headers, delay) = (self.reply, self.headers, self.delay);
        let respond = move |_: &Request| {
            let mut template = match &reply {
                Reply::Grant(members) => {
                    let mut members = members.clone();
                    let number = issued.fetch_add(1, Ordering::SeqCst) + 1;
                    if members.get("access_token").is_none() {
                        members["access_token"] = json!(format!("token-{number}"));
                    }
                    ResponseTemplate::new(200).set_body_json(members)
                }
                Reply::Json(status, body) => ResponseTemplate::new(*status).set_body_json(body),
                Reply::Raw(status, body, content_type) => {
                    ResponseTemplate::new(*status).set_body_raw(body.clone(), content_type)
                }
            };
            for (name, value) in &headers {
                template = template.append_header(name.as_str(), value.as_str());
            }
            template.set_delay(delay)
        };
        let mut mock = mock
            .respond_with(respond)
            .with_priority(self.priority)
            .named(self.name);
        if let Some(times) = self.times {
            mock = mock.up_to_n_times(times);
        }
        if let Some(expected) = self.expected {
            mock = mock.expect(expected);
        }
        mock.mount(self.server).await;
    }
}
