//! What a store holds of an application's sessions, as the application is shown it.

use std::collections::BTreeSet;

use intelliauth::{
    Error, FileStore, MemoryStore, People, SessionInfo, SessionKey, SessionRecord, SessionStore,
};
use intelliauth_emulator::sample;
use serde_json::Value;

use super::{
    held_up::{HeldUp, Tenant, banking, settings},
    put,
};
use crate::support::{Server, person::BANKING};

const CLIENT: &str = sample::NATIVE;

/// The members of a record.
async fn record(store: &impl SessionStore, key: &SessionKey) -> Value {
    let record = store.load(key).await.unwrap().unwrap();
    serde_json::from_slice(record.as_bytes()).unwrap()
}

async fn names(people: &People) -> BTreeSet<String> {
    let listed = people.sessions().await.unwrap();
    let count = listed.len();
    let names: BTreeSet<_> = listed.iter().map(|one| one.name().to_owned()).collect();
    assert_eq!(names.len(), count, "each of them once");
    names
}

/// Alice and Bob are signed in, and one more person was; around them stands what is not theirs.
async fn lists_its_own(tenant: &Tenant, store: impl SessionStore + Clone) {
    let issuer = tenant.emulator.issuer();
    let people = tenant.people(store.clone());
    assert!(people.sessions().await.unwrap().is_empty());
    let (alice, bob, gone) = (
        people.session("alice's"),
        people.session("bob's"),
        people.session("gone"),
    );
    let both = [banking(), settings()];
    tenant.sign_in(&alice, sample::ALICE, &both).await;
    tenant.sign_in(&bob, sample::BOB, &[settings()]).await;
    tenant.sign_in(&gone, sample::ALICE, &both).await;
    gone.sign_out().await.unwrap();

    // Those of others, and what is none.
    let key = SessionKey::new(issuer, CLIENT, "alice's");
    let own = record(&store, &key).await;
    for (member, value) in [
        ("client_id", "app_other"),
        ("issuer", "https://other.example"),
    ] {
        let mut foreign = own.clone();
        foreign[member] = value.into();
        foreign["session"] = "foreign".into();
        let of = |name: &str| foreign[name].as_str().unwrap().to_owned();
        let key = SessionKey::new(of("issuer"), of("client_id"), of("session"));
        put(
            &store,
            &key,
            &SessionRecord::from_bytes(foreign.to_string()),
        )
        .await;
    }
    let mut newer = own.clone();
    newer["version"] = 99.into();
    newer["session"] = "newer".into();
    let newer = newer.to_string();
    let torn = own.to_string();
    let torn = &torn[..torn.len() / 2];
    for (name, bytes) in [("newer", newer.as_str()), ("torn", torn), ("empty", "")] {
        let key = SessionKey::new(issuer, CLIENT, name);
        put(&store, &key, &SessionRecord::from_bytes(bytes)).await;
    }

    // A process that has just started is shown the same.
    for people in [people, tenant.people(store.clone())] {
        assert_eq!(
            names(&people).await,
            ["alice's", "bob's"].map(str::to_owned).into()
        );
        let listed = people.sessions().await.unwrap();
        let alice = listed.iter().find(|one| one.name() == "alice's").unwrap();
        assert_eq!(alice.account().subject(), Some(sample::ALICE));
        assert!(alice.can_be_refreshed());
        let covered: Vec<_> = alice.covered().collect();
        let scopes = |audience: &str| {
            let mut covered = covered.iter();
            let found = covered.find(|(one, _)| one.as_str() == audience);
            found.map(|(_, scopes)| scopes.to_string()).unwrap()
        };
        assert_eq!(covered.len(), 2);
        assert_eq!(scopes(sample::BANKING), "read:transactions");
        assert_eq!(scopes(sample::SETTINGS), "read:settings");
        let bob = listed.iter().find(|one| one.name() == "bob's").unwrap();
        assert_eq!(bob.account().subject(), Some(sample::BOB));
        assert_eq!(bob.covered().count(), 1);
    }
    // And none of it was put away for that.
    let newer_key = SessionKey::new(issuer, CLIENT, "newer");
    assert_eq!(record(&store, &newer_key).await["version"], 99);
}

#[tokio::test]
async fn an_applications_sessions_are_listed_and_nothing_else_that_its_store_holds() {
    let tenant = Tenant::start().await;
    lists_its_own(&tenant, MemoryStore::new()).await;
    let folder = tempfile::tempdir().unwrap();
    lists_its_own(
        &tenant,
        FileStore::in_directory(folder.path().join("sessions")),
    )
    .await;
}

#[tokio::test]
async fn a_listed_session_shows_no_token() {
    let tenant = Tenant::start().await;
    let store = MemoryStore::new();
    let people = tenant.people(store.clone());
    let session = people.default_session();
    tenant.sign_in(&session, sample::ALICE, &[banking()]).await;
    let token = session.client().get_access_token(banking()).await.unwrap();
    let key = SessionKey::new(tenant.emulator.issuer(), CLIENT, session.name());
    let record = record(&store, &key).await;
    let family = &record["signed_in"]["families"][0];
    let refresh_token = family["refresh_token"].as_str().unwrap();
    let listed = people.sessions().await.unwrap();
    let shown = format!("{listed:?}");
    assert!(shown.contains(sample::ALICE) && shown.contains(sample::BANKING));
    assert!(!shown.contains(token.secret()) && !shown.contains(refresh_token));
    // When it ends can be told without it.
    let ends: Vec<_> = listed.iter().flat_map(SessionInfo::tokens_end).collect();
    assert_eq!(ends.len(), 1);
    assert_eq!(ends[0].0.as_str(), sample::BANKING);
}

#[tokio::test]
async fn a_session_without_a_refresh_token_is_listed_as_one_that_ends_with_its_access_tokens() {
    let server = Server::for_people().await;
    let people = server.person().build().unwrap();
    let session = people.default_session();
    server.sign_in_as(&session, Value::Null, &[BANKING]).await;
    let listed = people.sessions().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert!(!listed[0].can_be_refreshed());
    let (audience, end) = listed[0].tokens_end().next().unwrap();
    let seconds = |end: std::time::SystemTime| {
        let since = end.duration_since(std::time::UNIX_EPOCH);
        since.unwrap().as_secs()
    };
    let now = intelliauth::Clock::now(&server.clock).wall();
    assert_eq!(audience.as_str(), BANKING);
    assert_eq!(
        seconds(end),
        seconds(now) + 1,
        "it was granted for a second"
    );
}

#[tokio::test]
async fn what_a_store_cannot_list_is_an_error() {
    let tenant = Tenant::start().await;
    let store = HeldUp::new(MemoryStore::new());
    let people = tenant.people(store.clone());
    tenant
        .sign_in(&people.default_session(), sample::ALICE, &[banking()])
        .await;
    store.set_away(true);
    let error = people.sessions().await.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error}");
    store.set_away(false);
    assert_eq!(people.sessions().await.unwrap().len(), 1);
}
