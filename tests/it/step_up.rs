//! An API for which the sign-in was too weak: the person proves more, and the call is repeated.

use std::sync::{Arc, Mutex};

use intelliauth::{AuthorizationCode, Client, DeviceCode, Error, Refusal, Session, TokenRequest};
use intelliauth_emulator::{Config, Emulator, Endpoint, Fault, sample};
use url::Url;

const CALLBACK: &str = "http://127.0.0.1/callback";

/// Alice is signed in with her password, and the issuer wants more of her for the health API, once.
async fn too_weak() -> (Arc<Emulator>, Session, Error) {
    let emulator = Emulator::start(Config::sample()).await.unwrap();
    let session = Client::for_person(emulator.issuer(), sample::NATIVE)
        .build()
        .unwrap()
        .default_session();
    let login = AuthorizationCode::redirect_to(CALLBACK)
        .request(TokenRequest::new(sample::BANKING).scope("read:transactions"))
        .request(health());
    let (url, pending) = session.begin_sign_in(login).await.unwrap();
    let alice = emulator.login_as(sample::ALICE);
    let callback = alice.approve(&url).await.unwrap();
    session
        .finish_sign_in(&pending, callback.as_str())
        .await
        .unwrap();
    assert!(!has_proved_more(&emulator));

    let refused = Fault::envelope(401, "step_up_required", "prove more");
    let refused = refused.at(Endpoint::Token).audience(sample::HEALTH);
    emulator.fault(refused.times(1));
    let error = session
        .client()
        .get_access_token(health())
        .await
        .unwrap_err();
    let Error::StepUp(step_up) = &error else {
        panic!("{error}")
    };
    assert_eq!(step_up.audience().as_str(), sample::HEALTH);
    let asked = emulator.token_requests();
    session
        .client()
        .get_access_token(health())
        .await
        .unwrap_err();
    assert_eq!(emulator.token_requests(), asked, "it is remembered");
    // Nobody was signed out by it, and what needs no more goes on.
    session
        .client()
        .get_access_token(sample::BANKING)
        .await
        .unwrap();
    (Arc::new(emulator), session, error)
}

fn health() -> TokenRequest<'static> {
    TokenRequest::new(sample::HEALTH).scope("read:records")
}

/// Whether the second factor was asked for and given.
fn has_proved_more(emulator: &Emulator) -> bool {
    let audit = emulator.audit();
    audit
        .iter()
        .any(|entry| format!("{entry:?}").contains("user.mfa_succeeded"))
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    let mut pairs = url.query_pairs();
    let found = pairs.find(|(known, _)| known == name);
    found.map(|(_, value)| value.into_owned())
}

#[tokio::test]
async fn one_prompt_proves_more_and_the_call_is_repeated() {
    let (emulator, session, error) = too_weak().await;
    let (person, urls) = (Arc::clone(&emulator), Arc::new(Mutex::new(Vec::new())));
    let announced = Arc::clone(&urls);
    let login = AuthorizationCode::loopback()
        .acr_values("AAL2")
        .without_browser()
        .announce(move |url| {
            announced.lock().unwrap().push(url.clone());
            let (emulator, url) = (Arc::clone(&person), url.clone());
            tokio::spawn(async move {
                let alice = emulator.login_as(sample::ALICE);
                let callback = alice.approve(&url).await.unwrap();
                reqwest::get(callback).await.unwrap();
            });
        });
    let token = session.resolve(error, login).await.unwrap();
    assert_eq!(token.audience().as_str(), sample::HEALTH);
    assert!(has_proved_more(&emulator));
    let urls = urls.lock().unwrap().clone();
    assert_eq!(urls.len(), 1);
    // A session at the issuer must not answer for her.
    assert_eq!(parameter(&urls[0], "prompt").as_deref(), Some("login"));
    assert_eq!(parameter(&urls[0], "acr_values").as_deref(), Some("AAL2"));
    let scope = parameter(&urls[0], "scope").unwrap();
    assert!(scope.contains("read:transactions"), "{scope}");
    session
        .client()
        .get_access_token(sample::BANKING)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_was_cached_before_the_person_proved_more_is_not_handed_out_after_it() {
    let (emulator, session, error) = too_weak().await;
    let before = session
        .client()
        .get_access_token(sample::BANKING)
        .await
        .unwrap();
    let Error::StepUp(step_up) = error else {
        panic!("{error}")
    };
    let (url, pending) = step_up.authorization_url(CALLBACK).unwrap();
    let alice = emulator.login_as(sample::ALICE);
    let callback = alice.approve(&url).await.unwrap();
    session
        .finish_sign_in(&pending, callback.as_str())
        .await
        .unwrap();
    assert!(session.client().current(sample::BANKING).is_none());
    let after = session
        .client()
        .get_access_token(sample::BANKING)
        .await
        .unwrap();
    assert_ne!(before.secret(), after.secret());
}

#[tokio::test]
async fn a_web_back_end_sends_the_person_to_sign_in_anew() {
    let (emulator, session, error) = too_weak().await;
    let Error::StepUp(step_up) = error else {
        panic!("{error}")
    };
    let (url, pending) = step_up.authorization_url(CALLBACK).unwrap();
    assert_eq!(parameter(&url, "prompt").as_deref(), Some("login"));
    let alice = emulator.login_as(sample::ALICE);
    let callback = alice.approve(&url).await.unwrap();
    session
        .finish_sign_in(&pending, callback.as_str())
        .await
        .unwrap();
    session.client().get_access_token(health()).await.unwrap();
}

#[tokio::test]
async fn a_device_code_does_where_the_issuer_is_content_with_it() {
    let (emulator, session, error) = too_weak().await;
    emulator.switches(|switches| switches.device_interval = std::time::Duration::from_secs(1));
    let person = Arc::clone(&emulator);
    let login = DeviceCode::new(move |prompt| {
        let (emulator, code) = (Arc::clone(&person), prompt.user_code().to_owned());
        tokio::spawn(async move {
            let alice = emulator.login_as(sample::ALICE);
            alice.device_approve(&code).await.unwrap();
        });
    })
    .request(TokenRequest::new(sample::BANKING).scope("read:transactions"));
    let token = session.resolve(error, login).await.unwrap();
    assert_eq!(token.audience().as_str(), sample::HEALTH);
    assert_eq!(emulator.count("/oauth2/device_authorization"), 1);
}

#[tokio::test]
async fn an_api_that_wants_more_of_the_person_gets_another_token_than_the_one_it_found_too_weak() {
    let emulator = Emulator::start(Config::sample()).await.unwrap();
    let session = Client::for_person(emulator.issuer(), sample::NATIVE)
        .build()
        .unwrap()
        .default_session();
    let login = AuthorizationCode::redirect_to(CALLBACK)
        .request(TokenRequest::new(sample::BANKING).scope("read:transactions"))
        .request(health());
    let (url, pending) = session.begin_sign_in(login).await.unwrap();
    let emulator = Arc::new(emulator);
    let callback = emulator.login_as(sample::ALICE).approve(&url).await;
    session
        .finish_sign_in(&pending, callback.unwrap().as_str())
        .await
        .unwrap();
    let weak = session.client().get_access_token(health()).await.unwrap();
    let asked = emulator.token_requests();

    let mut headers = http::HeaderMap::new();
    let challenge = r#"Bearer error="insufficient_user_authentication", acr_values="AAL2""#;
    headers.insert("www-authenticate", challenge.parse().unwrap());
    let refused = Refusal::new(http::StatusCode::UNAUTHORIZED, &headers);
    let error = session.client().after_refusal(&weak, &refused).await;
    let error = error.unwrap_err();
    let Error::StepUp(step_up) = &error else {
        panic!("{error}")
    };
    assert_eq!(emulator.token_requests(), asked);
    let (url, _) = step_up.authorization_url(CALLBACK).unwrap();
    assert_eq!(parameter(&url, "acr_values").as_deref(), Some("AAL2"));
    assert_eq!(parameter(&url, "prompt").as_deref(), Some("login"));
    let scope = parameter(&url, "scope").unwrap();
    assert!(scope.contains("read:transactions"), "{scope}");

    let person = Arc::clone(&emulator);
    let login = AuthorizationCode::loopback()
        .without_browser()
        .announce(move |url| {
            let (emulator, url) = (Arc::clone(&person), url.clone());
            tokio::spawn(async move {
                let alice = emulator.login_as(sample::ALICE);
                let callback = alice.approve(&url).await.unwrap();
                reqwest::get(callback).await.unwrap();
            });
        });
    let strong = session.resolve(error.clone(), login).await.unwrap();
    assert_ne!(strong.secret(), weak.secret());
    assert!(has_proved_more(&emulator));
    // Whoever met the same refusal is answered with what the person has done already.
    let unused = AuthorizationCode::loopback().announce(|_| panic!("there was a prompt already"));
    let again = session.resolve(error, unused).await.unwrap();
    assert_eq!(again.secret(), strong.secret());
}
