//! The person's word counts: a sign-out while the store is away, and names that nobody signed in under.

use std::sync::atomic::Ordering;

use intelliauth::{CacheMode, Error, FileStore, MemoryStore, SessionKey, SessionStore};
use intelliauth_emulator::sample;

use super::held_up::{HeldUp, People, banking, health};

#[tokio::test]
async fn a_sign_out_holds_although_the_store_cannot_be_read() {
    for rotated_elsewhere in [false, true] {
        let people = People::start().await;
        let store = HeldUp::new(MemoryStore::new());
        let client = people.client(store.clone());
        let requests = [banking(), health()];
        people.sign_in(&client, sample::ALICE, &requests).await;
        client.get_access_token(banking()).await.unwrap();
        store.fails.store(true, Ordering::SeqCst);
        let error = client.sign_out().await.unwrap_err();
        assert!(matches!(error, Error::Store(_)), "{error}");
        client.get_access_token(banking()).await.unwrap_err();
        if rotated_elsewhere {
            let other = people.client(store.store.clone());
            let forced = banking().cache_mode(CacheMode::Refresh);
            other.get_access_token(forced).await.unwrap();
        }
        store.fails.store(false, Ordering::SeqCst);
        // Another API than the one that failed, so that nothing is remembered of it.
        let error = client.get_access_token(health()).await.unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
        assert_eq!(client.account().await.unwrap(), None);
        assert_eq!(people.emulator.count("/oauth2/revoke"), 1);
        let other = people.client(store.store.clone());
        let error = other.get_access_token(banking()).await.unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
        // And whoever signs in again is in.
        people.sign_in(&client, sample::ALICE, &requests).await;
        client.get_access_token(health()).await.unwrap();
        assert_eq!(people.emulator.count("/oauth2/revoke"), 1);
    }
}

#[tokio::test]
async fn whoever_signs_in_elsewhere_after_it_stays_signed_in() {
    let people = People::start().await;
    let store = HeldUp::new(MemoryStore::new());
    let client = people.client(store.clone());
    people.sign_in(&client, sample::ALICE, &[banking()]).await;
    store.fails.store(true, Ordering::SeqCst);
    client.sign_out().await.unwrap_err();
    let other = people.client(store.store.clone());
    people.sign_in(&other, sample::ALICE, &[banking()]).await;
    store.fails.store(false, Ordering::SeqCst);
    client.get_access_token(banking()).await.unwrap();
    client.close().await;
    let forced = banking().cache_mode(CacheMode::Refresh);
    other.get_access_token(forced).await.unwrap();
}

#[tokio::test]
async fn nobody_is_asked_for_what_could_not_be_kept() {
    let people = People::start().await;
    let store = HeldUp::new(MemoryStore::new());
    let client = people.client(store.clone());
    store.fails.store(true, Ordering::SeqCst);
    let (login, prompts) = people.browser(sample::ALICE);
    let error = client.sign_in(login.request(banking())).await.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error}");
    assert_eq!(prompts.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_name_that_a_stranger_makes_up_leaves_no_file() {
    let people = People::start().await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("sessions");
    let client = people.client(FileStore::in_directory(&place));
    for number in 0..20 {
        let stranger = client.session(format!("made-up-{number}"));
        let error = stranger.get_access_token(banking()).await.unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
        stranger.sign_out().await.unwrap();
    }
    let files = std::fs::read_dir(&place).map_or(0, Iterator::count);
    assert_eq!(files, 0);
    assert_eq!(people.emulator.token_requests(), 0);
}

#[tokio::test]
async fn a_record_that_is_gone_takes_the_sign_out_with_it() {
    let people = People::start().await;
    let store = HeldUp::new(MemoryStore::new());
    let client = people.client(store.clone());
    people.sign_in(&client, sample::ALICE, &[banking()]).await;
    store.fails.store(true, Ordering::SeqCst);
    client.sign_out().await.unwrap_err();
    store.fails.store(false, Ordering::SeqCst);
    let key = SessionKey::new(people.emulator.issuer(), sample::NATIVE, "default");
    store.store.set_aside(&key).await.unwrap();
    assert_eq!(client.account().await.unwrap(), None);
    // Revisions start anew, so that this one has the number that was signed out of.
    let other = people.client(store.store.clone());
    people.sign_in(&other, sample::ALICE, &[banking()]).await;
    client.get_access_token(banking()).await.unwrap();
}
