//! The person's word counts: a sign-out while the store is away, and names that nobody signed in under.

use std::{sync::atomic::Ordering, time::Duration};

use intelliauth::{
    CacheMode, Dialect, Error, FileStore, MemoryStore, SessionKey, SessionStore, TokenFamily,
};
use intelliauth_emulator::{Endpoint, Fault, sample};

use super::held_up::{HeldUp, Tenant, banking, health};
use crate::support::{
    Server,
    person::{BANKING, HEALTH},
};

#[tokio::test]
async fn a_sign_out_holds_although_the_store_cannot_be_read() {
    for rotated_elsewhere in [false, true] {
        let tenant = Tenant::start().await;
        let store = HeldUp::new(MemoryStore::new());
        let session = tenant.session(store.clone());
        let requests = [banking(), health()];
        tenant.sign_in(&session, sample::ALICE, &requests).await;
        session.client().get_access_token(banking()).await.unwrap();
        store.set_away(true);
        let error = session.sign_out().await.unwrap_err();
        assert!(matches!(error, Error::Store(_)), "{error}");
        session
            .client()
            .get_access_token(banking())
            .await
            .unwrap_err();
        if rotated_elsewhere {
            let other = tenant.session(store.store.clone());
            let forced = banking().cache_mode(CacheMode::Refresh);
            other.client().get_access_token(forced).await.unwrap();
        }
        store.set_away(false);
        // Another API than the one that failed, so that nothing is remembered of it.
        let error = session
            .client()
            .get_access_token(health())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
        assert_eq!(session.account().await.unwrap(), None);
        session.client().close().await.unwrap();
        assert_eq!(tenant.emulator.count("/oauth2/revoke"), 1);
        let other = tenant.session(store.store.clone());
        let error = other
            .client()
            .get_access_token(banking())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
        // And whoever signs in again is in.
        tenant.sign_in(&session, sample::ALICE, &requests).await;
        session.client().get_access_token(health()).await.unwrap();
        assert_eq!(tenant.emulator.count("/oauth2/revoke"), 1);
    }
}

#[tokio::test]
async fn whoever_signs_in_elsewhere_after_it_stays_signed_in() {
    let tenant = Tenant::start().await;
    let store = HeldUp::new(MemoryStore::new());
    let session = tenant.session(store.clone());
    tenant.sign_in(&session, sample::ALICE, &[banking()]).await;
    store.set_away(true);
    session.sign_out().await.unwrap_err();
    let other = tenant.session(store.store.clone());
    tenant.sign_in(&other, sample::ALICE, &[banking()]).await;
    store.set_away(false);
    session.client().get_access_token(banking()).await.unwrap();
    session.client().close().await.unwrap();
    let forced = banking().cache_mode(CacheMode::Refresh);
    other.client().get_access_token(forced).await.unwrap();
}

#[tokio::test]
async fn nobody_is_asked_for_what_could_not_be_kept() {
    let tenant = Tenant::start().await;
    let store = HeldUp::new(MemoryStore::new());
    let session = tenant.session(store.clone());
    store.set_away(true);
    let (login, prompts) = tenant.browser(sample::ALICE);
    let error = session.sign_in(login.request(banking())).await.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error}");
    assert_eq!(prompts.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_name_that_a_stranger_makes_up_leaves_no_file() {
    let tenant = Tenant::start().await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("sessions");
    let people = tenant.people(FileStore::in_directory(&place));
    for number in 0..20 {
        let stranger = people.session(format!("made-up-{number}"));
        let error = stranger
            .client()
            .get_access_token(banking())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
        stranger.sign_out().await.unwrap();
    }
    let files = std::fs::read_dir(&place).map_or(0, Iterator::count);
    assert_eq!(files, 0);
    assert_eq!(tenant.emulator.token_requests(), 0);
}

#[tokio::test]
async fn whoever_signs_in_after_the_record_was_lost_stays_signed_in() {
    let tenant = Tenant::start().await;
    let store = HeldUp::new(MemoryStore::new());
    let session = tenant.session(store.clone());
    tenant.sign_in(&session, sample::ALICE, &[banking()]).await;
    store.set_away(true);
    session.sign_out().await.unwrap_err();
    let key = SessionKey::new(tenant.emulator.issuer(), sample::NATIVE, "default");
    let version = store.store.load(&key).await.unwrap().unwrap().version();
    store.store.set_aside(&key, version).await.unwrap();
    // Generations and revisions start anew.
    let other = tenant.session(store.store.clone());
    tenant.sign_in(&other, sample::ALICE, &[banking()]).await;
    store.set_away(false);
    session.client().get_access_token(banking()).await.unwrap();
    let forced = banking().cache_mode(CacheMode::Refresh);
    other.client().get_access_token(forced).await.unwrap();
    assert_eq!(tenant.emulator.count("/oauth2/revoke"), 0);
}

#[tokio::test]
async fn a_store_that_looks_empty_for_a_while_brings_nobody_back() {
    for is_away_first in [true, false] {
        let tenant = Tenant::start().await;
        let store = HeldUp::new(MemoryStore::new());
        let session = tenant.session(store.clone());
        tenant.sign_in(&session, sample::ALICE, &[banking()]).await;
        if is_away_first {
            store.set_away(true);
            session.sign_out().await.unwrap_err();
            store.set_away(false);
        }
        store.is_empty.store(true, Ordering::SeqCst);
        // Perhaps they try again. What they hear is about the place as it looks.
        let _ = session.sign_out().await;
        assert_eq!(session.account().await.unwrap(), None);
        store.is_empty.store(false, Ordering::SeqCst);
        let error = session
            .client()
            .get_access_token(banking())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
    }
}

#[tokio::test]
async fn what_could_not_be_revoked_is_revoked_whatever_comes_next() {
    for next in ["sign in", "sign out", "close", "ask"] {
        let tenant = Tenant::start().await;
        let store = HeldUp::new(MemoryStore::new());
        let session = tenant.session(store.clone());
        tenant.sign_in(&session, sample::ALICE, &[banking()]).await;
        store.set_away(true);
        session.sign_out().await.unwrap_err();
        store.set_away(false);
        match next {
            "sign in" => tenant.sign_in(&session, sample::ALICE, &[banking()]).await,
            "sign out" => drop(session.sign_out().await.unwrap()),
            "ask" => drop(session.client().get_access_token(banking()).await),
            _ => {}
        }
        session.client().close().await.unwrap();
        assert_eq!(tenant.emulator.count("/oauth2/revoke"), 1, "{next}");
    }
}

#[tokio::test]
async fn an_issuer_that_is_slow_to_revoke_holds_up_nobody() {
    let tenant = Tenant::start().await;
    let store = HeldUp::new(MemoryStore::new());
    let session = tenant.session(store.clone());
    tenant.sign_in(&session, sample::ALICE, &[banking()]).await;
    store.set_away(true);
    session.sign_out().await.unwrap_err();
    store.set_away(false);
    let slow = Fault::delay(Duration::from_secs(3600));
    tenant.emulator.fault(slow.at(Endpoint::Revoke));
    let asking = session.client().get_access_token(banking());
    let asked = tokio::time::timeout(crate::support::HANGS, asking).await;
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
    let people = build().store(store.clone()).build().unwrap();
    let session = people.default_session();
    for audience in [BANKING, HEALTH] {
        let own = serde_json::json!(format!("R-{audience}"));
        server.sign_in_as(&session, own, &[audience]).await;
    }
    let ended = server.refresh(&format!("R-{BANKING}"));
    ended.refuses(400, "invalid_grant").mount().await;
    server.refresh(&format!("R-{HEALTH}")).mount().await;
    store.set_away(true);
    session.sign_out().await.unwrap_err();
    let other = build().store(store.store.clone()).build().unwrap();
    let other = other.default_session();
    other.client().get_access_token(BANKING).await.unwrap_err();
    store.set_away(false);
    let error = session.client().get_access_token(HEALTH).await.unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
}

#[tokio::test]
async fn a_refresh_token_that_a_later_sign_in_replaced_is_revoked_at_the_sign_out() {
    for is_elsewhere in [false, true] {
        let server = Server::for_people().await;
        let store = MemoryStore::new();
        let session = || {
            let people = server.person().store(store.clone());
            people.build().unwrap().default_session()
        };
        let here = session();
        for refresh_token in ["R0", "S0", "T0"] {
            let token = serde_json::json!(refresh_token);
            server.sign_in_as(&here, token, &[BANKING, HEALTH]).await;
        }
        server.rotates("T0", "T1").expect(1).mount().await;
        here.client().get_access_token(BANKING).await.unwrap();
        // RFC 7009 section 2.1: it may be the same grant, which is in use.
        assert!(server.revoked().await.is_empty());
        let signing_out = if is_elsewhere { session() } else { here };
        signing_out.sign_out().await.unwrap();
        signing_out.client().close().await.unwrap();
        let mut revoked = server.revoked().await;
        revoked.sort_unstable();
        assert_eq!(revoked, ["R0", "S0", "T1"]);
    }
}

#[tokio::test]
async fn a_sign_out_while_the_directory_is_away_is_made_up_for_when_it_is_back() {
    let above = tempfile::tempdir().unwrap();
    let (here, away) = (above.path().join("sessions"), above.path().join("away"));
    let tenant = Tenant::start().await;
    let session = tenant.session(FileStore::in_directory(&here));
    tenant.sign_in(&session, sample::ALICE, &[banking()]).await;
    std::fs::rename(&here, &away).unwrap();
    let error = session.sign_out().await.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error}");
    assert!(!here.exists(), "no other one was made");
    std::fs::rename(&away, &here).unwrap();
    session.client().close().await.unwrap();
    let other = tenant.session(FileStore::in_directory(&here));
    let error = other
        .client()
        .get_access_token(banking())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
}
