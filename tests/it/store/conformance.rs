//! What holds for every [`SessionStore`], whatever it keeps its records in.

use std::{future::Future, pin::pin, sync::Arc, task, time::Duration};

use intelliauth::{SessionKey, SessionStore, StoreErrorKind};
use tokio::task::JoinSet;

use super::{alice, kept, record};

/// Long enough for any turn to come, and short enough to be told of one that does not.
const PATIENCE: Duration = Duration::from_secs(60);

/// Checks all of it; `new` makes an empty store each time.
pub(crate) async fn holds_for<S: SessionStore>(new: impl Fn() -> S) {
    what_is_saved_is_found(&new()).await;
    keys_are_kept_apart(&new()).await;
    what_is_set_aside_is_gone(&new()).await;
    one_alone_holds_a_session(&new()).await;
    dropped_futures_harm_nobody(&new()).await;
    nothing_is_torn(Arc::new(new())).await;
    no_update_is_lost(Arc::new(new())).await;
}

async fn what_is_saved_is_found(store: &impl SessionStore) {
    assert_eq!(kept(store).await, None);
    let all_bytes: Vec<u8> = (0..=255).collect();
    let large = vec![b'x'; 100_000];
    for content in [&b"first"[..], b"", &all_bytes, &large, b"last"] {
        store.save(&alice(), &record(content)).await.unwrap();
        assert_eq!(kept(store).await.as_deref(), Some(content));
    }
    assert!(!format!("{store:?}").contains("last"));
}

async fn keys_are_kept_apart(store: &impl SessionStore) {
    let key = |issuer: &str, client_id: &str, session: &str| {
        SessionKey::new(issuer.to_owned(), client_id.to_owned(), session.to_owned())
    };
    let keys = [
        key("https://issuer.example", "app", "alice"),
        key("https://issuer.example", "app", "Alice"),
        key("https://issuer.example", "app", "alice "),
        key("https://issuer.example", "app", "../alice"),
        key("https://issuer.example", "app", ""),
        key("https://issuer.example", "appalice", ""),
        key("https://issuer.example", "", "appalice"),
        key("https://issuer.example/", "app", "alice"),
        key("https://issuer.example", "app", "a\0b/c\n"),
        key("https://issuer.example", "app", &"long".repeat(1000)),
    ];
    for (number, key) in keys.iter().enumerate() {
        let content = record(number.to_string());
        store.save(key, &content).await.unwrap();
    }
    for (number, key) in keys.iter().enumerate() {
        let found = store.load(key).await.unwrap().unwrap();
        assert_eq!(found.as_bytes(), number.to_string().as_bytes(), "{key:?}");
    }
    let mut locks = Vec::new();
    for key in &keys {
        locks.push(store.lock(key, Duration::ZERO).await.unwrap());
    }
}

async fn what_is_set_aside_is_gone(store: &impl SessionStore) {
    store.set_aside(&alice()).await.unwrap();
    for content in ["damaged", "damaged again"] {
        store.save(&alice(), &record(content)).await.unwrap();
        store.set_aside(&alice()).await.unwrap();
        assert_eq!(kept(store).await, None);
    }
    store.save(&alice(), &record("new")).await.unwrap();
    assert_eq!(kept(store).await.unwrap(), b"new");
}

async fn one_alone_holds_a_session(store: &impl SessionStore) {
    let held = store.lock(&alice(), Duration::ZERO).await.unwrap();
    for patience in [Duration::ZERO, Duration::from_millis(20)] {
        let error = store.lock(&alice(), patience).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Locked, "{error:?}");
        assert!(!error.next_move().is_empty());
    }
    let key = alice();
    let waiting = store.lock(&key, PATIENCE);
    let freeing = async {
        tokio::task::yield_now().await;
        drop(held);
    };
    let (held, ()) = tokio::join!(waiting, freeing);
    let held = held.unwrap();
    assert!(store.lock(&alice(), Duration::ZERO).await.is_err());
    drop(held);
    drop(store.lock(&alice(), Duration::ZERO).await.unwrap());
    let without_end = store.lock(&alice(), Duration::MAX).await.unwrap();
    drop(without_end);
}

/// Whoever gives up leaves no lock behind, and no write that comes later than its lock.
async fn dropped_futures_harm_nobody(store: &impl SessionStore) {
    for round in 0..30 {
        let key = alice();
        let held = store.lock(&key, PATIENCE).await.unwrap();
        poll_once(store.lock(&key, PATIENCE));
        let late = record(format!("late {round}"));
        poll_once(store.save(&key, &late));
        drop(held);
        poll_once(store.lock(&key, PATIENCE));
        poll_once(store.load(&key));

        let held = store.lock(&key, PATIENCE).await.unwrap();
        let newer = format!("newer {round}");
        store.save(&key, &record(&newer)).await.unwrap();
        drop(held);
        tokio::task::yield_now().await;
        assert_eq!(kept(store).await.unwrap(), newer.as_bytes());
    }
}

/// Readers and writers together: each record that is found is one that was written.
async fn nothing_is_torn<S: SessionStore>(store: Arc<S>) {
    store.save(&alice(), &record("")).await.unwrap();
    let mut tasks = JoinSet::new();
    for writer in 0..3_u8 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for round in 0..20_usize {
                let content = vec![b'a' + writer; 1 + 7919 * (round % 5)];
                store.save(&alice(), &record(content)).await.unwrap();
            }
        });
    }
    for _ in 0..3 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for _ in 0..60 {
                let found = kept(&*store).await.unwrap();
                let is_whole = found.windows(2).all(|pair| pair[0] == pair[1]);
                assert!(is_whole && found.len() % 7919 <= 1, "{}", found.len());
            }
        });
    }
    while let Some(outcome) = tasks.join_next().await {
        outcome.unwrap();
    }
}

async fn no_update_is_lost<S: SessionStore>(store: Arc<S>) {
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { count(&*store, 5).await });
    }
    while let Some(outcome) = tasks.join_next().await {
        outcome.unwrap();
    }
    assert_eq!(counted(&*store).await, 40);
}

/// Adds one to the number that is kept, so many times, each time under the lock.
pub(crate) async fn count(store: &impl SessionStore, times: u32) {
    for _ in 0..times {
        let held = store.lock(&alice(), PATIENCE).await.unwrap();
        let next = counted(store).await + 1;
        let next = record(next.to_string());
        store.save(&alice(), &next).await.unwrap();
        drop(held);
    }
}

/// The number that is kept; 0 when there is none.
pub(crate) async fn counted(store: &impl SessionStore) -> u32 {
    let found = kept(store).await.unwrap_or_else(|| b"0".to_vec());
    String::from_utf8(found).unwrap().parse().unwrap()
}

/// Begins something and gives up.
fn poll_once(future: impl Future) {
    let mut cx = task::Context::from_waker(task::Waker::noop());
    let _ = pin!(future).poll(&mut cx);
}
