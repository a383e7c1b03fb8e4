//! A server that is restarted.

use std::{net::Ipv4Addr, time::Duration};

use intelliauth::{Error, UnavailableReason};

use crate::support::{BANKING, HEALTH, Server, Settings};

#[tokio::test]
async fn a_restart_is_unavailable_for_a_moment_and_then_over() {
    let mut server = Server::with(alone_at(2));
    // The first try may go out on a connection that has ended with the server.
    let client = server.jobs().retries(1).build().unwrap();
    let banking = client.get_access_token(BANKING).await.unwrap();

    server.stop();
    let error = client.get_access_token(HEALTH).await;
    let Err(Error::Unavailable(unavailable)) = error else {
        panic!("{error:?}");
    };
    assert_eq!(unavailable.reason(), UnavailableReason::Connect);
    let same = client.get_access_token(BANKING).await.unwrap();
    assert_eq!(
        same.secret(),
        banking.secret(),
        "what is cached stays in use"
    );

    server.restart();
    let error = client.get_access_token(HEALTH).await.unwrap_err();
    assert!(error.is_retryable(), "remembered for a while");
    assert_eq!(server.token_requests(), 0);
    server.clock.advance(Duration::from_secs(2));
    let health = client.get_access_token(HEALTH).await.unwrap();
    server.verify(health.secret(), HEALTH).await.unwrap();
    assert_eq!(server.token_requests(), 1);
}

#[tokio::test]
async fn a_server_that_is_down_at_the_start_is_found_once_it_is_up() {
    let mut server = Server::with(alone_at(3));
    let client = server.jobs().build().unwrap();
    server.stop();
    let error = client.get_access_token(BANKING).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    server.restart();
    server.clock.advance(Duration::from_secs(2));
    client.get_access_token(BANKING).await.unwrap();
}

/// An address that no other test listens on: nobody takes the port while the server is down.
fn alone_at(host: u8) -> Settings {
    // Elsewhere 127.0.0.1 is the only one.
    let host = if cfg!(target_os = "linux") { host } else { 1 };
    Settings {
        host: Ipv4Addr::new(127, 0, 0, host),
        ..Settings::default()
    }
}
