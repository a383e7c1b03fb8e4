//! How many prompts a person sees.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use intelliauth::{
    AuthorizationCode, Client, Error, MemoryStore, SessionKey, SessionLock, SessionRecord,
    SessionStore, StoreError, TokenRequest,
};
use intelliauth_emulator::{Config, Emulator, sample};
use serde_json::json;
use tokio::sync::Semaphore;

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

/// A store of which one reader, the second of those that are counted, has to wait.
#[derive(Clone, Debug)]
struct SlowToSecond {
    store: MemoryStore,
    /// How many readers come before the one that waits; none of them does while this is huge.
    before: Arc<AtomicUsize>,
    arrived: Arc<Semaphore>,
    go_on: Arc<Semaphore>,
}

impl SessionStore for SlowToSecond {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        if self.before.fetch_sub(1, Ordering::SeqCst) == 0 {
            self.arrived.add_permits(1);
            self.go_on.acquire().await.unwrap().forget();
        }
        self.store.load(key).await
    }
    async fn save(&self, key: &SessionKey, record: &SessionRecord) -> Result<(), StoreError> {
        self.store.save(key, record).await
    }
    async fn lock(&self, key: &SessionKey, patience: Duration) -> Result<SessionLock, StoreError> {
        self.store.lock(key, patience).await
    }
    async fn set_aside(&self, key: &SessionKey) -> Result<(), StoreError> {
        self.store.set_aside(key).await
    }
}

#[tokio::test]
async fn what_was_missing_before_a_sign_in_is_not_remembered_after_it() {
    // The emulator: it says who signed in, so that nothing is forgotten for want of that.
    let emulator = Emulator::start(Config::sample()).await.unwrap();
    let store = SlowToSecond {
        store: MemoryStore::new(),
        before: Arc::new(AtomicUsize::new(usize::MAX)),
        arrived: Arc::new(Semaphore::new(0)),
        go_on: Arc::new(Semaphore::new(0)),
    };
    let client = Client::for_person(emulator.issuer(), sample::NATIVE)
        .store(store.clone())
        .build()
        .unwrap();
    let health = || TokenRequest::new(sample::HEALTH).scope("read:records");
    let banking = TokenRequest::new(sample::BANKING).scope("read:transactions");
    let alice = emulator.login_as(sample::ALICE);
    let sign_in = async |requests: &[TokenRequest<'static>]| {
        let login = AuthorizationCode::redirect_to("http://127.0.0.1/callback");
        let login = requests.iter().fold(login, AuthorizationCode::request);
        let (url, pending) = client.start(login).await.unwrap();
        let callback = alice.approve(&url).await.unwrap();
        client.finish(&pending, callback.as_str()).await.unwrap();
    };
    sign_in(std::slice::from_ref(&banking)).await;
    // It reads the session, finds that the API is not covered, and is held up on its way back.
    store.before.store(1, Ordering::SeqCst);
    let early = tokio::spawn({
        let client = client.clone();
        async move { client.get_access_token(health()).await.map(|_| ()) }
    });
    store.arrived.acquire().await.unwrap().forget();
    sign_in(&[banking, health()]).await;
    store.go_on.add_permits(1);
    let error = early.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Consent(_)), "{error}");
    client.get_access_token(health()).await.unwrap();
}
