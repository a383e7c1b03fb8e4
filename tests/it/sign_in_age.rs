//! `max_age`: the answer shows that the person signed in recently, or the sign-in is refused.

use std::time::Duration;

use intelliauth::{Account, AuthorizationCode, Client, Error, Session, Violation};
use intelliauth_emulator::{Config, Emulator, Endpoint, Fault, sample};
use serde_json::{Value, json};

use crate::support::{
    Server,
    person::{BANKING, REDIRECT, callback},
};

const MINUTE: Duration = Duration::from_secs(60);

fn is_about_the_age(outcome: Result<Account, Error>) -> bool {
    let error = outcome.unwrap_err();
    let Error::Protocol(violation) = &error else {
        panic!("{error}")
    };
    assert!(error.to_string().contains("max_age"), "{error}");
    assert!(error.next_move().contains("Prompt::Login"), "{error}");
    matches!(violation.violation(), Violation::SignInAge(_))
}

#[tokio::test]
async fn an_answer_without_an_id_token_keeps_to_no_maximum_age() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server
        .token()
        .member("refresh_token", json!("R0"))
        .mount()
        .await;
    let login = || AuthorizationCode::redirect_to(REDIRECT).request(BANKING);
    for max_age in [MINUTE, Duration::ZERO] {
        let (url, pending) = session
            .begin_sign_in(login().max_age(max_age))
            .await
            .unwrap();
        let outcome = session
            .finish_sign_in(&pending, &callback(&url, "code"))
            .await;
        assert!(is_about_the_age(outcome));
        assert_eq!(session.account().await.unwrap(), None);
    }
    // Without one there is nothing to tell.
    let (url, pending) = session.begin_sign_in(login()).await.unwrap();
    let callback = callback(&url, "code");
    session.finish_sign_in(&pending, &callback).await.unwrap();
}

/// Alice signs in at an emulator that tells this as the time at which she did.
async fn signs_in(auth_time: Option<Value>) -> (Session, Result<Account, Error>) {
    let emulator = Emulator::start(Config::sample()).await.unwrap();
    if let Some(auth_time) = auth_time {
        let fault = Fault::id_token_claim("auth_time", auth_time).at(Endpoint::Token);
        emulator.fault(fault.times(1));
    }
    let session = Client::for_person(emulator.issuer(), sample::NATIVE)
        .build()
        .unwrap()
        .default_session();
    let login = AuthorizationCode::redirect_to("http://127.0.0.1/callback")
        .request(sample::BANKING)
        .max_age(MINUTE * 60);
    let (url, pending) = session.begin_sign_in(login).await.unwrap();
    let alice = emulator.login_as(sample::ALICE);
    let callback = alice.approve(&url).await.unwrap();
    let outcome = session.finish_sign_in(&pending, callback.as_str()).await;
    (session, outcome)
}

#[tokio::test]
async fn an_id_token_has_to_say_that_the_person_signed_in_recently() {
    for auth_time in [json!(1_700_000_000), Value::Null] {
        let (session, outcome) = signs_in(Some(auth_time)).await;
        assert!(is_about_the_age(outcome));
        assert_eq!(session.account().await.unwrap(), None);
    }
    let (_client, outcome) = signs_in(None).await;
    assert_eq!(outcome.unwrap().subject(), Some(sample::ALICE));
}
