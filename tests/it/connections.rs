//! Whose connections a request goes over, and what is read once for all on whichever runtime.

use intelliauth::{CacheMode, Client, ClientBuilder, Connections, TokenRequest};
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
fn each_request_has_a_connection_of_its_own_on_whichever_runtime() {
    let issuer = Keeper::start(|_| true);
    let client = client_of(issuer.issuer()).retries(0).build().unwrap();
    for worker in [worker(), worker()] {
        worker.block_on(async {
            for n in 0..5 {
                let audience = format!("api{n}");
                let fresh = TokenRequest::new(&audience).cache_mode(CacheMode::Refresh);
                client.get_access_token(fresh).await.unwrap();
            }
        });
    }
    assert_eq!(issuer.connections(), 11, "the metadata, and ten tokens");
}

#[test]
fn what_an_issuer_sends_too_much_of_answers_no_other_request() {
    let issuer = Keeper::answering_twice();
    let client = client_of(issuer.issuer()).retries(0).build().unwrap();
    worker().block_on(async {
        for n in 0..100 {
            let token = client.get_access_token(&format!("api{n}")).await.unwrap();
            assert_eq!(token.secret(), format!("token-for-api{n}"));
        }
    });
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
fn clients_that_share_connections_share_no_token() {
    let shared = Connections::new();
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
