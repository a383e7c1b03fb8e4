//! Whose connections a request goes over, and what is read once for all on whichever runtime.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use intelliauth::{Client, ClientBuilder, Connections, Error, UnavailableReason};
use tokio::runtime::{Builder, Runtime};

use crate::support::{CLIENT_ID, CLIENT_SECRET, keeper::Keeper, spawn_calls};

fn client_of(issuer: String) -> ClientBuilder {
    Client::for_application(issuer, CLIENT_ID).client_secret(CLIENT_SECRET)
}

/// One that stands still unless a test drives it, as a worker of a server that is stuck.
fn worker() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_connection_of_a_runtime_that_stands_still_is_used_by_no_other() {
    let issuer = Keeper::start(|_| true);
    let client = client_of(issuer.issuer()).retries(0).build().unwrap();
    let (stuck, other) = (worker(), worker());
    stuck.block_on(client.get_access_token("a")).unwrap();
    other.block_on(client.get_access_token("b")).unwrap();
    assert!(issuer.connections() >= 2);
}

#[test]
fn with_many_runtimes_each_request_is_answered_and_the_first_runtime_that_ends_makes_room() {
    let issuer = Keeper::start(|_| true);
    let client = client_of(issuer.issuer()).retries(0).build().unwrap();
    let workers: Vec<_> = (0..8).map(|_| worker()).collect();
    for (n, worker) in workers.iter().enumerate() {
        let audience = format!("api{n}");
        worker.block_on(client.get_access_token(&audience)).unwrap();
    }
    drop(workers);
    let next = worker();
    let before = issuer.connections();
    next.block_on(async {
        for n in 0..20 {
            let audience = format!("next{n}");
            client.get_access_token(&audience).await.unwrap();
        }
    });
    assert!(
        issuer.connections() - before < 20,
        "connections are kept again"
    );
}

#[test]
fn a_read_of_the_metadata_on_a_runtime_that_stands_still_holds_up_no_other() {
    let issuer = Keeper::start(|arrival| arrival.connection > 0);
    let client = client_of(issuer.issuer()).build().unwrap();
    let (stuck, other) = (worker(), worker());
    let _abandoned = stuck.block_on(async {
        let calls = spawn_calls(&client, 1, &"a".into());
        issuer.arrived(1).await;
        calls
    });
    other.block_on(client.get_access_token("b")).unwrap();
}

#[test]
fn a_flight_on_a_runtime_that_stands_still_holds_up_no_caller_on_another() {
    let issuer = Keeper::start(|arrival| arrival.connection > 0);
    let client = client_of(issuer.issuer()).token_endpoint(issuer.issuer());
    let client = client.build().unwrap();
    let (stuck, other) = (worker(), worker());
    let abandoned = stuck.block_on(async {
        let calls = spawn_calls(&client, 1, &"api".into());
        issuer.arrived(1).await;
        calls
    });
    other.block_on(client.get_access_token("api")).unwrap();
    // Whoever waits there is told as soon as it is driven again, or ends.
    drop((abandoned, stuck));
    assert!(client.current("api").is_some());
}

#[test]
fn a_request_that_times_out_on_a_kept_connection_gets_a_new_one() {
    let issuer = Keeper::start(|arrival| arrival.connection > 0 || arrival.request == 0);
    let client = client_of(issuer.issuer()).request_timeout(Duration::from_secs(3));
    let client = client.build().unwrap();
    worker().block_on(client.get_access_token("api")).unwrap();
    assert!(issuer.connections() >= 2);
}

#[test]
fn after_a_timeout_no_other_kept_connection_is_tried() {
    // Two requests at one time have a connection each.
    let (both, requests) = (Barrier::new(2), AtomicUsize::new(0));
    let silent = Arc::new(AtomicUsize::new(0));
    let of_issuer = Arc::clone(&silent);
    let issuer = Keeper::start(move |arrival| {
        if matches!(requests.fetch_add(1, Ordering::SeqCst), 1 | 2) {
            both.wait();
        }
        arrival.connection >= of_issuer.load(Ordering::SeqCst)
    });
    let client = client_of(issuer.issuer()).request_timeout(Duration::from_secs(3));
    let client = client.retries(0).build().unwrap();
    worker().block_on(async {
        let calls = [
            spawn_calls(&client, 1, &"a".into()),
            spawn_calls(&client, 1, &"b".into()),
        ];
        for calls in calls {
            assert!(calls.results().await.iter().all(Result::is_ok));
        }
        silent.store(issuer.connections(), Ordering::SeqCst);
        let error = client.get_access_token("c").await.unwrap_err();
        let is_timeout = |error: &Error| {
            matches!(error, Error::Unavailable(unavailable)
                if unavailable.reason() == UnavailableReason::Timeout)
        };
        assert!(is_timeout(&error), "{error:?}");
        client.get_access_token("d").await.unwrap();
    });
}

/// How many connections twenty clients make, one after the other.
fn connections(of: impl Fn(ClientBuilder) -> ClientBuilder) -> usize {
    let issuer = Keeper::start(|_| true);
    worker().block_on(async {
        for _ in 0..20 {
            let client = of(client_of(issuer.issuer())).build().unwrap();
            client.get_access_token("api").await.unwrap();
        }
    });
    issuer.connections()
}

#[test]
fn clients_share_connections_where_they_are_told_to_and_tokens_never() {
    let shared = Connections::new();
    assert!(connections(|client| client.connections(&shared)) < 20);
    assert!(connections(|client| client) >= 20);
    let issuer = Keeper::start(|_| true);
    let clients = [1, 2].map(|_| {
        client_of(issuer.issuer())
            .connections(&shared)
            .build()
            .unwrap()
    });
    worker()
        .block_on(clients[0].get_access_token("api"))
        .unwrap();
    assert!(clients[1].current("api").is_none());
}

#[test]
fn clients_with_other_settings_share_nothing() {
    let shared = Connections::new();
    let issuer = Keeper::start(|_| true);
    worker().block_on(async {
        for seconds in 1..=3 {
            let client = client_of(issuer.issuer()).connections(&shared);
            let client = client
                .connect_timeout(Duration::from_secs(seconds))
                .build()
                .unwrap();
            client.get_access_token("api").await.unwrap();
        }
    });
    assert!(issuer.connections() >= 3);
}
