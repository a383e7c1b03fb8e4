//! A record says until when a store has to keep it, where that is known.

use std::time::Duration;

use intelliauth::{Clock, MemoryStore, SessionKey, SessionStore};
use serde_json::{Value, json};

use crate::support::{CLIENT_ID, Server, person::BANKING};

/// How long the record of the session is worth keeping from now on.
async fn left(server: &Server, store: &MemoryStore) -> Option<Duration> {
    let key = SessionKey::new(server.issuer(), CLIENT_ID, "default");
    let record = store.load(&key).await.unwrap().unwrap();
    let now = server.clock.now().wall();
    Some(record.keep_until()?.duration_since(now).unwrap())
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A record counts whole seconds, and the access token of a sign-in lasts for one.
const SOME_SECONDS: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_record_says_until_when_it_is_worth_keeping_and_a_refresh_token_is_for_as_long_as_it_lives()
 {
    let (server, store) = (Server::for_people().await, MemoryStore::new());
    let people = server.person().store(store.clone()).build().unwrap();
    let session = people.default_session();
    server.sign_in_as(&session, json!("R0"), &[BANKING]).await;
    assert_eq!(left(&server, &store).await, None, "its issuer alone knows");

    session.sign_out().await.unwrap();
    let tombstone = left(&server, &store).await.unwrap();
    assert!(tombstone.abs_diff(DAY) <= SOME_SECONDS, "{tombstone:?}");

    server.sign_in_as(&session, Value::Null, &[BANKING]).await;
    let covered = left(&server, &store).await.unwrap();
    assert!(covered.abs_diff(30 * DAY) <= SOME_SECONDS, "{covered:?}");
}
