//! The counts of the design: what crowds, stuck audiences, slow refreshes and outages cost.

use std::time::Duration;

use intelliauth::{CacheMode, Client, ManualClock, Source as From, TokenRequest, TokenResponse};

use crate::support::{DISCOVERY_PATH, HANGS, Server, Source, at_once, spawn_calls};

const SLOW: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_cold_callers_of_one_audience_make_one_request() {
    let server = Server::start().await;
    server.token().delayed(SLOW).expect(1).mount().await;
    let client = server.client().build().unwrap();
    let calls = spawn_calls(&client, 10_000, &"api".into());
    assert_eq!(calls.tokens().await, ["token-1"]);
    assert_eq!(server.count_at(DISCOVERY_PATH).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_cold_callers_of_fifty_audiences_make_fifty_requests() {
    let server = Server::start().await;
    server.token().delayed(SLOW).expect(50).mount().await;
    let client = server.client().build().unwrap();
    let audiences: Vec<_> = (0..50)
        .map(|n| spawn_calls(&client, 200, &format!("api{n}").into()))
        .collect();
    for calls in audiences {
        assert_eq!(calls.tokens().await.len(), 1);
    }
    let mut asked: Vec<String> = server
        .token_requests()
        .await
        .iter()
        .map(|seen| seen.parameter("audience").to_owned())
        .collect();
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), 50);
    assert_eq!(server.count_at(DISCOVERY_PATH).await, 1);
}

#[tokio::test]
async fn a_stuck_audience_delays_no_cached_one_and_no_cold_one() {
    let (server, source) = (Server::start().await, Source::posts());
    server.token().mount().await;
    let client = server.client_of(source.clone()).build().unwrap();
    for audience in ["b0", "b1", "b2"] {
        client.get_access_token(audience).await.unwrap();
    }
    source.hold("stuck");
    let stuck = spawn_calls(&client, 100, &"stuck".into());
    source.arrived(4).await;
    for _ in 0..1_000 {
        for audience in ["b0", "b1", "b2"] {
            assert!(
                at_once(client.get_access_token(audience))
                    .expect("no slow call")
                    .is_ok()
            );
        }
    }
    assert!(client.get_access_token("cold").await.is_ok());
    assert_eq!(server.count().await, 4);
    source.release("stuck");
    assert_eq!(stuck.tokens().await.len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_hangs_for_one_audience_answers_another_meanwhile() {
    let server = Server::start().await;
    server.token().audience("slow").delayed(SLOW).mount().await;
    server.token().mount().await;
    let client = server.client().build().unwrap();
    client.get_access_token("cached").await.unwrap();
    let slow = spawn_calls(&client, 10, &"slow".into());
    server.arrived(2).await;
    assert!(at_once(client.get_access_token("cached")).unwrap().is_ok());
    client.get_access_token("cold").await.unwrap();
    assert!(
        client.current("slow").is_none(),
        "the slow one is still under way"
    );
    slow.tokens().await;
    assert_eq!(server.count().await, 3);
}

/// Asks for a token, which must be there at once; true if it came from the cache.
fn ask(client: &Client, audience: &str) -> bool {
    let token = at_once(client.get_access_token(audience));
    token.is_some_and(|token| token.is_ok_and(|token| token.source() == From::Cache))
}

#[tokio::test]
async fn nobody_waits_for_a_slow_refresh_and_each_window_has_one() {
    let server = Server::start().await;
    server.token().grants(300).delayed(SLOW).mount().await;
    let client = server.client().build().unwrap();
    client.warm(["api", "idle"]).await;
    for window in 1..=3 {
        // In steps through one life; the last of them are in the window.
        for _ in 0..25 {
            server.advance(10.0);
            let answers = (0..20).filter(|_| ask(&client, "api")).count();
            assert_eq!(answers, 20, "somebody waited or failed in life {window}");
        }
        server.arrived(2 + window).await;
        assert_eq!((0..20).filter(|_| ask(&client, "api")).count(), 20);
        client.close().await.unwrap();
        assert_eq!(server.count().await, 2 + window);
    }
    let requests = server.token_requests().await;
    let idle = requests
        .iter()
        .filter(|seen| seen.parameter("audience") == "idle")
        .count();
    assert_eq!(idle, 1, "none for an idle audience");
}

#[tokio::test]
async fn an_outage_while_the_token_lives_is_not_noticed_and_not_made_worse() {
    let audiences = ["a", "b", "c"];
    for refusal in [503, 500, 200] {
        let server = Server::start().await;
        for audience in audiences {
            server
                .token()
                .audience(audience)
                .grants(300)
                .times(1)
                .mount()
                .await;
        }
        server
            .token()
            .raw(refusal, "<html>down</html>", "text/html")
            .mount()
            .await;
        let client = server.client().build().unwrap();
        client.warm(audiences).await;
        // From the earliest start of the window (300 - 30 - 60 - 30 s) on, for a minute.
        server.advance(180.0);
        let (start, mut elapsed) = (server.count().await, 0.0);
        while elapsed < 60.0 {
            for audience in audiences {
                assert!(ask(&client, audience), "{elapsed} s into the outage");
            }
            client.close().await.unwrap();
            server.advance(0.25);
            elapsed += 0.25;
        }
        let asked = server.count().await - start;
        assert!(asked >= audiences.len(), "the windows have begun");
        assert!(
            asked <= 10 * audiences.len(),
            "{asked} requests in a minute"
        );
    }
}

#[tokio::test]
async fn an_outage_is_over_when_the_issuer_answers_again() {
    let server = Server::start().await;
    server.token().grants(300).times(1).mount().await;
    server
        .token()
        .refuses(503, "temporarily_unavailable")
        .times(3)
        .mount()
        .await;
    server
        .token()
        .grants(300)
        .access_token("after")
        .mount()
        .await;
    let client = server.client().build().unwrap();
    client.get_access_token("api").await.unwrap();
    server.advance(210.0);
    for _ in 0..236 {
        assert!(ask(&client, "api"));
        client.close().await.unwrap();
        server.advance(0.25);
    }
    assert_eq!(client.current("api").unwrap().secret(), "after");
    assert_eq!(server.count().await, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_at_once_everybody_gets_the_right_token_and_all_flights_land() {
    let clock = ManualClock::new();
    let source = Source::new(|call| {
        let text = format!("{}#{}", call.audience, call.number);
        Some(TokenResponse::new(text.as_str()).lifetime(Duration::from_secs(300)))
    });
    let client = source.client(&clock).cache_capacity(3).build().unwrap();
    for round in 0..30 {
        let tasks: Vec<_> = (0..16)
            .map(|task| tokio::spawn(mixed_calls(client.clone(), task + round)))
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let closing = tokio::time::timeout(HANGS, client.close());
        assert!(closing.await.is_ok(), "a flight was lost");
        // Time stands still in flight: what lands is always usable.
        clock.advance(Duration::from_secs(37));
    }
}

async fn mixed_calls(client: Client, seed: usize) {
    for n in 0..10 {
        let audience = format!("api{}", (seed + n) % 5);
        let request = TokenRequest::new(audience.clone());
        let request = match (seed * 7 + n) % 11 {
            0 => request.cache_mode(CacheMode::Refresh),
            1 => request.scope(format!("s{}", (seed + n) % 20)),
            _ => request,
        };
        let token = client.get_access_token(&request).await;
        assert!(token.is_ok(), "{token:?}");
        let Ok(token) = token else { return };
        assert!(token.secret().starts_with(&audience));
        match (seed * 5 + n) % 13 {
            0 => client.clear(audience.as_str()),
            1 => drop(client.after_unauthorized(&token).await),
            2 => drop(at_once(client.audience(&request).get_access_token())),
            3 => tokio::task::yield_now().await,
            _ => {}
        }
    }
}
