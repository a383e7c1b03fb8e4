//! How many prompts a person sees.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use intelliauth::{AuthorizationCode, Error};
use serde_json::json;

use crate::support::{
    Server,
    person::{BANKING, REDIRECT, callback},
};

#[tokio::test]
async fn ten_callers_prompt_once_although_the_issuer_insists() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    server.sign_in(&client).await;
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
    let error = client.get_access_token(BANKING).await.unwrap_err();
    assert!(matches!(error, Error::Consent(_)), "{error}");
    let prompts = Arc::new(AtomicUsize::new(0));
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let (client, error, prompts) = (client.clone(), error.clone(), Arc::clone(&prompts));
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
                client.resolve(error, login).await.map(|_| ())
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
    let client = server.person().build().unwrap();
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
            login
                .max_age(Duration::ZERO)
                .prompt(intelliauth::Prompt::Login)
        } else {
            login
        }
    };
    let (one, two) = tokio::join!(client.sign_in(login(false)), client.sign_in(login(true)));
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(prompts.load(Ordering::SeqCst), 2);
}
