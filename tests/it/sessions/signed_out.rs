//! The person's word counts: a sign-out while the store is away, and names that nobody signed in under.

use std::{sync::atomic::Ordering, time::Duration};

use intelliauth::{
    CacheMode, Dialect, Error, FileStore, MemoryStore, SessionKey, SessionStore, TokenFamily,
};
use intelliauth_emulator::{Endpoint, Fault, sample};

use super::held_up::{HeldUp, People, banking, health};
use crate::support::{
    Server,
    person::{BANKING, HEALTH},
};

#[tokio::test]
async fn a_sign_out_holds_although_the_store_cannot_be_read() {
    for rotated_elsewhere in [false, true] {
        let people = People::start().await;
        let store = HeldUp::new(MemoryStore::new());
        let client = people.client(store.clone());
        let requests = [banking(), health()];
        people.sign_in(&client, sample::ALICE, &requests).await;
        client.get_access_token(banking()).await.unwrap();
        store.set_away(true);
        let error = client.sign_out().await.unwrap_err();
        assert!(matches!(error, Error::Store(_)), "{error}");
        client.get_access_token(banking()).await.unwrap_err();
        if rotated_elsewhere {
            let other = people.client(store.store.clone());
            let forced = banking().cache_mode(CacheMode::Refresh);
            other.get_access_token(forced).await.unwrap();
        }
        store.set_away(false);
        // Another API than the one that failed, so that nothing is remembered of it.
        let error = client.get_access_token(health()).await.unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
        assert_eq!(client.account().await.unwrap(), None);
        client.close().await;
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
    store.set_away(true);
    client.sign_out().await.unwrap_err();
    let other = people.client(store.store.clone());
    people.sign_in(&other, sample::ALICE, &[banking()]).await;
    store.set_away(false);
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
    store.set_away(true);
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
async fn whoever_signs_in_after_the_record_was_lost_stays_signed_in() {
    let people = People::start().await;
    let store = HeldUp::new(MemoryStore::new());
    let client = people.client(store.clone());
    people.sign_in(&client, sample::ALICE, &[banking()]).await;
    store.set_away(true);
    client.sign_out().await.unwrap_err();
    let key = SessionKey::new(people.emulator.issuer(), sample::NATIVE, "default");
    store.store.set_aside(&key).await.unwrap();
    // Generations and revisions start anew.
    let other = people.client(store.store.clone());
    people.sign_in(&other, sample::ALICE, &[banking()]).await;
    store.set_away(false);
    client.get_access_token(banking()).await.unwrap();
    let forced = banking().cache_mode(CacheMode::Refresh);
    other.get_access_token(forced).await.unwrap();
    assert_eq!(people.emulator.count("/oauth2/revoke"), 0);
}

#[tokio::test]
async fn a_store_that_looks_empty_for_a_while_brings_nobody_back() {
    for is_away_first in [true, false] {
        let people = People::start().await;
        let store = HeldUp::new(MemoryStore::new());
        let client = people.client(store.clone());
        people.sign_in(&client, sample::ALICE, &[banking()]).await;
        if is_away_first {
            store.set_away(true);
            client.sign_out().await.unwrap_err();
            store.set_away(false);
        }
        store.is_empty.store(true, Ordering::SeqCst);
        // Perhaps they try again. What they hear is about the place as it looks.
        let _ = client.sign_out().await;
        assert_eq!(client.account().await.unwrap(), None);
        store.is_empty.store(false, Ordering::SeqCst);
        let error = client.get_access_token(banking()).await.unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
    }
}

#[tokio::test]
async fn what_could_not_be_revoked_is_revoked_whatever_comes_next() {
    for next in ["sign in", "sign out", "close", "ask"] {
        let people = People::start().await;
        let store = HeldUp::new(MemoryStore::new());
        let client = people.client(store.clone());
        people.sign_in(&client, sample::ALICE, &[banking()]).await;
        store.set_away(true);
        client.sign_out().await.unwrap_err();
        store.set_away(false);
        match next {
            "sign in" => people.sign_in(&client, sample::ALICE, &[banking()]).await,
            "sign out" => client.sign_out().await.unwrap(),
            "ask" => drop(client.get_access_token(banking()).await),
            _ => {}
        }
        client.close().await;
        assert_eq!(people.emulator.count("/oauth2/revoke"), 1, "{next}");
    }
}

#[tokio::test]
async fn an_issuer_that_is_slow_to_revoke_holds_up_nobody() {
    let people = People::start().await;
    let store = HeldUp::new(MemoryStore::new());
    let client = people.client(store.clone());
    people.sign_in(&client, sample::ALICE, &[banking()]).await;
    store.set_away(true);
    client.sign_out().await.unwrap_err();
    store.set_away(false);
    let slow = Fault::delay(Duration::from_secs(60));
    people.emulator.fault(slow.at(Endpoint::Revoke));
    let asking = client.get_access_token(banking());
    let asked = tokio::time::timeout(Duration::from_secs(10), asking).await;
    let error = asked.unwrap().unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
}

#[tokio::test]
async fn a_family_that_ended_elsewhere_does_not_undo_a_sign_out() {
    let server = Server::for_people().await;
    let store = HeldUp::new(MemoryStore::new());
    let mut apart = Dialect::intelliauth();
    apart.token_family = TokenFamily::PerAudience;
    let build = || server.person().dialect(apart.clone());
    let client = build().store(store.clone()).build().unwrap();
    for audience in [BANKING, HEALTH] {
        let own = serde_json::json!(format!("R-{audience}"));
        server.sign_in_as(&client, own, &[audience]).await;
    }
    let ended = server.refresh(&format!("R-{BANKING}"));
    ended.refuses(400, "invalid_grant").mount().await;
    server.refresh(&format!("R-{HEALTH}")).mount().await;
    store.set_away(true);
    client.sign_out().await.unwrap_err();
    let other = build().store(store.store.clone()).build().unwrap();
    other.get_access_token(BANKING).await.unwrap_err();
    store.set_away(false);
    let error = client.get_access_token(HEALTH).await.unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
}
