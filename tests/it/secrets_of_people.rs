//! No secret of a person's session in a log, an error or a `Debug`, whatever happens to it.

use std::{error::Error as StdError, fmt::Write as _, time::Duration};

use intelliauth::{
    AuthorizationCode, Client, Error, MemoryStore, SessionKey, SessionStore, TokenRequest,
};
use intelliauth_emulator::{Config, Emulator, sample};
use serde_json::{Value, json};

use crate::support::{
    CLIENT_ID, Server,
    leak::{Leaks, Recorder},
    person::{self, BANKING, HEALTH, REDIRECT},
};

const CODE: &str = "hushed-code/a+b=c~";
const ACCESS: &str = "hushed-person-access/a+b=c~";
const REFRESH: &str = "hushed-refresh/a+b=c~\"";
const ROTATED: &str = "hushed-rotated/a+b=c~\"";

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

/// An answer that repeats every secret wherever an error object has a text.
fn echo() -> Value {
    let all = format!("{CODE} {ACCESS} {REFRESH} {ROTATED}");
    json!({"error": "invalid_grant", "error_description": all, "message": all, "details": {REFRESH: all}})
}

#[tokio::test]
async fn no_outcome_of_a_persons_session_shows_a_secret() {
    let recorder = Recorder::running();
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let session = server
        .person()
        .store(store.clone())
        .build()
        .unwrap()
        .default_session();
    let login = AuthorizationCode::redirect_to(REDIRECT)
        .request(TokenRequest::new(BANKING).scope("read"))
        .request(HEALTH);
    let (url, pending) = session.begin_sign_in(login).await.unwrap();
    let kept: Value = serde_json::to_value(&pending).unwrap();
    let verifier = kept["verifier"].as_str().unwrap().to_owned();
    let leaks = Leaks::of(&[CODE, ACCESS, REFRESH, ROTATED, &verifier]);
    let mut text = format!("{pending:?} {pending:#?} {session:?} {store:?} {url}");
    server
        .token()
        .with_parameter("code", CODE)
        .access_token(ACCESS)
        .member("refresh_token", json!(REFRESH))
        .grants(1)
        .mount()
        .await;
    server
        .refresh(REFRESH)
        .raw(503, format!("<p>{REFRESH}</p>"), "text/html")
        .times(1)
        .mount()
        .await;
    server
        .refresh(REFRESH)
        .access_token(ACCESS)
        .member("refresh_token", json!(ROTATED))
        .times(1)
        .mount()
        .await;
    server
        .refresh(ROTATED)
        .raw(
            200,
            format!("{{\"refresh_token\": \"{ROTATED}"),
            "application/json",
        )
        .times(1)
        .mount()
        .await;
    server.refresh(ROTATED).json(400, echo()).mount().await;

    let encoded: String = url::form_urlencoded::byte_serialize(CODE.as_bytes()).collect();
    let wrong = format!("{REDIRECT}?code={encoded}&state=another");
    let error = session.finish_sign_in(&pending, &wrong).await.unwrap_err();
    text.push_str(&shown(&error));
    let account = session
        .finish_sign_in(&pending, &person::callback(&url, &encoded))
        .await
        .unwrap();
    write!(text, "{account:?}").unwrap();
    let key = SessionKey::new(server.issuer(), CLIENT_ID, "default");
    let record = store.load(&key).await.unwrap().unwrap();
    write!(text, "{record:?} {key:?}").unwrap();
    let written = String::from_utf8_lossy(record.as_bytes()).into_owned();
    assert!(leaks.find(&written).is_some(), "the search works");
    for audience in [BANKING, BANKING, HEALTH, HEALTH, HEALTH] {
        server.advance(100.0);
        match session.client().get_access_token(audience).await {
            Ok(token) => write!(text, "{token:?}").unwrap(),
            Err(error) => text.push_str(&shown(&error)),
        }
    }
    session.sign_out().await.unwrap();
    session.client().close().await.unwrap();
    leaks.refuse("an outcome", &text);
    for line in recorder.lines() {
        leaks.refuse("a log line", &line);
    }
}

#[tokio::test]
async fn a_whole_life_at_the_emulator_logs_no_secret() {
    let recorder = Recorder::running();
    let emulator = Emulator::start(Config::sample()).await.unwrap();
    let store = MemoryStore::new();
    let session = Client::for_person(emulator.issuer(), sample::NATIVE)
        .store(store.clone())
        .build()
        .unwrap()
        .default_session();
    let login = AuthorizationCode::redirect_to("http://127.0.0.1/callback")
        .request(TokenRequest::new(sample::BANKING).scope("read:transactions"))
        .request(TokenRequest::new(sample::HEALTH).scope("read:records"));
    let (url, pending) = session.begin_sign_in(login).await.unwrap();
    let kept: Value = serde_json::to_value(&pending).unwrap();
    let callback = emulator
        .login_as(sample::ALICE)
        .approve(&url)
        .await
        .unwrap();
    let code = callback
        .query_pairs()
        .find(|(name, _)| name == "code")
        .map(|(_, value)| value.into_owned())
        .unwrap();
    session
        .finish_sign_in(&pending, callback.as_str())
        .await
        .unwrap();
    let key = SessionKey::new(emulator.issuer(), sample::NATIVE, "default");
    let mut secrets = vec![code, kept["verifier"].as_str().unwrap().to_owned()];
    for _ in 0..2 {
        let token = session
            .client()
            .get_access_token(sample::HEALTH)
            .await
            .unwrap();
        secrets.push(token.secret().to_owned());
        let record = store.load(&key).await.unwrap().unwrap();
        let record: Value = serde_json::from_slice(record.as_bytes()).unwrap();
        let refresh_token = record["signed_in"]["families"][0]["refresh_token"].as_str();
        secrets.push(refresh_token.unwrap().to_owned());
        let _ = session.client().after_unauthorized(&token).await;
    }
    let asked = TokenRequest::new(sample::SETTINGS).scope("write:settings");
    session.client().get_access_token(asked).await.unwrap_err();
    session.sign_out().await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), session.client().close())
        .await
        .unwrap()
        .unwrap();
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let leaks = Leaks::of(&secrets);
    for line in recorder.lines() {
        leaks.refuse("a log line", &line);
    }
    let arguments = std::env::args().collect::<Vec<_>>().join(" ");
    leaks.refuse("the process's arguments", &arguments);
}
