//! People at the emulator: the whole way from a sign-in to a token for each API, with real pages.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use intelliauth::{
    AuthorizationCode, Client, DeviceCode, Error, MemoryStore, PendingLogin, People, Session,
    Source, TokenRequest, Violation,
};
use intelliauth_emulator::{Config, Emulator, Endpoint, Fault, sample};
use url::Url;

const CALLBACK: &str = "http://127.0.0.1/callback";

fn people(emulator: &Emulator) -> People {
    Client::for_person(emulator.issuer(), sample::NATIVE)
        .build()
        .unwrap()
}

fn session(emulator: &Emulator) -> Session {
    people(emulator).default_session()
}

fn both() -> AuthorizationCode {
    AuthorizationCode::redirect_to(CALLBACK)
        .request(banking())
        .request(TokenRequest::new(sample::HEALTH).scope("read:records"))
}

fn banking() -> TokenRequest<'static> {
    TokenRequest::new(sample::BANKING).scope("read:transactions")
}

async fn sign_in(emulator: &Emulator, session: &Session, login: AuthorizationCode) {
    let (url, pending) = session.begin_sign_in(login).await.unwrap();
    let callback = emulator
        .login_as(sample::ALICE)
        .approve(&url)
        .await
        .unwrap();
    session
        .finish_sign_in(&pending, callback.as_str())
        .await
        .unwrap();
}

#[tokio::test]
async fn one_sign_in_yields_a_token_for_each_api() {
    let emulator = Emulator::start(Config::sample()).await.unwrap();
    let session = session(&emulator);
    sign_in(&emulator, &session, both()).await;
    let account = session.account().await.unwrap().unwrap();
    assert_eq!(account.subject(), Some(sample::ALICE));
    let banking = session.client().get_access_token(banking()).await.unwrap();
    let health = session
        .client()
        .get_access_token(sample::HEALTH)
        .await
        .unwrap();
    assert_eq!(banking.audience().as_str(), sample::BANKING);
    assert_eq!(health.audience().as_str(), sample::HEALTH);
    assert!(banking.audience_is_checked() && health.audience_is_checked());
    assert_eq!(
        emulator.token_requests(),
        2,
        "the code brought the first token, one refresh the second"
    );
    let metadata = emulator.count("/.well-known/openid-configuration");
    assert_eq!(metadata, 1, "endpoints and keys are found in one read");
}

#[tokio::test]
async fn what_was_never_consented_to_is_asked_for_and_then_works() {
    let emulator = Emulator::start(Config::sample()).await.unwrap();
    let session = session(&emulator);
    sign_in(&emulator, &session, both()).await;
    let settings = TokenRequest::new(sample::SETTINGS).scope("write:settings");
    let error = session
        .client()
        .get_access_token(&settings)
        .await
        .unwrap_err();
    let Error::Consent(consent) = error else {
        panic!("{error}")
    };
    assert_eq!(consent.audience().as_str(), sample::SETTINGS);
    assert_eq!(consent.missing().to_string(), "write:settings");

    let (url, pending) = consent.authorization_url(CALLBACK).unwrap();
    let alice = emulator.login_as(sample::ALICE);
    let callback = alice.approve(&url).await.unwrap();
    let account = session
        .finish_sign_in(&pending, callback.as_str())
        .await
        .unwrap();
    assert_eq!(account.subject(), Some(sample::ALICE));
    // At once and at the same key, although the failure was remembered.
    let token = session.client().get_access_token(&settings).await.unwrap();
    assert!(token.scopes().contains("write:settings"));
    // And what was consented to before is still covered.
    session
        .client()
        .get_access_token(sample::HEALTH)
        .await
        .unwrap();
}

#[tokio::test]
async fn denied_consent_is_an_outcome_of_its_own() {
    let emulator = Emulator::start(Config::sample()).await.unwrap();
    let session = session(&emulator);
    let (url, pending) = session.begin_sign_in(both()).await.unwrap();
    let alice = emulator.login_as(sample::ALICE);
    let callback = alice.deny(&url).await.unwrap();
    let error = session
        .finish_sign_in(&pending, callback.as_str())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error}");
    let error = session
        .client()
        .get_access_token(sample::BANKING)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
}

/// A person at a loopback sign-in: goes where they are sent, and their browser follows the redirect.
fn loopback(emulator: &Arc<Emulator>, user: &'static str) -> (AuthorizationCode, Arc<AtomicUsize>) {
    let prompts = Arc::new(AtomicUsize::new(0));
    let (emulator, counted) = (Arc::clone(emulator), Arc::clone(&prompts));
    let login = AuthorizationCode::loopback()
        .without_browser()
        .announce(move |url| {
            counted.fetch_add(1, Ordering::SeqCst);
            let (emulator, url) = (Arc::clone(&emulator), url.clone());
            tokio::spawn(async move {
                let callback = emulator.login_as(user).approve(&url).await.unwrap();
                reqwest::get(callback).await.unwrap();
            });
        });
    (login, prompts)
}

#[tokio::test]
async fn a_loopback_sign_in_waits_for_the_browser_to_come_back() {
    let emulator = Arc::new(Emulator::start(Config::sample()).await.unwrap());
    let session = session(&emulator);
    let (login, prompts) = loopback(&emulator, sample::ALICE);
    let account = session.sign_in(login.request(banking())).await.unwrap();
    assert_eq!(account.subject(), Some(sample::ALICE));
    session.client().get_access_token(banking()).await.unwrap();
    assert_eq!(prompts.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_page_says_that_it_worked_once_it_did_and_not_before() {
    let emulator = Arc::new(Emulator::start(Config::sample()).await.unwrap());
    let session = session(&emulator);
    let refused = Fault::oauth_error("invalid_grant", "no such code");
    emulator.fault(refused.at(Endpoint::Token).times(1));
    for shown in ["The sign-in did not work", "You are signed in"] {
        let (pages, mut came) = tokio::sync::mpsc::unbounded_channel();
        let person = Arc::clone(&emulator);
        let login = AuthorizationCode::loopback()
            .request(banking())
            .without_browser()
            .announce(move |url| {
                let (emulator, url, pages) = (Arc::clone(&person), url.clone(), pages.clone());
                tokio::spawn(async move {
                    let alice = emulator.login_as(sample::ALICE);
                    let callback = alice.approve(&url).await.unwrap();
                    let page = reqwest::get(callback).await.unwrap();
                    pages.send(page.text().await.unwrap()).unwrap();
                });
            });
        let outcome = session.sign_in(login).await;
        assert_eq!(outcome.is_ok(), shown.contains("signed in"), "{outcome:?}");
        let page = came.recv().await.unwrap();
        assert!(page.contains(shown), "{page}");
    }
}

#[tokio::test]
async fn ten_callers_who_need_the_same_cause_one_prompt() {
    let emulator = Arc::new(Emulator::start(Config::sample()).await.unwrap());
    let session = session(&emulator);
    let prompts = Arc::new(AtomicUsize::new(0));
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let (session, emulator) = (session.clone(), Arc::clone(&emulator));
            let prompts = Arc::clone(&prompts);
            tokio::spawn(async move {
                let error = session
                    .client()
                    .get_access_token(banking())
                    .await
                    .unwrap_err();
                let (login, own) = loopback(&emulator, sample::ALICE);
                let token = session.resolve(error, login).await?;
                prompts.fetch_add(own.load(Ordering::SeqCst), Ordering::SeqCst);
                Ok::<_, Error>(token)
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(prompts.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn another_person_cannot_go_on_with_a_session() {
    let emulator = Arc::new(Emulator::start(Config::sample()).await.unwrap());
    let session = session(&emulator);
    sign_in(&emulator, &session, both()).await;
    let settings = TokenRequest::new(sample::SETTINGS).scope("write:settings");
    let error = session
        .client()
        .get_access_token(&settings)
        .await
        .unwrap_err();
    let Error::Consent(consent) = error else {
        panic!("{error}")
    };
    let (url, pending) = consent.authorization_url(CALLBACK).unwrap();
    let bob = emulator.login_as(sample::BOB);
    let Ok(callback) = bob.approve(&url).await else {
        return;
    };
    let error = session
        .finish_sign_in(&pending, callback.as_str())
        .await
        .unwrap_err();
    let is_refused = match &error {
        Error::Protocol(violation) => *violation.violation() == Violation::OtherAccount,
        Error::Denied(_) => true,
        _ => false,
    };
    assert!(is_refused, "{error}");
    // Bob may have a session of his own here, which would end with what this sign-in brought.
    assert_eq!(emulator.count("/oauth2/revoke"), 0);
    let account = session.account().await.unwrap().unwrap();
    assert_eq!(account.subject(), Some(sample::ALICE));
    session
        .client()
        .get_access_token(sample::HEALTH)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_new_process_starts_with_what_is_still_valid() {
    let emulator = Emulator::start(Config::sample()).await.unwrap();
    let store = MemoryStore::new();
    let build = || {
        Client::for_person(emulator.issuer(), sample::NATIVE)
            .store(store.clone())
            .build()
            .unwrap()
            .default_session()
    };
    let first = build();
    sign_in(&emulator, &first, both()).await;
    let before = first
        .client()
        .get_access_token(sample::HEALTH)
        .await
        .unwrap();
    emulator.clear_requests();
    let second = build();
    let after = second
        .client()
        .get_access_token(sample::HEALTH)
        .await
        .unwrap();
    assert_eq!(before.secret(), after.secret());
    assert_eq!(after.source(), Source::Session);
    assert_eq!(emulator.requests().len(), 0, "nothing was asked");
}

#[tokio::test]
async fn a_pending_sign_in_survives_a_round_through_json() {
    let emulator = Emulator::start(Config::sample()).await.unwrap();
    let people = people(&emulator);
    let (url, pending) = people.session("alice").begin_sign_in(both()).await.unwrap();
    let kept = serde_json::to_string(&pending).unwrap();
    let shown = format!("{pending:?}");
    let state = url
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    assert!(!shown.contains(&state), "{shown}");
    let alice = emulator.login_as(sample::ALICE);
    let callback = alice.approve(&url).await.unwrap();
    let pending: PendingLogin = serde_json::from_str(&kept).unwrap();
    let session = people.session(pending.session());
    session
        .finish_sign_in(&pending, callback.as_str())
        .await
        .unwrap();
    session
        .client()
        .get_access_token(sample::HEALTH)
        .await
        .unwrap();
    let other = people.default_session();
    let error = other
        .client()
        .get_access_token(sample::HEALTH)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
}

#[tokio::test]
async fn a_sign_in_is_finished_by_the_session_that_began_it_alone() {
    let emulator = Emulator::start(Config::sample()).await.unwrap();
    let people = people(&emulator);
    let (url, pending) = people.session("alice").begin_sign_in(both()).await.unwrap();
    let callback = emulator
        .login_as(sample::ALICE)
        .approve(&url)
        .await
        .unwrap();
    let wrong = people.session("bob");
    let error = wrong
        .finish_sign_in(&pending, callback.as_str())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Request(_)), "{error}");
    let shown = error.to_string();
    for hint in ["\"alice\"", "\"bob\"", "people.session(pending.session())"] {
        assert!(shown.contains(hint), "{shown}");
    }
    assert_eq!(emulator.token_requests(), 0, "the code is good still");
    let right = people.session(pending.session());
    right
        .finish_sign_in(&pending, callback.as_str())
        .await
        .unwrap();
    assert_eq!(wrong.account().await.unwrap(), None);
}

#[tokio::test]
async fn a_session_s_client_is_no_way_to_another_session() {
    let emulator = Emulator::start(Config::sample()).await.unwrap();
    let people = people(&emulator);
    let (alice, bob) = (people.session("alice"), people.session("bob"));
    sign_in(&emulator, &alice, both()).await;
    let partition = bob.client().partition("alice");
    let error = partition.get_access_token(banking()).await.unwrap_err();
    assert!(matches!(error, Error::Request(_)), "{error}");
    assert!(error.to_string().contains("People::session"), "{error}");
}

#[tokio::test]
async fn signing_out_revokes_the_refresh_token() {
    let emulator = Emulator::start(Config::sample()).await.unwrap();
    let session = session(&emulator);
    sign_in(&emulator, &session, both()).await;
    session.sign_out().await.unwrap();
    assert_eq!(emulator.count("/oauth2/revoke"), 1);
    assert_eq!(session.account().await.unwrap(), None);
    let error = session
        .client()
        .get_access_token(sample::HEALTH)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
}

#[tokio::test]
async fn an_answer_counts_for_its_own_sign_in_alone() {
    let emulator = Emulator::start(Config::sample()).await.unwrap();
    let session = session(&emulator);
    let (url, pending) = session.begin_sign_in(both()).await.unwrap();
    let alice = emulator.login_as(sample::ALICE);
    let callback = alice.approve(&url).await.unwrap();
    let (_, other) = session.begin_sign_in(both()).await.unwrap();
    let error = session
        .finish_sign_in(&other, callback.as_str())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Protocol(_)), "{error}");
    // The code was not sent anywhere, so it is good for the right one still.
    session
        .finish_sign_in(&pending, callback.as_str())
        .await
        .unwrap();
    // And no more than once: the code is not sent again.
    let before = emulator.token_requests();
    let error = session
        .finish_sign_in(&pending, callback.as_str())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Request(_)), "{error}");
    assert_eq!(emulator.token_requests(), before);
}

#[tokio::test]
async fn nobody_comes_back_and_the_error_says_what_to_do() {
    let emulator = Emulator::start(Config::sample()).await.unwrap();
    let session = session(&emulator);
    let urls = Arc::new(Mutex::new(Vec::<Url>::new()));
    let seen = Arc::clone(&urls);
    let login = AuthorizationCode::loopback()
        .request(banking())
        .without_browser()
        .announce(move |url| seen.lock().unwrap().push(url.clone()))
        .time_limit(Duration::from_millis(50));
    let error = session.sign_in(login).await.unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
    assert!(
        !error.is_retryable(),
        "it would open one browser after the other"
    );
    assert!(
        error
            .to_string()
            .starts_with("the person did not come back"),
        "{error}"
    );
    let next_move = error.next_move();
    for hint in ["redirect URI", "paste_from_stdin", "device code"] {
        assert!(next_move.contains(hint), "{next_move}");
    }
    assert_eq!(urls.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_final_url_can_be_pasted() {
    let emulator = Arc::new(Emulator::start(Config::sample()).await.unwrap());
    let session = session(&emulator);
    let (sender, pasted) = tokio::sync::oneshot::channel();
    let sender = Mutex::new(Some(sender));
    let person = Arc::clone(&emulator);
    let login = AuthorizationCode::loopback()
        .request(banking())
        .without_browser()
        .announce(move |url| {
            let (emulator, url) = (Arc::clone(&person), url.clone());
            let sender = sender.lock().unwrap().take().unwrap();
            tokio::spawn(async move {
                let callback = emulator
                    .login_as(sample::ALICE)
                    .approve(&url)
                    .await
                    .unwrap();
                sender.send(format!("{callback}\n")).unwrap();
            });
        })
        .paste_back(async move { pasted.await.map_err(std::io::Error::other) });
    session.sign_in(login).await.unwrap();
    session.client().get_access_token(banking()).await.unwrap();
}

#[tokio::test]
async fn a_device_code_signs_in_as_well() {
    let emulator = Arc::new(Emulator::start(Config::sample()).await.unwrap());
    emulator.switches(|switches| switches.device_interval = Duration::from_secs(1));
    let session = session(&emulator);
    let person = Arc::clone(&emulator);
    let login = DeviceCode::new(move |prompt| {
        let (emulator, code) = (Arc::clone(&person), prompt.user_code().to_owned());
        tokio::spawn(async move {
            let alice = emulator.login_as(sample::ALICE);
            alice.device_approve(&code).await.unwrap();
        });
    });
    let account = session
        .sign_in(
            login
                .request(banking())
                .request(TokenRequest::new(sample::HEALTH).scope("read:records")),
        )
        .await
        .unwrap();
    assert_eq!(account.subject(), Some(sample::ALICE));
    session.client().get_access_token(banking()).await.unwrap();
    session
        .client()
        .get_access_token(sample::HEALTH)
        .await
        .unwrap();
}

#[tokio::test]
async fn saying_no_on_the_other_device_is_an_outcome_too() {
    let emulator = Arc::new(Emulator::start(Config::sample()).await.unwrap());
    emulator.switches(|switches| switches.device_interval = Duration::from_secs(1));
    let session = session(&emulator);
    let person = Arc::clone(&emulator);
    let login = DeviceCode::new(move |prompt| {
        let (emulator, code) = (Arc::clone(&person), prompt.user_code().to_owned());
        tokio::spawn(async move {
            let alice = emulator.login_as(sample::ALICE);
            alice.device_deny(&code).await.unwrap();
        });
    });
    let error = session.sign_in(login.request(banking())).await.unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error}");
}
