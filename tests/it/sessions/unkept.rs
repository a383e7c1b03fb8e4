//! A sign-in that its store does not take: the person is signed in here, and everybody is told.

use intelliauth::{AuthorizationCode, Error, MemoryStore, Session};
use intelliauth_emulator::sample;

use super::held_up::{HeldUp, Tenant, banking, settings, subject};

const CALLBACK: &str = "http://127.0.0.1/callback";

/// Signs Alice in, in one call or in two.
async fn sign_in(tenant: &Tenant, session: &Session, in_two_calls: bool) -> Error {
    if !in_two_calls {
        let (login, _) = tenant.browser(sample::ALICE);
        let login = login.request(banking()).request(settings());
        return session.sign_in(login).await.unwrap_err();
    }
    let login = AuthorizationCode::redirect_to(CALLBACK)
        .request(banking())
        .request(settings());
    let (url, pending) = session.begin_sign_in(login).await.unwrap();
    let alice = tenant.emulator.login_as(sample::ALICE);
    let callback = alice.approve(&url).await.unwrap();
    let finished = session.finish_sign_in(&pending, callback.as_str()).await;
    finished.unwrap_err()
}

#[tokio::test]
async fn a_sign_in_that_the_store_refuses_says_so_and_counts_in_this_process() {
    for in_two_calls in [false, true] {
        let tenant = Tenant::start().await;
        let store = HeldUp::new(MemoryStore::new());
        store.set_full(true);
        let people = tenant.people(store.clone());
        let session = people.session("alice's");
        let error = sign_in(&tenant, &session, in_two_calls).await;
        let Error::Store(unkept) = &error else {
            panic!("{error}")
        };
        let account = unkept.account().expect("who has signed in");
        assert_eq!(account.subject(), Some(sample::ALICE));
        assert_eq!(session.account().await.unwrap().as_ref(), Some(account));

        // The token that came with it is hers, and costs no redemption, which could not be kept.
        let redeemed = tenant.emulator.token_requests();
        for _ in 0..2 {
            let token = session.client().get_access_token(banking()).await.unwrap();
            assert_eq!(subject(&token).as_deref(), Some(sample::ALICE));
        }
        let client = session.client();
        let error = client.get_access_token(settings()).await.unwrap_err();
        assert!(matches!(error, Error::Store(_)), "{error}");
        assert_eq!(tenant.emulator.token_requests(), redeemed);

        // Other processes know nothing of it, and the end of this one would lose it.
        let other = tenant.people(store.clone()).session("alice's");
        assert_eq!(other.account().await.unwrap(), None);
        for _ in 0..2 {
            let error = people.close().await.unwrap_err();
            assert!(matches!(error, Error::Store(_)), "{error}");
        }

        store.set_full(false);
        people.close().await.unwrap();
        assert_eq!(other.account().await.unwrap().as_ref(), Some(account));
        let token = other.client().get_access_token(settings()).await.unwrap();
        assert_eq!(subject(&token).as_deref(), Some(sample::ALICE));
    }
}

#[tokio::test]
async fn one_session_that_could_not_be_written_is_told_beside_those_that_were() {
    let tenant = Tenant::start().await;
    let store = HeldUp::new(MemoryStore::new());
    let people = tenant.people(store.clone());
    let (alice, bob) = (people.session("alice's"), people.session("bob's"));
    tenant.sign_in(&alice, sample::ALICE, &[banking()]).await;
    people.close().await.unwrap();
    store.set_full(true);
    tenant.sign_in(&bob, sample::BOB, &[settings()]).await;
    alice.sign_out().await.unwrap_err();
    let error = people.close().await.unwrap_err();
    assert!(error.to_string().contains("2 sessions"), "{error}");
    store.set_full(false);
    people.close().await.unwrap();
    let other = tenant.people(store.clone());
    let subject = other.session("bob's").account().await.unwrap().unwrap();
    assert_eq!(subject.subject(), Some(sample::BOB));
    assert_eq!(other.session("alice's").account().await.unwrap(), None);
}

#[tokio::test]
async fn who_signed_in_while_the_store_was_away_stays_when_it_shows_who_was_before() {
    for has_looked_before in [true, false] {
        let tenant = Tenant::start().await;
        let store = HeldUp::new(MemoryStore::new());
        let before = tenant.session(store.clone());
        tenant.sign_in(&before, sample::ALICE, &[banking()]).await;
        // The program has started anew since.
        let session = tenant.session(store.clone());
        if has_looked_before {
            assert!(session.account().await.unwrap().is_some());
        }
        store.set_away(true);
        let login = AuthorizationCode::redirect_to(CALLBACK).request(settings());
        let (url, pending) = session.begin_sign_in(login).await.unwrap();
        let bob = tenant.emulator.login_as(sample::BOB);
        let callback = bob.approve(&url).await.unwrap();
        let finished = session.finish_sign_in(&pending, callback.as_str()).await;
        let Err(Error::Store(unkept)) = finished else {
            panic!("{finished:?}")
        };
        let account = unkept.account().expect("who has signed in");
        assert_eq!(account.subject(), Some(sample::BOB));
        store.set_away(false);
        // Bob was told that this is his session, and he sits here.
        let found = session.account().await.unwrap();
        assert_eq!(found.as_ref(), Some(account), "{has_looked_before}");
        session.client().close().await.unwrap();
        let other = tenant.session(store.clone());
        assert_eq!(other.account().await.unwrap().as_ref(), Some(account));
    }
}
