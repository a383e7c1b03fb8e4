//! A store whose calls never return: an error for who waits, and nothing for all others.

use std::{collections::HashSet, time::Duration};

use intelliauth::{
    DEFAULT_FLIGHT_TIMEOUT, DEFAULT_STORE_TIMEOUT, Error, FamilyKey, HeldLock, MemoryStore, Saved,
    Session, SessionKey, SessionLock, SessionRecord, SessionStore, StoreError, StoreErrorKind,
    Version,
};
use serde_json::json;
use tokio::sync::watch;

use crate::support::{
    Server,
    person::{BANKING, HEALTH, sign_in_with},
};

/// What may never return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Call {
    Load,
    Save,
    Lock,
    IsHeld,
    Release,
    List,
}

/// A store some of whose calls do not return, for one session.
#[derive(Clone, Debug)]
struct Unanswering {
    store: MemoryStore,
    /// Those that do not, until they are taken out of it again.
    stuck: watch::Sender<HashSet<Call>>,
    /// How many of them were made.
    calls: watch::Sender<usize>,
    /// What the lock was last asked to wait.
    patience: watch::Sender<Duration>,
}

const STUCK: &str = "alice";

impl Unanswering {
    fn new() -> Self {
        Self {
            store: MemoryStore::new(),
            stuck: watch::Sender::default(),
            calls: watch::Sender::new(0),
            patience: watch::Sender::default(),
        }
    }

    fn set_stuck(&self, call: Call) {
        self.stuck.send_if_modified(|stuck| stuck.insert(call));
    }

    fn set_answering(&self) {
        self.stuck.send_modify(HashSet::clear);
    }

    /// Until a call was made that does not return.
    async fn is_called(&self) {
        let mut calls = self.calls.subscribe();
        calls.wait_for(|calls| *calls > 0).await.unwrap();
    }

    async fn answers(&self, call: Call, session: &str) {
        let mut stuck = self.stuck.subscribe();
        if session == STUCK && stuck.borrow().contains(&call) {
            self.calls.send_modify(|calls| *calls += 1);
            drop(stuck.wait_for(|stuck| !stuck.contains(&call)).await);
        }
    }
}

impl SessionStore for Unanswering {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        self.answers(Call::Load, key.session()).await;
        self.store.load(key).await
    }

    async fn save(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        replacing: Option<Version>,
    ) -> Result<Saved, StoreError> {
        self.answers(Call::Save, key.session()).await;
        self.store.save(key, record, replacing).await
    }

    async fn lock(
        &self,
        family: &FamilyKey,
        patience: Duration,
    ) -> Result<SessionLock, StoreError> {
        let session = family.session().session().to_owned();
        self.patience.send_replace(patience);
        self.answers(Call::Lock, &session).await;
        Ok(SessionLock::new(Held {
            store: self.clone(),
            session,
            lock: self.store.lock(family, patience).await?,
        }))
    }

    async fn set_aside(&self, key: &SessionKey, version: Version) -> Result<(), StoreError> {
        self.store.set_aside(key, version).await
    }

    async fn list(&self, visit: &mut (dyn FnMut(SessionRecord) + Send)) -> Result<(), StoreError> {
        self.answers(Call::List, STUCK).await;
        self.store.list(visit).await
    }
}

struct Held {
    store: Unanswering,
    session: String,
    lock: SessionLock,
}

impl HeldLock for Held {
    async fn is_held(&self) -> bool {
        self.store.answers(Call::IsHeld, &self.session).await;
        self.lock.is_held().await
    }

    async fn release(self) {
        self.store.answers(Call::Release, &self.session).await;
        self.lock.release().await;
    }
}

/// Alice and Bob are signed in, and a call into the store may take so long.
async fn signed_in(store_timeout: Duration) -> (Server, Unanswering, [Session; 2]) {
    let (server, store) = (Server::for_people().await, Unanswering::new());
    let people = server.person().store(store.clone());
    // Nothing else ends a call.
    let people = people.flight_timeout(HOUR).wait_timeout(HOUR);
    let people = people.store_timeout(store_timeout).build().unwrap();
    let sessions = [STUCK, "bob"].map(|name| people.session(name));
    for (session, token) in sessions.iter().zip(["A0", "B0"]) {
        let both = [BANKING, HEALTH];
        server.sign_in_as(session, json!(token), &both).await;
        server.refresh(token).mount().await;
    }
    (server, store, sessions)
}

/// For what must not hang: it has a limit of its own, and no correct run waits for this one.
#[expect(clippy::unwrap_used, reason = "a failure here is a failed test")]
async fn in_time<T>(call: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, call).await.unwrap()
}

fn unanswered(error: &Error) -> bool {
    matches!(error, Error::Store(error) if error.kind() == StoreErrorKind::Io)
}

const SHORT: Duration = Duration::from_millis(50);

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_store_call_that_never_returns_is_an_error_within_the_clients_own_limit() {
    for call in [Call::Load, Call::Save] {
        let (server, store, [alice, _bob]) = signed_in(SHORT).await;
        store.set_stuck(call);
        let asking = alice.client().get_access_token(BANKING);
        let error = in_time(asking).await.unwrap_err();
        assert!(unanswered(&error), "{call:?}: {error}");
        assert_eq!(
            server.redemptions().await.len(),
            0,
            "what cannot be kept is not redeemed"
        );
        let error = in_time(alice.sign_out()).await.unwrap_err();
        assert!(unanswered(&error), "{call:?}: {error}");
        let code = server.token().with_parameter("code", "again");
        code.member("refresh_token", json!("A1")).mount().await;
        let error = in_time(sign_in_with(&alice, "again", &[BANKING]))
            .await
            .unwrap_err();
        assert!(unanswered(&error), "{call:?}: {error}");
        assert!(matches!(&error, Error::Store(error) if error.account().is_some()));
        let error = in_time(alice.client().close()).await.unwrap_err();
        assert!(matches!(error, Error::Store(_)), "{call:?}: {error}");
        store.set_answering();
        alice.client().close().await.unwrap();
        let other = server.person().store(store.clone()).build().unwrap();
        server.rotates("A1", "A2").expect(1).mount().await;
        let other = other.session(STUCK);
        other.client().get_access_token(BANKING).await.unwrap();
    }
}

#[tokio::test]
async fn a_store_that_never_lists_what_it_holds_is_an_error() {
    let (server, store) = (Server::for_people().await, Unanswering::new());
    let people = server.person().store(store.clone()).store_timeout(SHORT);
    let people = people.build().unwrap();
    store.set_stuck(Call::List);
    let error = in_time(people.sessions()).await.unwrap_err();
    assert!(unanswered(&error), "{error}");
}

#[tokio::test]
async fn a_lock_that_does_not_say_whether_it_is_held_is_taken_for_lost() {
    let (server, store, [alice, _bob]) = signed_in(SHORT).await;
    store.set_stuck(Call::IsHeld);
    let asking = alice.client().get_access_token(BANKING);
    let error = in_time(asking).await.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error}");
    assert_eq!(server.redemptions().await.len(), 0, "another may have it");
    store.set_answering();
    // It counts as not redeemed: there is no mark that would use up the repetition.
    for audience in [HEALTH, BANKING] {
        server.advance(60.0);
        alice.client().get_access_token(audience).await.unwrap();
    }
}

#[tokio::test]
async fn without_its_lock_a_process_does_not_say_that_the_answers_are_lost() {
    let (server, store) = (Server::for_people().await, Unanswering::new());
    let people = server.person().store(store.clone()).store_timeout(SHORT);
    let alice = people.build().unwrap().session(STUCK);
    server.sign_in(&alice).await;
    let torn = server.refresh("R0");
    let torn = torn.raw(200, r#"{"access_token":"t","refr"#, "application/json");
    torn.expect(2).mount().await;
    for _ in 0..2 {
        let error = alice.client().get_access_token(BANKING).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
        server.advance(60.0);
    }
    // Another process may hold the lock by now, and get its answer any moment.
    store.set_stuck(Call::IsHeld);
    let asking = alice.client().get_access_token(BANKING);
    let error = in_time(asking).await.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error}");
    store.set_answering();
    server.advance(60.0);
    let error = alice.client().get_access_token(BANKING).await.unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
}

#[tokio::test]
async fn a_lock_whose_release_never_returns_holds_up_no_answer() {
    let (_server, store, [alice, _bob]) = signed_in(SHORT).await;
    store.set_stuck(Call::Release);
    for audience in [BANKING, HEALTH] {
        let asking = alice.client().get_access_token(audience);
        in_time(asking).await.unwrap();
    }
}

#[tokio::test]
async fn a_store_call_that_never_returns_holds_up_no_other_session() {
    for call in [Call::Load, Call::Save, Call::Lock] {
        let (server, store, [alice, bob]) = signed_in(HOUR).await;
        store.set_stuck(call);
        let stuck = tokio::spawn({
            let alice = alice.clone();
            async move { alice.client().get_access_token(BANKING).await.map(|_| ()) }
        });
        store.is_called().await;
        for audience in [BANKING, HEALTH] {
            let asking = bob.client().get_access_token(audience);
            in_time(asking).await.unwrap();
        }
        assert!(in_time(bob.account()).await.unwrap().is_some());
        in_time(bob.sign_out()).await.unwrap();
        server.sign_in_as(&bob, json!("B1"), &[BANKING]).await;
        assert!(
            !stuck.is_finished(),
            "{call:?} has not returned all the while"
        );
        stuck.abort();
        // The end of a runtime waits for what was begun in it.
        store.set_answering();
    }
}

#[tokio::test]
async fn a_lock_that_hangs_is_given_up_before_its_flight_so_that_the_store_is_named() {
    let (server, store, [alice, _bob]) = signed_in(HOUR).await;
    server.refresh("A0").mount().await;
    alice.client().get_access_token(BANKING).await.unwrap();
    let patience = *store.patience.borrow();
    assert!(!patience.is_zero());
    let all = patience + DEFAULT_STORE_TIMEOUT;
    assert!(all < DEFAULT_FLIGHT_TIMEOUT, "{all:?}");
}
