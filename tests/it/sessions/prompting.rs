//! How many prompts a person sees.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use intelliauth::{AuthorizationCode, Error, MemoryStore, Prompt};
use intelliauth_emulator::{Endpoint, Fault, sample};
use serde_json::json;

use super::held_up::{HeldUp, Tenant, banking, health};
use crate::support::{
    Server,
    person::{BANKING, REDIRECT, callback},
};

#[tokio::test]
async fn ten_callers_prompt_once_although_the_issuer_insists() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server.sign_in(&session).await;
    server
        .refresh("R0")
        .refuses(400, "consent_required")
        .mount()
        .await;
    server
        .token()
        .with_parameter("grant_type", "authorization_code")
        .member("refresh_token", json!("R0"))
        .grants(1)
        .mount()
        .await;
    let error = session
        .client()
        .get_access_token(BANKING)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Consent(_)), "{error}");
    let prompts = Arc::new(AtomicUsize::new(0));
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let (session, error, prompts) = (session.clone(), error.clone(), Arc::clone(&prompts));
            tokio::spawn(async move {
                let (sender, url) = tokio::sync::oneshot::channel();
                let sender = std::sync::Mutex::new(Some(sender));
                let login = AuthorizationCode::redirect_to(REDIRECT)
                    .without_browser()
                    .announce(move |url| {
                        prompts.fetch_add(1, Ordering::SeqCst);
                        let _ = sender.lock().unwrap().take().unwrap().send(url.clone());
                    })
                    .paste_back(async move {
                        let url = url.await.unwrap();
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        Ok(callback(&url, "some-code"))
                    });
                session.resolve(error, login).await.map(|_| ())
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap_err();
    }
    assert_eq!(prompts.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_sign_in_that_wants_a_fresh_one_joins_none_that_does_not() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server
        .token()
        .member("refresh_token", json!("R0"))
        .mount()
        .await;
    let prompts = Arc::new(AtomicUsize::new(0));
    let login = |fresh: bool| {
        let prompts = Arc::clone(&prompts);
        let (sender, url) = tokio::sync::oneshot::channel();
        let sender = std::sync::Mutex::new(Some(sender));
        let login = AuthorizationCode::redirect_to(REDIRECT)
            .without_browser()
            .request(BANKING)
            .announce(move |url| {
                prompts.fetch_add(1, Ordering::SeqCst);
                let _ = sender.lock().unwrap().take().unwrap().send(url.clone());
            })
            .paste_back(async move {
                let url = url.await.unwrap();
                tokio::time::sleep(Duration::from_millis(100)).await;
                Ok(callback(&url, "some-code"))
            });
        if fresh {
            login.prompt(Prompt::Login)
        } else {
            login
        }
    };
    let (one, two) = tokio::join!(session.sign_in(login(false)), session.sign_in(login(true)));
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(prompts.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_was_missing_before_a_sign_in_is_not_remembered_after_it() {
    // The emulator: it says who signed in, so that nothing is forgotten for want of that.
    let tenant = Tenant::start().await;
    let store = HeldUp::new(MemoryStore::new());
    let session = tenant.session(store.clone());
    tenant.sign_in(&session, sample::ALICE, &[banking()]).await;
    // It reads the session, finds that the API is not covered, and is held up on its way back.
    store.hold_up_after(2);
    let early = tokio::spawn({
        let session = session.clone();
        async move {
            session
                .client()
                .get_access_token(health())
                .await
                .map(|_| ())
        }
    });
    store.arrived().await;
    let both = [banking(), health()];
    tenant.sign_in(&session, sample::ALICE, &both).await;
    // Who asks now does not wait for what looked before, and that one looks again.
    session.client().get_access_token(health()).await.unwrap();
    store.go_on();
    early.await.unwrap().unwrap();
    session.client().get_access_token(health()).await.unwrap();
}

#[tokio::test]
async fn what_was_refused_before_a_sign_in_is_asked_for_again_after_it() {
    let tenant = Tenant::start().await;
    let session = tenant.session(MemoryStore::new());
    let narrowed = Fault::narrowed_scope(["openid"]).at(Endpoint::Token);
    tenant.emulator.fault(narrowed.times(1));
    tenant.sign_in(&session, sample::ALICE, &[banking()]).await;
    let error = session
        .client()
        .get_access_token(banking())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error}");
    let both = [banking(), health()];
    tenant.sign_in(&session, sample::ALICE, &both).await;
    session.client().get_access_token(banking()).await.unwrap();

    let other = Fault::id_token_claim("sub", "somebody-else").at(Endpoint::Token);
    tenant.emulator.fault(other.times(1));
    let error = session
        .client()
        .get_access_token(health())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Protocol(_)), "{error}");
    tenant.sign_in(&session, sample::ALICE, &both).await;
    session.client().get_access_token(health()).await.unwrap();
}

#[tokio::test]
async fn whoever_prompts_and_gives_up_has_asked_for_the_others_too() {
    let tenant = Tenant::start().await;
    let session = tenant.session(MemoryStore::new());
    let slow = Fault::delay(Duration::from_millis(500));
    tenant.emulator.fault(slow.at(Endpoint::Token).times(1));
    let error = session
        .client()
        .get_access_token(banking())
        .await
        .unwrap_err();
    let (first, prompts) = tenant.browser(sample::ALICE);
    let (second, needless) = tenant.browser(sample::ALICE);
    let first = tokio::spawn({
        let (session, error) = (session.clone(), error.clone());
        async move { session.resolve(error, first).await.map(|_| ()) }
    });
    while prompts.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let second = tokio::spawn(async move { session.resolve(error, second).await.map(|_| ()) });
    // The person has answered, and the code is being redeemed.
    while tenant.emulator.token_requests() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    first.abort();
    second.await.unwrap().unwrap();
    assert_eq!(needless.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_step_up_is_not_content_with_the_plain_prompt_it_waited_for() {
    let tenant = Tenant::start().await;
    let session = tenant.session(MemoryStore::new());
    let both = [banking(), health()];
    tenant.sign_in(&session, sample::ALICE, &both).await;
    let weak = Fault::envelope(401, "step_up_required", "prove more");
    let weak = weak.at(Endpoint::Token).audience(sample::HEALTH);
    tenant.emulator.fault(weak.grant("refresh_token").times(2));
    let error = session
        .client()
        .get_access_token(health())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::StepUp(_)), "{error}");
    let (plain, prompts) = tenant.browser(sample::ALICE);
    let plain = tokio::spawn({
        let session = session.clone();
        async move {
            session
                .sign_in(plain.request(banking()).request(health()))
                .await
        }
    });
    while prompts.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let (strong, stronger) = tenant.browser(sample::ALICE);
    session
        .resolve(error, strong.acr_values("AAL2"))
        .await
        .unwrap();
    plain.await.unwrap().unwrap();
    assert_eq!(stronger.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_silent_sign_in_that_failed_speaks_for_itself_alone() {
    let tenant = Tenant::start().await;
    let session = tenant.session(MemoryStore::new());
    let (silent, asked) = tenant.browser(sample::ALICE);
    let silent = silent.request(banking()).prompt(Prompt::None);
    let silent = tokio::spawn({
        let session = session.clone();
        async move { session.sign_in(silent).await }
    });
    while asked.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    tenant.sign_in(&session, sample::ALICE, &[banking()]).await;
    silent.await.unwrap().unwrap_err();
    session.client().get_access_token(banking()).await.unwrap();
}
