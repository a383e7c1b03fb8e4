//! The cache is bounded, and eviction never costs correctness.

use intelliauth::{Client, Error, Flow, FlowContext, ManualClock, TokenRequest, TokenResponse};

use crate::support::{Server, Source, at_once, joined, spawn_calls};

const CAPACITY: u64 = 100;

/// Evictions come in small batches: the bound is exceeded by no more than this.
const SLACK: usize = 16;

#[expect(clippy::unwrap_used, reason = "a failure here is a failed test")]
fn small(source: &Source) -> Client {
    source
        .client(&ManualClock::new())
        .cache_capacity(CAPACITY)
        .build()
        .unwrap()
}

#[expect(clippy::unwrap_used, reason = "a failure here is a failed test")]
async fn fill(client: &Client, prefix: &str, count: usize) {
    for n in 0..count {
        client
            .get_access_token(format!("{prefix}{n}"))
            .await
            .unwrap();
    }
}

fn kept(client: &Client, prefix: &str, count: usize) -> usize {
    (0..count)
        .filter(|n| client.current(format!("{prefix}{n}")).is_some())
        .count()
}

#[tokio::test]
async fn no_more_than_the_capacity_is_kept_and_the_newest_stays() {
    let source = Source::tokens(3600);
    let client = small(&source);
    fill(&client, "x", 2_000).await;
    assert_eq!(source.count(), 2_000);
    assert!(client.current("x1999").is_some());
    let kept = kept(&client, "x", 2_000);
    assert!((90..=100 + SLACK).contains(&kept), "{kept} are kept");
    assert!(client.stats().evictions >= 2_000 - 100 - SLACK as u64);
}

#[tokio::test]
async fn a_cache_of_one_slot_works() {
    let source = Source::tokens(3600);
    let client = source
        .client(&ManualClock::new())
        .cache_capacity(1)
        .build()
        .unwrap();
    fill(&client, "x", 200).await;
    for _ in 0..100 {
        assert!(client.get_access_token("last").await.is_ok());
    }
    assert_eq!(source.count(), 201);
}

#[tokio::test]
async fn with_a_full_cache_a_hundred_calls_to_a_new_audience_make_one_request() {
    let server = Server::start().await;
    server.token().mount().await;
    let client = server.client().cache_capacity(CAPACITY).build().unwrap();
    fill(&client, "x", 150).await;
    let tokens = spawn_calls(&client, 100, &"new".into()).tokens().await;
    assert_eq!(tokens.len(), 1);
    for _ in 0..100 {
        client.get_access_token("new").await.unwrap();
    }
    let requests = server.token_requests().await;
    let new = requests
        .iter()
        .filter(|seen| seen.parameter("audience") == "new")
        .count();
    assert_eq!(new, 1);
}

#[tokio::test]
async fn what_is_asked_for_all_the_time_stays() {
    let source = Source::tokens(3600);
    let client = small(&source);
    fill(&client, "hot", 10).await;
    for round in 0..200 {
        fill(&client, &format!("cold{round}-"), 10).await;
        fill(&client, "hot", 10).await;
    }
    assert_eq!(source.count(), 10 + 2_000, "no hot one was fetched twice");
}

#[tokio::test]
async fn an_audience_with_a_handle_stays_and_may_go_when_the_handle_is_dropped() {
    let source = Source::tokens(3600);
    let client = small(&source);
    let handle = client.audience("held");
    let clone = handle.clone();
    let token = handle.get_access_token().await.unwrap();
    drop(handle);
    fill(&client, "x", 1_000).await;
    assert_eq!(clone.current().unwrap().secret(), token.secret());
    assert_eq!(
        client.get_access_token("held").await.unwrap().secret(),
        token.secret()
    );
    assert_eq!(source.count(), 1_001);
    drop(clone);
    fill(&client, "y", 1_000).await;
    assert!(client.current("held").is_none(), "nobody needs it any more");
}

#[tokio::test]
async fn a_handle_that_was_never_used_shares_its_slot_after_many_evictions() {
    let source = Source::tokens(3600);
    let client = small(&source);
    let handle = client.audience("held");
    fill(&client, "x", 1_000).await;
    client.get_access_token("held").await.unwrap();
    assert!(handle.current().is_some());
    fill(&client, "y", 1_000).await;
    client.audience("held").get_access_token().await.unwrap();
    assert_eq!(source.count(), 2_001);
}

#[tokio::test]
async fn more_handles_than_the_capacity_all_keep_their_tokens_and_go_with_their_handles() {
    let source = Source::tokens(3600);
    let client = small(&source);
    let handles: Vec<_> = (0..1_000)
        .map(|n| client.audience(format!("x{n}")))
        .collect();
    for handle in &handles {
        handle.get_access_token().await.unwrap();
    }
    assert!(handles.iter().all(|handle| handle.current().is_some()));
    assert_eq!(source.count(), 1_000);
    drop(handles);
    fill(&client, "y", 1_000).await;
    let kept = kept(&client, "x", 1_000) + kept(&client, "y", 1_000);
    assert!(kept <= 100 + SLACK, "{kept} are kept");
}

#[tokio::test]
async fn a_flight_is_not_evicted_under_its_callers() {
    let source = Source::tokens(3600);
    let client = small(&source);
    source.hold("slow");
    let early = spawn_calls(&client, 1, &"slow".into());
    source.arrived(1).await;
    early.abort();
    fill(&client, "x", 1_000).await;
    let late = spawn_calls(&client, 50, &"slow".into());
    joined(&client, 50).await;
    source.release("slow");
    assert_eq!(late.tokens().await, ["token-1"]);
    assert_eq!(source.count(), 1_001);
}

#[tokio::test]
async fn a_remembered_failure_is_not_evicted_before_its_time() {
    let server = Server::start().await;
    server
        .token()
        .audience("bad")
        .refuses(400, "invalid_target")
        .expect(1)
        .mount()
        .await;
    server.token().mount().await;
    let client = server.client().cache_capacity(CAPACITY).build().unwrap();
    assert!(client.get_access_token("bad").await.is_err());
    fill(&client, "x", 400).await;
    assert_eq!(
        client.get_access_token("bad").await.unwrap_err().kind(),
        "denied"
    );
}

#[derive(Debug)]
struct RefusesBadNames;

impl Flow for RefusesBadNames {
    async fn acquire(&self, cx: FlowContext<'_>) -> Result<TokenResponse, Error> {
        if cx.partition().is_some_and(|name| name.starts_with("bad")) {
            return Err(cx.denied());
        }
        Ok(TokenResponse::new("token"))
    }
}

#[tokio::test]
async fn names_that_fail_are_bounded_like_all_others_and_go_after_what_is_cold() {
    let client = Client::builder("http://127.0.0.1:9", "app_test", RefusesBadNames)
        .clock(ManualClock::new())
        .cache_capacity(CAPACITY)
        .build()
        .unwrap();
    let bad = client.partition("bad");
    bad.get_access_token("api").await.unwrap_err();
    for n in 0..400 {
        let good = client.partition(format!("good-{n}"));
        good.get_access_token("api").await.unwrap();
    }
    let flights = client.stats().flights;
    bad.get_access_token("api").await.unwrap_err();
    assert_eq!(client.stats().flights, flights, "it is still remembered");
    for n in 0..1_000 {
        let bad = client.partition(format!("bad-{n}"));
        bad.get_access_token("api").await.unwrap_err();
    }
    let counts = client.stats();
    assert!(counts.slots <= 100 + SLACK, "{counts:?}");
    assert!(counts.open_sessions <= 100 + 2 * SLACK, "{counts:?}");
}

#[tokio::test]
async fn an_application_clears_an_audience_with_all_of_its_parameters_and_no_other() {
    let source = Source::tokens(3600);
    let client = source.client(&ManualClock::new()).build().unwrap();
    let request = |audience: &str, n: usize| {
        TokenRequest::new(audience.to_owned()).parameter("tenant", n.to_string())
    };
    for audience in ["a", "b"] {
        client.get_access_token(audience).await.unwrap();
        for n in 0..40 {
            client.get_access_token(request(audience, n)).await.unwrap();
        }
    }
    client.clear("a");
    assert!(client.current("a").is_none() && client.current("b").is_some());
    assert!((0..40).all(|n| client.current(request("a", n)).is_none()));
    assert!((0..40).all(|n| client.current(request("b", n)).is_some()));
}

#[tokio::test]
async fn slots_whose_failures_have_passed_make_room() {
    let server = Server::start().await;
    let bad = server.token().with_parameter("scope", "bad");
    bad.refuses(400, "invalid_scope").mount().await;
    server.token().mount().await;
    let client = server.client().cache_capacity(CAPACITY).build().unwrap();
    for n in 0..200 {
        let request = TokenRequest::new(format!("bad{n}")).scope("bad");
        assert!(client.get_access_token(request).await.is_err());
    }
    let before = client.stats().evictions;
    server.advance(31.0);
    fill(&client, "x", 300).await;
    assert!(
        client.stats().evictions >= before + 200,
        "{:?}",
        client.stats()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_of_an_audience_that_is_evicted_all_the_time_get_the_right_token() {
    let source = Source::new(|call| Some(TokenResponse::new(call.audience.as_str())));
    let client = source
        .client(&ManualClock::new())
        .cache_capacity(4)
        .build()
        .unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let client = client.clone();
            tokio::spawn(async move {
                for n in 0..500 {
                    let audience = format!("x{}", (n * (task + 1)) % 37);
                    let token = client.get_access_token(&audience).await.unwrap();
                    assert_eq!(token.secret(), audience);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    client.close().await.unwrap();
    fill(&client, "y", 100).await;
    let kept = kept(&client, "x", 37) + kept(&client, "y", 100);
    assert!(kept <= 4 + SLACK, "{kept} are kept");
}

#[tokio::test]
async fn the_last_of_many_is_a_hit_at_once() {
    let source = Source::tokens(3600);
    let client = small(&source);
    for n in 0..500 {
        let audience = format!("x{n}");
        client.get_access_token(&audience).await.unwrap();
        assert!(at_once(client.get_access_token(&audience)).unwrap().is_ok());
    }
    assert_eq!(source.count(), 500);
}

#[tokio::test]
async fn a_large_cache_is_bounded_as_well_and_what_is_in_use_stays() {
    let source = Source::tokens(3600);
    let client = source
        .client(&ManualClock::new())
        .cache_capacity(2_000)
        .build()
        .unwrap();
    fill(&client, "hot", 10).await;
    let held = client.audience("held");
    held.get_access_token().await.unwrap();
    for round in 0..100 {
        fill(&client, &format!("cold{round}-"), 100).await;
        fill(&client, "hot", 10).await;
    }
    assert_eq!(source.count(), 10 + 1 + 10_000, "the hot ones never left");
    assert!(held.current().is_some(), "nor did the one with a handle");
    let kept: usize = (0..100)
        .map(|round| kept(&client, &format!("cold{round}-"), 100))
        .sum();
    assert!(
        (1_700..=2_000 + 2 * SLACK).contains(&kept),
        "{kept} are kept"
    );
    assert!(client.current("cold99-99").is_some(), "the newest stays");
}

#[tokio::test]
async fn the_first_audience_is_evicted_like_any_other_and_comes_back_as_one_slot() {
    let source = Source::tokens(3600);
    let client = small(&source);
    let first = client.get_access_token("first").await.unwrap();
    fill(&client, "x", 1_000).await;
    assert!(client.current("first").is_none(), "it was evicted");
    let again = client.get_access_token("first").await.unwrap();
    assert_ne!(first.secret(), again.secret());
    let handle = client.audience("first");
    assert_eq!(handle.current().unwrap().secret(), again.secret());
    client.clear("first");
    assert!(handle.current().is_none() && client.current("first").is_none());
    let third = handle.get_access_token().await.unwrap();
    let found = client.current("first").unwrap().to_access_token();
    assert_eq!(found.secret(), third.secret());
    assert_eq!(source.count(), 1_003);
}

#[tokio::test]
async fn a_name_that_comes_and_goes_many_times_is_fetched_once_each_time() {
    let source = Source::tokens(3600);
    let client = source
        .client(&ManualClock::new())
        .cache_capacity(4)
        .build()
        .unwrap();
    for round in 1..=200 {
        for _ in 0..3 {
            client.get_access_token("guest").await.unwrap();
        }
        assert!(client.current("guest").is_some());
        fill(&client, &format!("x{round}-"), 40).await;
        assert!(client.current("guest").is_none(), "it was evicted");
        assert_eq!(source.count(), round * 41);
    }
}
