//! What the store would not take counts here all the same, until it does.

use std::{sync::atomic::Ordering, time::Duration};

use intelliauth::{CacheMode, Error, MemoryStore};
use intelliauth_emulator::{Endpoint, Fault, sample};

use super::held_up::{HeldUp, People, banking, health, settings, subject};

/// Alice has signed in while the disk had room, and it has none any more.
async fn full_disk() -> (People, HeldUp, intelliauth::Client) {
    let people = People::start().await;
    let store = HeldUp::new(MemoryStore::new());
    let client = people.client(store.clone());
    let both = [banking(), settings()];
    people.sign_in(&client, sample::ALICE, &both).await;
    client.get_access_token(banking()).await.unwrap();
    store.set_full(true);
    (people, store, client)
}

#[tokio::test]
async fn another_persons_sign_in_gets_nothing_of_the_one_that_is_still_on_disk() {
    let (people, store, client) = full_disk().await;
    let both = [banking(), settings()];
    people.sign_in(&client, sample::BOB, &both).await;
    let account = client.account().await.unwrap().unwrap();
    assert_eq!(account.subject(), Some(sample::BOB));
    let token = client.get_access_token(banking()).await.unwrap();
    assert_eq!(subject(&token).as_deref(), Some(sample::BOB));
    store.set_full(false);
    client.close().await;
    let other = people.client(store.store.clone());
    let token = other.get_access_token(settings()).await.unwrap();
    assert_eq!(subject(&token).as_deref(), Some(sample::BOB));
}

#[tokio::test]
async fn a_rotation_elsewhere_does_not_undo_a_sign_in() {
    for is_asked_first in [false, true] {
        let (people, store, client) = full_disk().await;
        people.sign_in(&client, sample::BOB, &[banking()]).await;
        store.set_full(false);
        if is_asked_first {
            // What is answered from memory is written behind the answer.
            client.get_access_token(banking()).await.unwrap();
            client.close().await;
        }
        let other = people.client(store.store.clone());
        let forced = banking().cache_mode(CacheMode::Refresh);
        let token = other.get_access_token(forced).await.unwrap();
        let owner = if is_asked_first {
            sample::BOB
        } else {
            sample::ALICE
        };
        assert_eq!(subject(&token).as_deref(), Some(owner));
        let forced = banking().cache_mode(CacheMode::Refresh);
        let token = client.get_access_token(forced).await.unwrap();
        assert_eq!(subject(&token).as_deref(), Some(sample::BOB));
    }
}

#[tokio::test]
async fn a_rotated_token_survives_a_store_that_looks_empty() {
    let (people, store, client) = full_disk().await;
    store.set_full(false);
    // The mark is written, and what the redemption brings is not.
    let slow = Fault::delay_after(Duration::from_millis(300)).at(Endpoint::Token);
    people.emulator.fault(slow.times(1));
    let asked = people.emulator.token_requests();
    let call = tokio::spawn({
        let client = client.clone();
        let forced = banking().cache_mode(CacheMode::Refresh);
        async move { client.get_access_token(forced).await.map(|_| ()) }
    });
    while people.emulator.token_requests() == asked {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    store.set_full(true);
    call.await.unwrap().unwrap();
    store.set_full(false);
    store.is_empty.store(true, Ordering::SeqCst);
    let _ = client.get_access_token(settings()).await;
    store.is_empty.store(false, Ordering::SeqCst);
    let forced = settings().cache_mode(CacheMode::Refresh);
    client.get_access_token(forced).await.unwrap();
}

#[tokio::test]
async fn signed_out_and_in_again_is_signed_in() {
    for is_asked_meanwhile in [true, false] {
        let (people, store, client) = full_disk().await;
        client.sign_out().await.unwrap_err();
        people.sign_in(&client, sample::ALICE, &[banking()]).await;
        if is_asked_meanwhile {
            client.get_access_token(banking()).await.unwrap();
        }
        store.set_full(false);
        client.close().await;
        let other = people.client(store.store.clone());
        other.get_access_token(banking()).await.unwrap();
        client.get_access_token(banking()).await.unwrap();
    }
}

#[tokio::test]
async fn signed_in_after_a_sign_out_that_was_written() {
    let (people, store, client) = full_disk().await;
    store.set_full(false);
    client.sign_out().await.unwrap();
    store.set_full(true);
    people.sign_in(&client, sample::ALICE, &[banking()]).await;
    client.get_access_token(banking()).await.unwrap();
}

#[tokio::test]
async fn a_sign_out_of_what_was_never_written_ends_what_was_as_well() {
    for stays_full in [true, false] {
        let (people, store, client) = full_disk().await;
        people.sign_in(&client, sample::ALICE, &[banking()]).await;
        store.set_away(true);
        client.sign_out().await.unwrap_err();
        store.set_away(false);
        store.set_full(stays_full);
        let error = client.get_access_token(banking()).await.unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
        client.close().await;
        // Both sign-ins: that on disk, and that in memory.
        assert_eq!(people.emulator.count("/oauth2/revoke"), 2);
    }
}

#[tokio::test]
async fn a_sign_out_of_what_was_never_written_ends_nobody_elses() {
    let (people, store, client) = full_disk().await;
    people.sign_in(&client, sample::ALICE, &[banking()]).await;
    client.sign_out().await.unwrap_err();
    store.set_full(false);
    let other = people.client(store.store.clone());
    people.sign_in(&other, sample::ALICE, &[banking()]).await;
    client.get_access_token(banking()).await.unwrap();
    let forced = banking().cache_mode(CacheMode::Refresh);
    other.get_access_token(forced).await.unwrap();
}

#[tokio::test]
async fn a_consent_is_not_asked_for_twice() {
    let (people, _store, client) = full_disk().await;
    let error = client.get_access_token(health()).await.unwrap_err();
    let (login, _) = people.browser(sample::ALICE);
    let outcome = client.resolve(error, login).await;
    // What came with it can be used; more cannot be redeemed, since it could not be kept.
    assert!(
        matches!(outcome, Ok(_) | Err(Error::Store(_))),
        "{outcome:?}"
    );
}
