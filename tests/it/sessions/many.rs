//! Any number of people: a hit counts as use, a stranger leaves nothing, and one person's acts are their own.

use intelliauth::{Error, People};
use serde_json::json;

use crate::support::{
    Server, at_once,
    person::{BANKING, HEALTH},
    planted::{Asked, Counting, kept, name},
};

/// Evictions come in small batches: the bound is exceeded by no more than this.
const SLACK: usize = 16;

/// So many people with a session, and a people of them with room for so many slots.
async fn planted(count: usize, capacity: u64) -> (Server, Counting, People) {
    let (server, store) = (Server::for_people().await, Counting::new());
    let people = server.person().store(store.clone());
    let people = people.cache_capacity(capacity).build().unwrap();
    server.plant(&people, &store.store, count).await;
    store.asked();
    (server, store, people)
}

/// One call for each of them.
async fn call_all(people: &People, count: usize) {
    for number in 0..count {
        let session = people.session(name(number));
        session.client().get_access_token(kept()).await.unwrap();
    }
}

#[tokio::test]
async fn three_thousand_people_in_turn_are_hits_after_the_first_round() {
    const PEOPLE: usize = 3_000;
    let (server, store, people) = planted(PEOPLE, 100_000).await;
    let redeemed = server.count().await;
    call_all(&people, PEOPLE).await;
    let (counts, asked) = (people.stats(), store.asked());
    assert_eq!((counts.slots, counts.open_sessions), (PEOPLE, PEOPLE));
    for _ in 0..3 {
        for number in 0..PEOPLE {
            let session = people.session(name(number));
            let token = at_once(session.client().get_access_token(kept()));
            assert!(token.unwrap().is_ok(), "a hit waits for nothing");
        }
    }
    assert_eq!(
        people.stats(),
        counts,
        "no flight, and nothing is let go of"
    );
    assert_eq!(store.asked(), Asked::default());
    assert!(asked.loads <= 2 * PEOPLE, "{asked:?}");
    assert_eq!(server.count().await, redeemed);
}

#[tokio::test]
async fn names_that_are_made_up_cost_a_look_each_and_leave_nothing() {
    const PEOPLE: usize = 100;
    const STRANGERS: usize = 5_000;
    // Full to the brim, so that a slot for a stranger would have to take another's place.
    let (_server, store, people) = planted(PEOPLE, PEOPLE as u64).await;
    call_all(&people, PEOPLE).await;
    let before = people.stats();
    store.asked();
    for number in 0..STRANGERS {
        let stranger = people.session(format!("stranger-{number}"));
        let client = stranger.client();
        let outcome = if number % 2 == 0 {
            client.get_access_token(kept()).await
        } else {
            let handle = client.audience(kept());
            assert!(handle.current().is_none());
            handle.get_access_token().await
        };
        let Error::Login(login) = outcome.unwrap_err() else {
            panic!("it needs a person")
        };
        // It says how to go on all the same.
        login.authorization_url("https://app.example/").unwrap();
    }
    assert_eq!(
        people.stats(),
        before,
        "no flight, slot, eviction or session"
    );
    let look = Asked {
        loads: STRANGERS,
        ..Asked::default()
    };
    assert_eq!(store.asked(), look, "neither locked nor written");
    for number in 0..PEOPLE {
        let session = people.session(name(number));
        assert!(
            session.client().current(kept()).is_some(),
            "{number} is still a hit"
        );
    }
}

#[tokio::test]
async fn callers_of_one_made_up_name_at_one_time_share_one_look() {
    let (_server, store, people) = planted(0, 100).await;
    let stranger = people.session("stranger");
    store.hold();
    let mut calls: Vec<_> = (0..50)
        .map(|_| {
            let stranger = stranger.clone();
            Box::pin(async move { stranger.client().get_access_token(kept()).await.map(|_| ()) })
        })
        .collect();
    for call in &mut calls {
        assert!(at_once(call.as_mut()).is_none(), "it waits for the store");
    }
    // One that gives up takes nothing from the others.
    drop(calls.swap_remove(0));
    // What comes after all of them waits for the store as well: so they have all come that far.
    let last = people.session("last");
    let mut last = Box::pin(last.account());
    assert!(at_once(last.as_mut()).is_none(), "it waits for the store");
    store.is_asked_for_loads(2).await;
    store.release();
    let calls: Vec<_> = calls.into_iter().map(tokio::spawn).collect();
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
    }
    assert_eq!(last.await.unwrap(), None);
    assert_eq!(
        store.asked().loads,
        2,
        "one for all of them, and one for the last"
    );
    stranger
        .client()
        .get_access_token(kept())
        .await
        .unwrap_err();
    assert_eq!(store.asked().loads, 1, "nothing is remembered");
}

#[tokio::test]
async fn a_sign_in_counts_at_once_for_a_name_that_is_being_looked_for() {
    let (server, store, people) = planted(0, 100).await;
    let alice = people.session("alice");
    store.hold();
    let mut early = Box::pin(alice.client().get_access_token(BANKING));
    assert!(at_once(early.as_mut()).is_none(), "it waits for the store");
    // What the early call reads was there before this.
    store.release();
    server.sign_in_as(&alice, json!("A0"), &[BANKING]).await;
    server.refresh("A0").mount().await;
    alice.client().get_access_token(BANKING).await.unwrap();
    let _either = early.await;
}

#[tokio::test]
async fn signing_out_leaves_the_hits_of_all_others() {
    const PEOPLE: usize = 200;
    let (_server, _store, people) = planted(PEOPLE, 1_000).await;
    call_all(&people, PEOPLE).await;
    let flights = people.stats().flights;
    let one = people.session(name(7));
    one.sign_out().await.unwrap();
    assert!(one.client().current(kept()).is_none());
    for number in (0..PEOPLE).filter(|&number| number != 7) {
        let session = people.session(name(number));
        assert!(
            session.client().current(kept()).is_some(),
            "{number} is still a hit"
        );
    }
    assert_eq!(people.stats().flights, flights);
    assert_eq!(people.stats().evictions, 0);
}

#[tokio::test]
async fn a_sign_out_ends_every_token_of_the_session_however_it_was_asked_for() {
    let (server, _store, people) = planted(0, 1_000).await;
    let session = people.default_session();
    let client = session.client();
    server.sign_in(&session).await;
    server.rotates("R0", "R0").mount().await;
    let requests: Vec<_> = (0..40)
        .map(|n| kept().parameter("prompt", n.to_string()))
        .chain([kept(), BANKING.into(), HEALTH.into()])
        .collect();
    for request in &requests {
        client.get_access_token(request).await.unwrap();
    }
    client.clear(HEALTH);
    assert!(client.current(HEALTH).is_none() && client.current(&requests[0]).is_some());
    client.clear(BANKING);
    assert!(requests.iter().all(|one| client.current(one).is_none()));
    for request in &requests {
        client.get_access_token(request).await.unwrap();
    }
    session.sign_out().await.unwrap();
    assert!(requests.iter().all(|one| client.current(one).is_none()));
}

#[tokio::test]
async fn open_sessions_are_as_many_as_the_cache_has_room_for() {
    const PEOPLE: usize = 2_000;
    const CAPACITY: usize = 100;
    let (_server, _store, people) = planted(PEOPLE, CAPACITY as u64).await;
    call_all(&people, PEOPLE).await;
    let counts = people.stats();
    assert!(counts.slots <= CAPACITY + SLACK, "{counts:?}");
    // And the one that the people itself stands for.
    assert!(counts.open_sessions <= counts.slots + SLACK, "{counts:?}");
    assert!(counts.slots >= CAPACITY - SLACK, "{counts:?}");
    drop(people);
}

#[tokio::test]
async fn a_person_who_is_asked_for_all_the_time_stays_among_thousands() {
    const PEOPLE: usize = 1_000;
    let (_server, _store, people) = planted(PEOPLE, 100).await;
    let hot = people.session(name(0));
    hot.client().get_access_token(kept()).await.unwrap();
    for number in 1..PEOPLE {
        let session = people.session(name(number));
        session.client().get_access_token(kept()).await.unwrap();
        assert!(people.session(name(0)).client().current(kept()).is_some());
    }
    assert_eq!(people.stats().flights, PEOPLE as u64);
}

#[tokio::test]
async fn a_handle_from_before_the_sign_in_keeps_the_token_that_any_call_has_fetched() {
    let (server, _store, people) = planted(100, 16).await;
    let alice = people.session("alice");
    let (handle, idle) = (
        alice.client().audience(BANKING),
        alice.client().audience(BANKING),
    );
    let clone = handle.clone();
    server.sign_in_as(&alice, json!("A0"), &[BANKING]).await;
    server.refresh("A0").expect(1).mount().await;
    let token = alice.client().get_access_token(BANKING).await.unwrap();
    assert_eq!(clone.current().unwrap().secret(), token.secret());
    drop(clone);
    // From now on it is in the place of no other, though only a clone was asked.
    call_all(&people, 100).await;
    assert_eq!(handle.current().unwrap().secret(), token.secret());
    assert_eq!(idle.current().unwrap().secret(), token.secret());
    assert!(at_once(handle.get_access_token()).unwrap().is_ok());
}

/// In which another process signs another person in.
#[tokio::test]
async fn a_session_that_was_let_go_of_is_read_anew() {
    let (server, store, people) = planted(100, 16).await;
    let other = server.person().store(store.clone()).build().unwrap();
    let there = other.session("shared");
    server
        .sign_in_as(&people.session("shared"), json!("A0"), &[BANKING])
        .await;
    server.refresh("A0").access_token("of-a").mount().await;
    server.refresh("B0").access_token("of-b").mount().await;
    let first = people
        .session("shared")
        .client()
        .get_access_token(BANKING)
        .await;
    assert_eq!(first.unwrap().secret(), "of-a");
    server.sign_in_as(&there, json!("B0"), &[BANKING]).await;
    call_all(&people, 100).await;
    let second = people
        .session("shared")
        .client()
        .get_access_token(BANKING)
        .await;
    assert_eq!(second.unwrap().secret(), "of-b");
}

#[tokio::test]
async fn clients_and_handles_keep_their_sessions_and_let_go_of_them() {
    let (_server, _store, people) = planted(1, 16).await;
    let open = || people.stats().open_sessions;
    assert_eq!(open(), 0);
    let alice = people.session("alice");
    let (again, handle) = (people.session("alice"), alice.client().audience(BANKING));
    assert_eq!(open(), 1, "one name is one session");
    drop((alice, again));
    assert_eq!((open(), people.stats().slots), (1, 0));
    let error = handle.get_access_token().await.unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
    assert_eq!(
        people.stats().slots,
        0,
        "a handle makes none before a token"
    );
    drop(people.session("bob"));
    assert_eq!(open(), 1);
}
