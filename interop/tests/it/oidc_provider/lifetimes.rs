//! Tokens that last for seconds.

use std::{collections::HashSet, time::Duration};

use intelliauth::SystemClock;

use crate::support::{BANKING, Server, Settings};

fn lasting(seconds: u64) -> Server {
    Server::with(Settings {
        lifetime: seconds,
        ..Settings::default()
    })
}

#[tokio::test]
async fn a_token_of_five_seconds_is_refreshed_in_its_window_and_nobody_waits() {
    let mut server = lasting(5);
    let client = server.jobs().build().unwrap();
    let first = client.get_access_token(BANKING).await.unwrap();
    assert_eq!(first.lifetime(), Duration::from_secs(5));

    // Its window begins a second and the jitter (half a second) before its reserve (half a second).
    server.clock.advance(Duration::from_millis(2900));
    let fresh = client.get_access_token(BANKING).await.unwrap();
    client.close().await.unwrap();
    assert_eq!(fresh.secret(), first.secret());
    assert_eq!(server.token_requests(), 1);

    server.clock.advance(Duration::from_millis(1200));
    let in_window = client.get_access_token(BANKING).await.unwrap();
    assert_eq!(in_window.secret(), first.secret(), "nobody waits");
    client.close().await.unwrap();
    assert_eq!(server.token_requests(), 2);
    let second = client.get_access_token(BANKING).await.unwrap();
    assert_ne!(second.secret(), first.secret());
}

#[tokio::test]
async fn a_token_in_its_last_tenth_is_not_handed_out() {
    let mut server = lasting(5);
    let client = server.jobs().build().unwrap();
    let first = client.get_access_token(BANKING).await.unwrap();
    server.clock.advance(Duration::from_millis(4600));
    let second = client.get_access_token(BANKING).await.unwrap();
    assert_ne!(second.secret(), first.secret());
    assert_eq!(server.token_requests(), 2);
}

/// Real time passes here, because what is checked is the server's own clock.
///
/// That clock counts whole seconds: a token of eight lasts from seven to eight. It is replaced before
/// the sixth is over, so a slow machine has a second to spare.
#[tokio::test]
async fn a_steady_caller_always_gets_a_token_that_the_server_still_calls_valid() {
    let mut server = lasting(8);
    let client = server.jobs().clock(SystemClock::new()).build().unwrap();
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    let (mut tokens, mut calls) = (HashSet::new(), 0);
    while tokens.len() < 3 {
        pace.tick().await;
        let token = client.get_access_token(BANKING).await.unwrap();
        server.verify(token.secret(), BANKING).await.unwrap();
        tokens.insert(token.secret().to_owned());
        calls += 1;
    }
    client.close().await.unwrap();
    assert_eq!(server.token_requests(), 3, "one for each token");
    assert!(calls > 30, "{calls} calls are too few to prove anything");
}
