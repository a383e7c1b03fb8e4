//! Runtimes that end under a flight, flows that panic, and no runtime at all.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
    time::Duration,
};

use intelliauth::{
    AuthorizationCode, Client, DeviceCode, Error, ManualClock, People, TokenRequest, TokenResponse,
    UnavailableReason,
};
use tokio::runtime::{Builder, Runtime};

use crate::support::{HANGS, Server, Source, at_once, joined, spawn_calls};

#[expect(clippy::unwrap_used, reason = "a failure here is a failed test")]
fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

fn is_abandoned(error: &Error) -> bool {
    matches!(error, Error::Unavailable(u) if u.reason() == UnavailableReason::Abandoned)
}

/// Runs a future on a thread of its own, outside of any runtime.
#[expect(clippy::expect_used, reason = "a failure here is a failed test")]
fn outside<F: Future + Send + 'static>(future: F) -> F::Output
where
    F::Output: Send,
{
    let (sender, result) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(block_on(future)));
    result.recv_timeout(HANGS).expect("it hangs")
}

fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = Box::pin(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        std::thread::park();
    }
}

#[test]
fn waiters_on_another_runtime_are_told_when_the_flights_runtime_ends() {
    let source = Source::tokens(300);
    let client = source.client(&ManualClock::new()).build().unwrap();
    let (first, second) = (runtime(), runtime());
    source.hold("#1");
    let _first_caller = first.block_on(async { spawn_calls(&client, 1, &"api".into()) });
    second.block_on(source.arrived(1));
    let waiters = second.block_on(async { spawn_calls(&client, 5, &"api".into()) });
    second.block_on(joined(&client, 5));
    first.shutdown_background();
    let results = second.block_on(waiters.results());
    assert_eq!(results.len(), 5);
    for result in results {
        let error = result.unwrap_err();
        assert!(is_abandoned(&error), "{error:?}");
        assert!(error.is_retryable());
    }
    // The slot is free.
    let token = second.block_on(client.get_access_token("api")).unwrap();
    assert_eq!(token.secret(), "token-2");
    second.block_on(client.close()).unwrap();
}

#[test]
fn a_forced_flight_that_waits_for_one_whose_runtime_ends_departs_all_the_same() {
    let source = Source::tokens(300);
    let client = source.client(&ManualClock::new()).build().unwrap();
    let (first, second) = (runtime(), runtime());
    let forced = TokenRequest::new("api").cache_mode(intelliauth::CacheMode::Refresh);
    source.hold("#1");
    let _first_caller = first.block_on(async { spawn_calls(&client, 1, &forced) });
    second.block_on(source.arrived(1));
    let queued = second.block_on(async { spawn_calls(&client, 2, &forced) });
    second.block_on(joined(&client, 1));
    first.shutdown_background();
    assert_eq!(second.block_on(queued.tokens()), ["token-2"]);
}

#[test]
fn a_client_outlives_the_runtime_it_was_used_in() {
    let outer = runtime();
    let server = outer.block_on(Server::start());
    outer.block_on(server.token().mount());
    let client = server.client().build().unwrap();
    for (n, audience) in ["a", "b", "c"].into_iter().enumerate() {
        let short_lived = runtime();
        let token = short_lived.block_on(client.get_access_token(audience));
        assert!(token.is_ok(), "runtime {n}: {token:?}");
    }
    assert!(outer.block_on(client.get_access_token("a")).is_ok());
    assert_eq!(outer.block_on(server.count()), 3);
}

#[test]
fn a_runtime_that_ends_during_discovery_leaves_it_to_the_next() {
    let outer = runtime();
    let server = outer.block_on(Server::start());
    outer.block_on(server.token().mount());
    let client = server.client().build().unwrap();
    let short_lived = Builder::new_current_thread().enable_all().build().unwrap();
    let call = short_lived.block_on(async { spawn_calls(&client, 1, &"api".into()) });
    // The flight is started and looked at a few times, no more.
    short_lived.block_on(async {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
    });
    drop(short_lived);
    drop(call);
    assert!(outer.block_on(client.get_access_token("api")).is_ok());
}

#[test]
fn without_a_runtime_a_hit_works_and_a_miss_is_an_error() {
    let source = Source::tokens(300);
    let client = source.client(&ManualClock::new()).build().unwrap();
    let cold = client.clone();
    let error = outside(async move { cold.get_access_token("api").await }).unwrap_err();
    assert_eq!(error.kind(), "request");
    assert!(error.to_string().contains("runtime"), "{error}");
    assert_eq!(source.count(), 0);
    let warm = runtime();
    warm.block_on(client.get_access_token("api")).unwrap();
    assert!(at_once(client.get_access_token("api")).unwrap().is_ok());
    assert!(client.audience("api").current().is_some());
    // Nobody knows whether the runtime that was used last is driven.
    let other = client.clone();
    let error = outside(async move { other.get_access_token("other").await }).unwrap_err();
    assert_eq!(error.kind(), "request");
    assert_eq!(source.count(), 1);
}

#[test]
fn a_flight_on_a_runtime_that_nobody_drives_is_given_up_for_lost() {
    let (source, clock) = (Source::tokens(300), ManualClock::new());
    let client = source
        .client(&clock)
        .flight_timeout(Duration::from_millis(20));
    let client = client.build().unwrap();
    let idle = Builder::new_current_thread().enable_all().build().unwrap();
    idle.block_on(client.get_access_token("api")).unwrap();
    clock.advance(Duration::from_secs(250));
    // The refresh is started, and then the runtime stands still.
    idle.block_on(async { at_once(client.get_access_token("api")) });
    clock.advance(Duration::from_secs(45));
    let other = runtime();
    let token = other.block_on(async {
        let patience = Duration::from_millis(100);
        for _ in 0..100 {
            let request = TokenRequest::new("api").timeout(patience);
            if let Ok(token) = client.get_access_token(request).await {
                return Some(token);
            }
        }
        None
    });
    assert_eq!(token.unwrap().secret(), "token-2");
    other.block_on(client.close()).unwrap();
}

#[test]
fn without_a_runtime_a_miss_is_an_error_when_the_last_one_has_ended() {
    let source = Source::tokens(300);
    let client = source.client(&ManualClock::new()).build().unwrap();
    runtime().block_on(client.get_access_token("api")).unwrap();
    for _ in 0..2 {
        let cold = client.clone();
        let error = outside(async move { cold.get_access_token("other").await }).unwrap_err();
        assert!(
            is_abandoned(&error) || error.kind() == "request",
            "{error:?}"
        );
    }
    assert_eq!(source.count(), 1);
    runtime()
        .block_on(client.get_access_token("other"))
        .unwrap();
    assert_eq!(source.count(), 2);
}

#[test]
fn without_a_runtime_a_hit_in_the_window_is_a_hit_even_if_nothing_can_refresh() {
    let (clock, source) = (ManualClock::new(), Source::tokens(300));
    let client = source.client(&clock).build().unwrap();
    runtime().block_on(client.get_access_token("api")).unwrap();
    clock.advance(Duration::from_secs(250));
    for _ in 0..2 {
        let inside_window = client.clone();
        let token = outside(async move { inside_window.get_access_token("api").await });
        assert_eq!(token.unwrap().secret(), "token-1");
    }
    let live = runtime();
    live.block_on(client.get_access_token("api")).unwrap();
    live.block_on(client.close()).unwrap();
    assert_eq!(client.current("api").unwrap().secret(), "token-2");
}

#[tokio::test]
async fn a_flow_that_panics_is_an_error_for_all_and_its_slot_is_free() {
    let is_broken = Arc::new(AtomicBool::new(true));
    let broken = Arc::clone(&is_broken);
    let source = Source::new(move |_| {
        assert!(
            !broken.load(Ordering::SeqCst),
            "the flow of this test panics on purpose"
        );
        Some(TokenResponse::new("token").lifetime(Duration::from_secs(300)))
    });
    let clock = ManualClock::new();
    let client = source.client(&clock).build().unwrap();
    source.hold("api");
    let calls = spawn_calls(&client, 5, &"api".into());
    source.arrived(1).await;
    joined(&client, 4).await;
    source.release("api");
    for result in calls.results().await {
        assert!(is_abandoned(&result.unwrap_err()));
    }
    assert_eq!(source.count(), 1);
    client.close().await.unwrap();
    is_broken.store(false, Ordering::SeqCst);
    clock.advance(Duration::from_secs(2));
    assert!(client.get_access_token("api").await.is_ok());
}

#[tokio::test]
async fn a_flow_that_panics_is_not_called_again_with_every_call() {
    let source = Source::new(|_| {
        assert!(
            std::hint::black_box(false),
            "the flow of this test panics on purpose"
        );
        None
    });
    let clock = ManualClock::new();
    let client = source.client(&clock).build().unwrap();
    for _ in 0..20 {
        let error = client.get_access_token("api").await.unwrap_err();
        assert!(is_abandoned(&error), "{error:?}");
        client.close().await.unwrap();
    }
    assert_eq!(source.count(), 1);
}

/// Everything that a person's session does but a token request, at an issuer that cannot be reached.
async fn a_person_comes_and_goes(people: People) {
    let session = people.default_session();
    let loopback = AuthorizationCode::loopback().without_browser();
    let error = session.sign_in(loopback).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    let device = DeviceCode::new(|_| {});
    let error = session.sign_in(device).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert_eq!(session.account().await.unwrap(), None);
    assert!(people.sessions().await.unwrap().is_empty());
    session.sign_out().await.unwrap();
    people.close().await.unwrap();
}

fn people_of_an_issuer_that_is_away() -> People {
    let people = Client::for_person("http://127.0.0.1:1", "app_test").retries(0);
    people.build().unwrap()
}

#[test]
fn a_session_needs_no_runtime() {
    outside(a_person_comes_and_goes(people_of_an_issuer_that_is_away()));
}

#[test]
fn a_session_needs_no_timer_of_its_callers_runtime() {
    let bare = Builder::new_current_thread().build().unwrap();
    bare.block_on(a_person_comes_and_goes(people_of_an_issuer_that_is_away()));
}
