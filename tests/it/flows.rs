//! A flow of the user's own, what is tried again inside a flight, and what never is.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use intelliauth::{
    CacheMode, Client, ClientBuilder, Error, Flow, FlowContext, ManualClock, Secret, TokenRequest,
    TokenResponse, UnavailableReason,
};
use tokio::sync::Semaphore;

use crate::support::{CLIENT_ID, CLIENT_SECRET, DISCOVERY_PATH, Server};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The JWT bearer grant, as a user would write it.
#[derive(Debug)]
struct Assertion {
    can_be_repeated: bool,
}

impl Flow for Assertion {
    async fn acquire(&self, cx: FlowContext<'_>) -> Result<TokenResponse, Error> {
        let grant = cx
            .extension_grant(GRANT_TYPE)
            .parameter("workload", "batch & co")
            .secret_parameter("assertion", Secret::from("a.b+c"));
        let grant = if self.can_be_repeated {
            grant.can_be_repeated()
        } else {
            grant
        };
        grant.send().await
    }
}

pub(crate) fn with_assertion(issuer: &str, can_be_repeated: bool) -> ClientBuilder {
    Client::builder(issuer, CLIENT_ID, Assertion { can_be_repeated })
        .client_secret(CLIENT_SECRET)
        .clock(ManualClock::new())
}

pub(crate) fn reason(error: &Error) -> UnavailableReason {
    let Error::Unavailable(unavailable) = error else {
        panic!("{error:?}")
    };
    unavailable.reason()
}

/// A flow with a bug: what it returns is no token.
#[derive(Debug)]
struct Returns(&'static str);

impl Flow for Returns {
    async fn acquire(&self, _cx: FlowContext<'_>) -> Result<TokenResponse, Error> {
        Ok(TokenResponse::new(self.0))
    }
}

#[tokio::test]
async fn what_a_flow_returns_is_a_token_or_an_error() {
    for text in ["", "\u{e9}", "a\tb", "a\nb", "\u{7f}"] {
        let client = Client::builder("https://issuer.example", CLIENT_ID, Returns(text));
        let client = client.build().unwrap();
        let error = client.get_access_token("api").await.unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{text:?}: {error}");
        assert!(client.current("api").is_none());
    }
}

#[tokio::test]
async fn an_extension_grant_goes_out_with_all_that_belongs_to_it() {
    let server = Server::start().await;
    server.token().grants(300).expect(1).mount().await;
    let client = with_assertion(&server.issuer(), false).build().unwrap();
    let request = TokenRequest::new("api")
        .scope("b a")
        .parameter("tenant", "one");
    for _ in 0..2 {
        let token = client.get_access_token(&request).await.unwrap();
        assert_eq!(token.secret(), "token-1");
    }
    let requests = server.token_requests().await;
    let seen = &requests[0];
    for (name, value) in [
        ("grant_type", GRANT_TYPE),
        ("scope", "a b"),
        ("audience", "api"),
        ("tenant", "one"),
        ("workload", "batch & co"),
        ("assertion", "a.b+c"),
    ] {
        assert_eq!(seen.parameter(name), value);
    }
    assert_eq!(seen.form.len(), 6, "and nothing else: {seen:?}");
    assert!(seen.authorization.as_deref().unwrap().starts_with("Basic "));
    assert_eq!(seen.accept.as_deref(), Some("application/json"));
}

#[tokio::test]
async fn an_extension_grant_is_refused_like_any_other() {
    let server = Server::start().await;
    let refusal = server.token().refuses(400, "invalid_target");
    refusal.expect(1).mount().await;
    let client = with_assertion(&server.issuer(), true).build().unwrap();
    for _ in 0..2 {
        let error = client.get_access_token("api").await.unwrap_err();
        assert_eq!(error.kind(), "denied");
    }
}

/// Notes what it sees, and needs no server.
#[derive(Clone, Debug, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Flow for Notes {
    async fn acquire(&self, cx: FlowContext<'_>) -> Result<TokenResponse, Error> {
        let parameters: Vec<_> = cx.parameters().collect();
        let seen = format!(
            "{} [{}] {parameters:?} {:?} {} {} background={}",
            cx.audience(),
            cx.scopes(),
            cx.partition(),
            cx.issuer(),
            cx.client_id(),
            cx.is_background_refresh(),
        );
        self.0.lock().unwrap().push(seen);
        Ok(TokenResponse::new("noted").lifetime(Duration::from_secs(300)))
    }
}

#[tokio::test]
async fn a_flow_sees_who_asks_for_what_and_whether_anybody_waits() {
    let (notes, clock) = (Notes::default(), ManualClock::new());
    let client = Client::builder("https://tenant.example", CLIENT_ID, notes.clone())
        .clock(clock.clone())
        .build()
        .unwrap();
    let request = TokenRequest::new("api").scope("b a").parameter("x", "y");
    client.get_access_token(&request).await.unwrap();
    let alice = client.partition("alice");
    alice.get_access_token("api").await.unwrap();
    clock.advance(Duration::from_secs(215));
    alice.get_access_token("api").await.unwrap();
    client.close().await.unwrap();
    let rest = "https://tenant.example app_test";
    let expected = [
        format!(r#"api [a b] [("x", "y")] None {rest} background=false"#),
        format!(r#"api [] [] Some("alice") {rest} background=false"#),
        format!(r#"api [] [] Some("alice") {rest} background=true"#),
    ];
    assert_eq!(*notes.0.lock().unwrap(), expected);
}

#[tokio::test]
async fn client_credentials_have_no_partitions() {
    let server = Server::start().await;
    let client = server.client().build().unwrap().partition("alice");
    let error = client.get_access_token("api").await.unwrap_err();
    assert_eq!(error.kind(), "request");
    assert!(error.to_string().contains("alice"), "{error}");
    assert_eq!(server.count_at(DISCOVERY_PATH).await, 0);
}

/// Panics in its first call, once it is told to; then it works.
#[derive(Clone, Debug)]
struct Panics {
    calls: Arc<AtomicU32>,
    go: Arc<Semaphore>,
}

impl Flow for Panics {
    async fn acquire(&self, _: FlowContext<'_>) -> Result<TokenResponse, Error> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let _permit = self.go.acquire().await.unwrap();
        assert!(call > 0, "as it was meant to");
        Ok(TokenResponse::new("after all"))
    }
}

#[tokio::test]
async fn a_flow_that_panics_fails_those_who_wait_and_leaves_its_place_free() {
    for mode in [CacheMode::Prefer, CacheMode::Refresh] {
        let flow = Panics {
            calls: Arc::default(),
            go: Arc::new(Semaphore::new(0)),
        };
        let client = Client::builder("https://tenant.example", CLIENT_ID, flow.clone());
        let clock = ManualClock::new();
        let client = client.clock(clock.clone()).build().unwrap();
        let request = TokenRequest::new("api").cache_mode(mode);
        let first = {
            let (client, request) = (client.clone(), request.clone());
            tokio::spawn(async move { client.get_access_token(request).await })
        };
        let followers = {
            let client = client.clone();
            tokio::spawn(async move { client.warm(vec!["api"; 10]).await })
        };
        let all_aboard = async {
            while client.stats().joined < 10 {
                tokio::task::yield_now().await;
            }
        };
        assert!(
            tokio::time::timeout(crate::support::HANGS, all_aboard)
                .await
                .is_ok()
        );
        flow.go.add_permits(1);

        let mut outcomes = followers.await.unwrap();
        outcomes.push(first.await.unwrap());
        for outcome in outcomes {
            assert_eq!(reason(&outcome.unwrap_err()), UnavailableReason::Abandoned);
        }
        client.close().await.unwrap();
        // Remembered as any other failure is, for one to one and a half seconds.
        clock.advance(Duration::from_secs(2));
        let token = client.get_access_token(request).await.unwrap();
        assert_eq!(token.secret(), "after all");
        assert_eq!(flow.calls.load(Ordering::SeqCst), 2, "{mode:?}");
    }
}

/// Fails in the way that its audience names.
#[derive(Debug)]
struct Fails;

impl Flow for Fails {
    async fn acquire(&self, cx: FlowContext<'_>) -> Result<TokenResponse, Error> {
        Err(match cx.audience().as_str() {
            "denied" => cx.denied(),
            "login" => cx.login_required(),
            "unavailable" => cx.unavailable(std::io::Error::other("the socket is gone")),
            _ => cx.invalid_request("this flow knows three audiences"),
        })
    }
}

#[tokio::test]
async fn a_flow_says_why_it_fails_in_the_caller_s_terms() {
    let client = Client::builder("https://tenant.example", CLIENT_ID, Fails)
        .build()
        .unwrap();
    for kind in ["denied", "login", "unavailable", "request"] {
        let error = client.get_access_token(kind).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        let again = client.get_access_token(kind).await.unwrap_err();
        assert_eq!(again.kind(), kind);
    }
    assert_eq!(client.stats().flights, 4, "each is remembered");
}
