//! A flow of the tests' own: it counts, can be held at a gate, and needs no socket unless it posts.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use intelliauth::{
    Client, ClientBuilder, Error, Flow, FlowContext, ManualClock, Scopes, TokenRequest,
    TokenResponse,
};
use tokio::sync::watch;

use super::{CLIENT_ID, CLIENT_SECRET, HANGS, Server};

/// Where tokens come from in a test: clones share what they count.
#[derive(Clone)]
pub(crate) struct Source(Arc<Inner>);

struct Inner {
    calls: Mutex<Vec<Call>>,
    count: watch::Sender<usize>,
    held: watch::Sender<HashSet<String>>,
    answer: Box<Answer>,
}

type Answer = dyn Fn(&Call) -> Option<TokenResponse> + Send + Sync;

/// What the flow was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Counted from 1.
    pub(crate) number: usize,
    pub(crate) audience: String,
    pub(crate) scopes: Scopes,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) partition: Option<String>,
    pub(crate) is_background: bool,
}

impl Source {
    /// Answers with what `answer` returns; nothing means that the server is asked.
    pub(crate) fn new(
        answer: impl Fn(&Call) -> Option<TokenResponse> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            calls: Mutex::default(),
            count: watch::Sender::new(0),
            held: watch::Sender::new(HashSet::new()),
            answer: Box::new(answer),
        }))
    }

    /// Answers with `token-1`, `token-2`, … that live for this many seconds.
    pub(crate) fn tokens(seconds: u64) -> Self {
        let lifetime = Duration::from_secs(seconds);
        Self::new(move |call| {
            let text = format!("token-{}", call.number);
            Some(TokenResponse::new(text.as_str()).lifetime(lifetime))
        })
    }

    /// Asks the server's token endpoint.
    pub(crate) fn posts() -> Self {
        Self::new(|_| None)
    }

    /// A client of this source on `clock`; it must not post.
    pub(crate) fn client(&self, clock: &ManualClock) -> ClientBuilder {
        Client::builder("http://127.0.0.1:9", CLIENT_ID, self.clone()).clock(clock.clone())
    }

    /// Keeps the flights for an audience, or the one called `#2`, from ending.
    pub(crate) fn hold(&self, name: &str) {
        self.0.held.send_modify(|held| {
            held.insert(name.to_owned());
        });
    }

    pub(crate) fn release(&self, name: &str) {
        self.0.held.send_modify(|held| {
            held.remove(name);
        });
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        let calls = self.0.calls.lock();
        calls.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn count(&self) -> usize {
        *self.0.count.borrow()
    }

    /// Waits until `count` flights have reached it.
    pub(crate) async fn arrived(&self, count: usize) {
        let mut seen = self.0.count.subscribe();
        let arrived = seen.wait_for(|seen| *seen >= count);
        let outcome = tokio::time::timeout(HANGS, arrived).await;
        assert!(outcome.is_ok(), "no {count} flights arrived");
    }

    fn note(&self, cx: &FlowContext<'_>) -> Call {
        let mut calls = self.0.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let call = Call {
            number: calls.len() + 1,
            audience: cx.audience().to_string(),
            scopes: cx.scopes().clone(),
            parameters: cx.parameters().map(owned).collect(),
            partition: cx.partition().map(str::to_owned),
            is_background: cx.is_background_refresh(),
        };
        calls.push(call.clone());
        self.0.count.send_replace(calls.len());
        call
    }
}

impl Flow for Source {
    async fn acquire(&self, cx: FlowContext<'_>) -> Result<TokenResponse, Error> {
        let call = self.note(&cx);
        let number = format!("#{}", call.number);
        let mut held = self.0.held.subscribe();
        let is_free = |held: &HashSet<String>| {
            !held.contains(&number) && !held.contains(&call.audience) && !held.contains("*")
        };
        drop(held.wait_for(is_free).await);
        match (self.0.answer)(&call) {
            Some(response) => Ok(response),
            None => cx.extension_grant("urn:test:grant").send().await,
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

impl Server {
    /// As [`Server::client`], with a flow of the test's own.
    pub(crate) fn client_of(&self, flow: impl Flow) -> ClientBuilder {
        Client::builder(self.issuer(), CLIENT_ID, flow)
            .client_secret(CLIENT_SECRET)
            .clock(self.clock.clone())
            .retries(0)
    }
}

/// Starts `count` calls of the same request, each in a task of its own.
pub(crate) fn spawn_calls(client: &Client, count: usize, request: &TokenRequest<'static>) -> Calls {
    let call = || {
        let (client, request) = (client.clone(), request.clone());
        tokio::spawn(async move {
            let token = client.get_access_token(request).await?;
            Ok(token.secret().to_owned())
        })
    };
    Calls((0..count).map(|_| call()).collect())
}

/// Waits until `count` calls in all have joined a flight that another call had started.
pub(crate) async fn joined(client: &Client, count: u64) {
    let joined = async {
        while client.stats().joined < count {
            tokio::task::yield_now().await;
        }
    };
    let outcome = tokio::time::timeout(HANGS, joined).await;
    assert!(outcome.is_ok(), "no {count} calls joined");
}

/// Calls that are under way.
pub(crate) struct Calls(Vec<tokio::task::JoinHandle<Result<String, Error>>>);

impl Calls {
    /// What every one of them brought.
    pub(crate) async fn results(self) -> Vec<Result<String, Error>> {
        let mut results = Vec::with_capacity(self.0.len());
        for call in self.0 {
            if let Ok(result) = call.await {
                results.push(result);
            }
        }
        results
    }

    /// The different tokens that they brought; panics if one of them failed.
    pub(crate) async fn tokens(self) -> Vec<String> {
        let count = self.0.len();
        let results = self.results().await;
        let mut tokens: Vec<String> = results.into_iter().flatten().collect();
        assert_eq!(tokens.len(), count, "some calls failed");
        tokens.sort_unstable();
        tokens.dedup();
        tokens
    }

    pub(crate) fn abort(&self) {
        for call in &self.0 {
            call.abort();
        }
    }
}

/// Whether the future is ready when it is looked at once: nobody waited.
pub(crate) fn at_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut cx) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

/// Asks and lets a refresh that this started come to its end.
#[expect(clippy::unwrap_used, reason = "a failure here is a failed test")]
pub(crate) async fn ask(client: &Client) -> String {
    let token = client.get_access_token("api").await.unwrap();
    client.close().await.unwrap();
    token.secret().to_owned()
}
