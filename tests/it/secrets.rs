//! No secret in a log, an error or a `Debug`, in any form in which it could have got there.

use std::{
    error::Error as StdError,
    fmt::{Debug, Write as _},
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use intelliauth::{
    AudienceParameter, CacheMode, Client, ClientAuthentication, ClientBuilder, Error, Flow,
    FlowContext, Scopes, Secret, SignIn, TokenRequest, TokenResponse,
};
use serde_json::{Value, json};

use crate::support::{
    CLIENT_ID, Server,
    device::noted,
    jwt,
    leak::{Leaks, Recorder},
    raw::{RawServer, answer},
};

/// With every character that an encoding changes.
const CLIENT_SECRET: &str = r#"hushed "client" secret: a+b%c&d=e/f\g~é"#;
/// Looks like an error code, and like nothing that an encoding changes.
const PLAIN_SECRET: &str = "hushed_client_secret";
const ACCESS_TOKEN: &str = r#"hushed-access-token/"a+b=\c~"#;
const ASSERTION: &str = r#"hushed "assertion" /\ a+b%c"#;
const DEVICE_CODE: &str = r#"hushed "device code" /\ a+b%c"#;
const USER_CODE: &str = "HUSH-MJHT";
const REFRESH_TOKEN: &str = r#"hushed-refresh-token/"a+b=\c~"#;
const PARAMETER: &str = "hushed parameter of a request";

fn secrets() -> Leaks {
    Leaks::of(&[
        CLIENT_SECRET,
        PLAIN_SECRET,
        ACCESS_TOKEN,
        ASSERTION,
        PARAMETER,
    ])
}

/// Presents an assertion, and notes how all that it holds shows itself.
#[derive(Clone, Debug)]
struct Assertion {
    value: Secret,
    shown: Arc<Mutex<String>>,
}

impl Assertion {
    fn new() -> Self {
        Self {
            value: Secret::from(ASSERTION),
            shown: Arc::default(),
        }
    }
}

impl Flow for Assertion {
    async fn acquire(&self, cx: FlowContext<'_>) -> Result<TokenResponse, Error> {
        let grant = cx
            .extension_grant("urn:ietf:params:oauth:grant-type:jwt-bearer")
            .parameter("plain", ASSERTION)
            .secret_parameter("assertion", self.value.clone())
            .can_be_repeated();
        let before = format!("{cx:?} {grant:?} {cx:#?} {grant:#?}");
        let response = grant.send().await;
        *self.shown.lock().unwrap() = format!("{before} {response:?} {response:#?}");
        response
    }
}

fn client_of(server: &Server, secret: &str) -> ClientBuilder {
    Client::for_application(server.issuer(), CLIENT_ID)
        .client_secret(secret)
        .clock(server.clock.clone())
        .retries(1)
}

/// All that an error shows, its causes included.
fn shown(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?} {}", error.next_move());
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(text, " {error} {error:?} {error:#?}").unwrap();
        cause = error.source();
    }
    text
}

/// A body that repeats `secret` wherever an error object has a text.
fn echo(secret: &str) -> Value {
    json!({
        "error": secret, "error_description": secret, "error_uri": secret, "code": secret,
        "message": secret, "details": {secret: secret, "retry_after_s": secret},
        "request_id": secret, "type": format!("https://tenant.example/problems/{secret}"),
        "title": secret, "detail": secret, "instance": secret, "scope": secret,
        "token_type": secret, "expires_in": secret, secret: secret,
    })
}

#[test]
fn the_search_finds_every_form() {
    let leaks = Leaks::of(&[CLIENT_SECRET]);
    let bytes = CLIENT_SECRET.as_bytes();
    let form_encoded: String = url::form_urlencoded::byte_serialize(bytes).collect();
    let (mut hex, mut percent) = (String::new(), String::new());
    for byte in bytes {
        write!(hex, "{byte:02x}").unwrap();
        write!(percent, "%{byte:02X}").unwrap();
    }
    for written in [
        CLIENT_SECRET.to_owned(),
        form_encoded.clone(),
        form_encoded.replace('+', "%20"),
        percent,
        hex,
        format!("{bytes:?}"),
        format!("{CLIENT_SECRET:?}"),
        format!("{:?}", Some(CLIENT_SECRET.to_owned())),
        format!("{:?}", json!({"a": CLIENT_SECRET}).to_string()),
        json!({"a": [CLIENT_SECRET]}).to_string(),
        STANDARD.encode(CLIENT_SECRET),
        URL_SAFE_NO_PAD.encode(CLIENT_SECRET),
        STANDARD.encode(format!("app:{form_encoded}")),
    ] {
        let text = format!("some {written} text");
        assert!(leaks.find(&text).is_some(), "not found in {text}");
    }
    for before in ["", "a", "ab", "abc"] {
        for after in ["", "x", "xy", "xyz"] {
            let whole = format!("{before}{CLIENT_SECRET}{after}");
            assert!(leaks.find(&STANDARD.encode(&whole)).is_some());
            assert!(leaks.find(&URL_SAFE_NO_PAD.encode(&whole)).is_some());
        }
    }
    assert_eq!(leaks.find("hushed client secret"), None);
}

#[tokio::test]
async fn the_recorder_hears_everybody() {
    let recorder = Recorder::running();
    let leak = "hushed words of this very test";
    let leaks = Leaks::of(&[leak]);
    std::thread::spawn(move || {
        let _span = tracing::trace_span!("span", field = leak).entered();
        tracing::trace!(field = STANDARD.encode(leak), "event");
    })
    .join()
    .unwrap();
    let found = recorder.lines();
    let found = found.iter().filter(|line| leaks.find(line).is_some());
    assert_eq!(found.count(), 2);

    // Also what goes to the `log` crate, by way of the HTTP client and of what stands under it.
    let server = Server::start().await;
    server.token().grants(300).mount().await;
    let client = server.client().build().unwrap();
    client.get_access_token("api").await.unwrap();
    for source in ["reqwest", "hyper_util", "intelliauth"] {
        assert!(recorder.count(source, "") > 0, "nothing from {source}");
    }
}

/// Everything that happens in a client's life: answers of every kind, cached, refreshed, lost.
async fn live(client: ClientBuilder, server: &Server) -> String {
    let client = client.build().unwrap();
    let mut seen = format!("{client:?} {client:#?}");
    for audience in ["refused", "in trouble", "torn", "echo", "wrong type"] {
        let error = client.get_access_token(audience).await.unwrap_err();
        seen.push_str(&shown(&error));
    }
    let request = TokenRequest::new("api")
        .scope("read")
        .parameter("x", PARAMETER);
    let token = client.get_access_token(&request).await.unwrap();
    assert_eq!(token.secret(), ACCESS_TOKEN);
    let handle = client.audience(&request);
    let borrowed = handle.current().unwrap();
    let header = token.header_value().clone();
    write!(
        seen,
        "{request:?} {request:#?} {token:?} {token:#?} {handle:?} {handle:#?} {header:?} \
         {borrowed:?} {borrowed:#?} {:?}",
        borrowed.header_value()
    )
    .unwrap();
    drop(borrowed);
    server.advance(215.0);
    client.get_access_token(&request).await.unwrap();
    client.close().await.unwrap();
    let forced = TokenRequest::from(&request).cache_mode(CacheMode::Refresh);
    let token = client.get_access_token(forced).await.unwrap();
    let next = client.after_unauthorized(&token).await.unwrap();
    let error = client.after_unauthorized(&next).await.unwrap_err();
    seen.push_str(&shown(&error));
    client.clear("api");
    seen
}

#[tokio::test]
async fn no_log_line_and_no_debug_of_a_whole_life_shows_a_secret() {
    let recorder = Recorder::running();
    let leaks = secrets();
    let methods = [
        ClientAuthentication::Basic,
        ClientAuthentication::BasicRaw,
        ClientAuthentication::Post,
    ];
    for method in methods {
        for with_flow in [false, true] {
            let server = Server::start().await;
            mount_life(&server).await;
            let flow = Assertion::new();
            let shows = Arc::clone(&flow.shown);
            let client = if with_flow {
                Client::builder(server.issuer(), CLIENT_ID, flow)
                    .client_secret(CLIENT_SECRET)
                    .clock(server.clock.clone())
                    .retries(1)
            } else {
                client_of(&server, CLIENT_SECRET)
            };
            let client = client.client_authentication(method);
            let mut seen = format!("{client:?} {client:#?}");
            seen.push_str(&live(client, &server).await);
            seen.push_str(&shows.lock().unwrap());
            leaks.refuse("a Debug or an error", &seen);
        }
    }
    let lines = recorder.lines();
    assert!(lines.iter().any(|line| line.contains("intelliauth")));
    for line in lines {
        leaks.refuse("a log line", &line);
    }
}

async fn mount_life(server: &Server) {
    let granted = |name: &str, value: Value| {
        let mut body = json!({"access_token": ACCESS_TOKEN, "token_type": "Bearer"});
        body[name] = value;
        body
    };
    let torn = json!({"access_token": ACCESS_TOKEN}).to_string();
    let refused = server.token().audience("refused");
    let mut body = echo(CLIENT_SECRET);
    body["error"] = json!("invalid_scope");
    refused.json(400, body).mount().await;
    let trouble = server.token().audience("in trouble");
    trouble.json(503, echo(ASSERTION)).mount().await;
    let broken = server.token().audience("torn");
    let broken = broken.raw(200, &torn[..torn.len() - 1], "application/json");
    broken.mount().await;
    let echoed = server.token().audience("echo");
    echoed.json(400, echo(ACCESS_TOKEN)).mount().await;
    let odd = server.token().audience("wrong type");
    let body = granted("token_type", json!(CLIENT_SECRET));
    odd.json(200, body).mount().await;
    let good = server.token().audience("api");
    good.json(200, granted("expires_in", json!(300)))
        .mount()
        .await;
}

#[tokio::test]
async fn no_error_shows_what_an_issuer_echoes() {
    let leaks = secrets();
    let server = Server::start().await;
    let client = client_of(&server, PLAIN_SECRET).retries(0).build().unwrap();
    let codes = [
        None,
        Some("invalid_request"),
        Some("invalid_client"),
        Some("invalid_grant"),
        Some("invalid_scope"),
        Some("consent_required"),
        Some("step_up_required"),
        Some("server_error"),
        Some("not_found"),
    ];
    for secret in [CLIENT_SECRET, PLAIN_SECRET, ACCESS_TOKEN, ASSERTION] {
        for status in [200, 302, 400, 401, 403, 429, 500] {
            for code in codes {
                let mut body = echo(secret);
                if let Some(code) = code {
                    body["error"] = json!(code);
                }
                let audience = format!("{} {status} {code:?}", secret.len());
                let reply = server.token().audience(&audience).json(status, body);
                reply.mount().await;
                let request = TokenRequest::new(audience.as_str()).scope("read");
                let error = client.get_access_token(request).await.unwrap_err();
                leaks.refuse(&audience, &shown(&error));
            }
        }
    }
}

#[tokio::test]
async fn no_error_shows_a_token_that_was_not_taken() {
    let leaks = secrets();
    let other = jwt(&json!({"aud": "other", "sub": ACCESS_TOKEN}));
    let signed = Leaks::of(&[&other]);
    let quoted = json!(ACCESS_TOKEN).to_string();
    let server = Server::start().await;
    let client = client_of(&server, CLIENT_SECRET).build().unwrap();
    let bodies = [
        ACCESS_TOKEN.to_owned(),
        quoted.clone(),
        format!("[{quoted}]"),
        format!("<html>{ACCESS_TOKEN}</html>"),
        format!(r#"{{"access_token":{quoted}"#),
        format!(r#"{{"access_token":{quoted},"token_type":"mac"}}"#),
        format!(r#"{{"access_token":{quoted},"token_type":{quoted}}}"#),
        format!(r#"{{"access_token":{quoted},"expires_in":0}}"#),
        format!(r#"{{"access_token":{quoted},"expires_in":{quoted}}}"#),
        format!(r#"{{"access_token":[{quoted}]}}"#),
        format!(r#"{{"access-token":{quoted}}}"#),
        json!({"access_token": format!("{ACCESS_TOKEN}\n")}).to_string(),
        json!({"access_token": other}).to_string(),
        format!(
            r#"{{"access_token":{quoted},"more":"{}"}}"#,
            "x".repeat(65_536)
        ),
    ];
    for (number, body) in bodies.into_iter().enumerate() {
        let audience = format!("body {number}");
        let reply = server.token().audience(&audience);
        reply.raw(200, body, "application/json").mount().await;
        let error = client.get_access_token(&audience).await.unwrap_err();
        leaks.refuse(&audience, &shown(&error));
        signed.refuse(&audience, &shown(&error));
    }
}

#[tokio::test]
async fn no_cause_of_a_lost_answer_shows_what_it_held() {
    let leaks = secrets();
    let body = json!({"access_token": ACCESS_TOKEN}).to_string();
    for bytes in [
        String::new(),
        format!("HTTP/1.1 200 {ACCESS_TOKEN}\r\n{ACCESS_TOKEN}\r\n\r\n"),
        format!("{ACCESS_TOKEN}\r\n\r\n"),
        answer("200 OK", "", &body, body.len() + 9),
        answer("200 OK", "Content-Encoding: br\r\n", &body, 5),
    ] {
        let server = RawServer::answering(bytes.clone()).await;
        let client = Client::for_application(server.url(), CLIENT_ID)
            .client_secret(CLIENT_SECRET)
            .client_authentication(ClientAuthentication::Post)
            .token_endpoint(format!("{}/?key={PLAIN_SECRET}", server.url()))
            .retries(0)
            .build()
            .unwrap();
        let error = client.get_access_token("api").await.unwrap_err();
        leaks.refuse(&bytes, &shown(&error));
    }
}

/// Answers a device code, refuses with all of its secrets, and then grants or denies.
async fn mount_device(server: &Server, last: &str) {
    let page = format!("{}?code={USER_CODE}", server.url("/device"));
    let codes = json!({
        "device_code": DEVICE_CODE, "user_code": USER_CODE, "interval": 0,
        "verification_uri": server.url("/device"), "verification_uri_complete": page,
    });
    server.device(200, codes).await;
    for code in ["authorization_pending", "server_error"] {
        let mut body = echo(DEVICE_CODE);
        body["error"] = json!(code);
        server.token().json(400, body).times(1).mount().await;
    }
    let torn = json!({"access_token": ACCESS_TOKEN}).to_string();
    let torn = server.token().raw(200, &torn[1..], "application/json");
    torn.times(1).mount().await;
    let mut body = echo(USER_CODE);
    body["error"] = json!(last);
    let end = server.token();
    let end = if last.is_empty() {
        end.access_token(ACCESS_TOKEN)
            .member("refresh_token", json!(REFRESH_TOKEN))
    } else {
        end.json(400, body)
    };
    end.mount().await;
}

#[tokio::test]
async fn a_sign_in_by_device_code_shows_neither_code_nor_token() {
    let recorder = Recorder::running();
    let leaks = Leaks::of(&[DEVICE_CODE, USER_CODE, ACCESS_TOKEN, REFRESH_TOKEN]);
    for last in ["", "access_denied", "expired_token", "invalid_grant"] {
        let server = Server::with_device_codes().await;
        mount_device(&server, last).await;
        let session = server.person().build().unwrap().default_session();
        let (login, prompts) = noted();
        let login = login.request(TokenRequest::new("api").scope("read"));
        let mut seen = format!("{login:?} {login:#?} {:?}", SignIn::from(login.clone()));
        match session.sign_in(login).await {
            Ok(account) => write!(seen, "{account:?} {session:?}").unwrap(),
            Err(error) => seen.push_str(&shown(&error)),
        }
        let prompts = prompts.lock().unwrap();
        assert_eq!(prompts[0].code, USER_CODE);
        seen.push_str(&prompts[0].debug);
        leaks.refuse("a Debug or an error", &seen);
    }
    let lines = recorder.lines();
    assert!(lines.iter().any(|line| line.contains("device code poll")));
    for line in lines {
        leaks.refuse("a log line", &line);
    }
}

#[test]
fn no_build_error_shows_a_secret() {
    let leaks = secrets();
    let builder =
        |issuer: &str| Client::for_application(issuer, CLIENT_ID).client_secret(CLIENT_SECRET);
    let issuer = "https://tenant.example";
    let proxy = |address: &str| builder(issuer).proxy(address);
    for builder in [
        builder("tenant"),
        builder(&format!("https://user:{PLAIN_SECRET}@tenant.example")),
        builder(&format!("http://user:{PLAIN_SECRET}@tenant.example")),
        builder(&format!("https://user:{PLAIN_SECRET}@ten ant.example")),
        builder(issuer).token_endpoint(format!("http://user:{PLAIN_SECRET}@tenant.example")),
        builder(issuer).token_endpoint(format!("https://user:{PLAIN_SECRET}@ten ant")),
        proxy(&format!("http://user:{PLAIN_SECRET}@")),
        proxy(&format!("http://user:{PLAIN_SECRET}@pro xy:80")),
        proxy(&format!("http://user:{PLAIN_SECRET}@proxy:port")),
        builder(issuer).root_certificate(format!("-----BEGIN {PLAIN_SECRET}")),
        builder(issuer).cache_capacity(0),
    ] {
        let text = format!("{builder:?} {builder:#?}");
        leaks.refuse("a builder", &text);
        let error = builder.build().unwrap_err();
        leaks.refuse("a build error", &format!("{error} {error:?} {error:#?}"));
    }
}

#[test]
fn what_holds_a_secret_hides_it() {
    let leaks = secrets();
    let response = TokenResponse::new(ACCESS_TOKEN)
        .lifetime(Duration::from_secs(60))
        .scopes(Scopes::none());
    let holders: [&dyn Debug; 5] = [
        &Secret::from(CLIENT_SECRET),
        &Some(Secret::new(CLIENT_SECRET)),
        &response,
        &Assertion::new(),
        &AudienceParameter::Both,
    ];
    for holder in holders {
        leaks.refuse("a holder", &format!("{holder:?} {holder:#?}"));
    }
}

#[tokio::test]
async fn claims_show_their_names_and_the_token_nothing_of_them() {
    let token = jwt(&json!({"aud": "api", "email": PARAMETER}));
    let leaks = Leaks::of(&[&token, PARAMETER]);
    let server = Server::start().await;
    server.token().access_token(&token).mount().await;
    let client = server.client().build().unwrap();
    let token = client.get_access_token("api").await.unwrap();
    let claims = token.danger_unverified_claims().unwrap();
    let text = format!("{token:?} {claims:?} {claims:#?}");
    assert!(text.contains("email"));
    leaks.refuse("a token or its claims", &text);
}
