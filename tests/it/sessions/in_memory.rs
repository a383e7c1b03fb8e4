//! What the store would not take counts here all the same, until it does.

use std::{sync::atomic::Ordering, time::Duration};

use intelliauth::{CacheMode, Error, MemoryStore, Session};
use intelliauth_emulator::{Endpoint, Fault, sample};

use super::held_up::{HeldUp, Tenant, banking, health, settings, subject};

/// Alice has signed in while the disk had room, and it has none any more.
async fn full_disk() -> (Tenant, HeldUp, Session) {
    let tenant = Tenant::start().await;
    let store = HeldUp::new(MemoryStore::new());
    let session = tenant.session(store.clone());
    let both = [banking(), settings()];
    tenant.sign_in(&session, sample::ALICE, &both).await;
    session.client().get_access_token(banking()).await.unwrap();
    store.set_full(true);
    (tenant, store, session)
}

#[tokio::test]
async fn another_persons_sign_in_gets_nothing_of_the_one_that_is_still_on_disk() {
    let (tenant, store, session) = full_disk().await;
    let both = [banking(), settings()];
    tenant.sign_in(&session, sample::BOB, &both).await;
    let account = session.account().await.unwrap().unwrap();
    assert_eq!(account.subject(), Some(sample::BOB));
    let token = session.client().get_access_token(banking()).await.unwrap();
    assert_eq!(subject(&token).as_deref(), Some(sample::BOB));
    store.set_full(false);
    session.client().close().await.unwrap();
    let other = tenant.session(store.store.clone());
    let token = other.client().get_access_token(settings()).await.unwrap();
    assert_eq!(subject(&token).as_deref(), Some(sample::BOB));
}

#[tokio::test]
async fn a_rotation_elsewhere_does_not_undo_a_sign_in() {
    for is_asked_first in [false, true] {
        let (tenant, store, session) = full_disk().await;
        tenant.sign_in(&session, sample::BOB, &[banking()]).await;
        store.set_full(false);
        if is_asked_first {
            // What is answered from memory is written behind the answer.
            session.client().get_access_token(banking()).await.unwrap();
            session.client().close().await.unwrap();
        }
        let other = tenant.session(store.store.clone());
        let forced = banking().cache_mode(CacheMode::Refresh);
        let token = other.client().get_access_token(forced).await.unwrap();
        let owner = if is_asked_first {
            sample::BOB
        } else {
            sample::ALICE
        };
        assert_eq!(subject(&token).as_deref(), Some(owner));
        let forced = banking().cache_mode(CacheMode::Refresh);
        let token = session.client().get_access_token(forced).await.unwrap();
        assert_eq!(subject(&token).as_deref(), Some(sample::BOB));
    }
}

#[tokio::test]
async fn a_rotated_token_survives_a_store_that_looks_empty() {
    let (tenant, store, session) = full_disk().await;
    store.set_full(false);
    // The mark is written, and what the redemption brings is not.
    let slow = Fault::delay_after(Duration::from_millis(300)).at(Endpoint::Token);
    tenant.emulator.fault(slow.times(1));
    let asked = tenant.emulator.token_requests();
    let call = tokio::spawn({
        let session = session.clone();
        let forced = banking().cache_mode(CacheMode::Refresh);
        async move { session.client().get_access_token(forced).await.map(|_| ()) }
    });
    while tenant.emulator.token_requests() == asked {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    store.set_full(true);
    call.await.unwrap().unwrap();
    store.set_full(false);
    store.is_empty.store(true, Ordering::SeqCst);
    let _ = session.client().get_access_token(settings()).await;
    store.is_empty.store(false, Ordering::SeqCst);
    let forced = settings().cache_mode(CacheMode::Refresh);
    session.client().get_access_token(forced).await.unwrap();
}

#[tokio::test]
async fn signed_out_and_in_again_is_signed_in() {
    for is_asked_meanwhile in [true, false] {
        let (tenant, store, session) = full_disk().await;
        session.sign_out().await.unwrap_err();
        tenant.sign_in(&session, sample::ALICE, &[banking()]).await;
        if is_asked_meanwhile {
            session.client().get_access_token(banking()).await.unwrap();
        }
        store.set_full(false);
        session.client().close().await.unwrap();
        let other = tenant.session(store.store.clone());
        other.client().get_access_token(banking()).await.unwrap();
        session.client().get_access_token(banking()).await.unwrap();
    }
}

#[tokio::test]
async fn signed_in_after_a_sign_out_that_was_written() {
    let (tenant, store, session) = full_disk().await;
    store.set_full(false);
    session.sign_out().await.unwrap();
    store.set_full(true);
    tenant.sign_in(&session, sample::ALICE, &[banking()]).await;
    session.client().get_access_token(banking()).await.unwrap();
}

#[tokio::test]
async fn a_sign_out_of_what_was_never_written_ends_what_was_as_well() {
    for stays_full in [true, false] {
        let (tenant, store, session) = full_disk().await;
        tenant.sign_in(&session, sample::ALICE, &[banking()]).await;
        store.set_away(true);
        session.sign_out().await.unwrap_err();
        store.set_away(false);
        store.set_full(stays_full);
        let error = session
            .client()
            .get_access_token(banking())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
        let closed = session.client().close().await;
        // It says what it could not write.
        let is_unwritten = matches!(closed, Err(Error::Store(_)));
        assert_eq!(is_unwritten, stays_full, "{closed:?}");
        // Both sign-ins: that on disk, and that in memory.
        assert_eq!(tenant.emulator.count("/oauth2/revoke"), 2);
    }
}

#[tokio::test]
async fn a_sign_out_of_what_was_never_written_ends_nobody_elses() {
    let (tenant, store, session) = full_disk().await;
    tenant.sign_in(&session, sample::ALICE, &[banking()]).await;
    session.sign_out().await.unwrap_err();
    store.set_full(false);
    let other = tenant.session(store.store.clone());
    tenant.sign_in(&other, sample::ALICE, &[banking()]).await;
    session.client().get_access_token(banking()).await.unwrap();
    let forced = banking().cache_mode(CacheMode::Refresh);
    other.client().get_access_token(forced).await.unwrap();
}

#[tokio::test]
async fn a_consent_is_not_asked_for_twice() {
    let (tenant, _store, session) = full_disk().await;
    let error = session
        .client()
        .get_access_token(health())
        .await
        .unwrap_err();
    let (login, _) = tenant.browser(sample::ALICE);
    let outcome = session.resolve(error, login).await;
    // What came with it can be used; more cannot be redeemed, since it could not be kept.
    assert!(
        matches!(outcome, Ok(_) | Err(Error::Store(_))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn what_the_store_would_not_take_is_not_let_go_of_with_its_client() {
    let tenant = Tenant::start().await;
    let store = HeldUp::new(MemoryStore::new());
    let people = tenant.people(store.clone());
    tenant
        .sign_in(&people.session("alice"), sample::ALICE, &[banking()])
        .await;
    store.set_full(true);
    tenant
        .sign_in(&people.session("alice"), sample::BOB, &[banking()])
        .await;
    // Nothing is in use of it: neither a client, nor a slot.
    assert_eq!(people.stats().open_sessions, 1);
    let account = people.session("alice").account().await.unwrap().unwrap();
    assert_eq!(account.subject(), Some(sample::BOB));
    store.set_full(false);
    people.close().await.unwrap();
    assert_eq!(people.stats().open_sessions, 0, "now the store has it");
    let account = people.session("alice").account().await.unwrap().unwrap();
    assert_eq!(account.subject(), Some(sample::BOB));

    people.session("alice").sign_out().await.unwrap();
    assert_eq!(people.stats().open_sessions, 0);
    tenant
        .sign_in(&people.session("alice"), sample::ALICE, &[banking()])
        .await;
    store.set_full(true);
    people.session("alice").sign_out().await.unwrap_err();
    assert_eq!(people.stats().open_sessions, 1);
    let account = people.session("alice").account().await.unwrap();
    assert_eq!(account, None, "signed out here, whatever the store says");
    store.set_full(false);
    people.close().await.unwrap();
    assert_eq!(people.stats().open_sessions, 0);
}
