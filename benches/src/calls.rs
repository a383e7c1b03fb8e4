//! A whole call to an API on loopback: what the token adds to it, by hand, by ours, by a peer's policy.

#[cfg(feature = "peers")]
mod azure;

use std::{fmt::Write as _, sync::Arc, time::Instant};

use anyhow::Result;
use async_trait::async_trait;
use http::Extensions;
use intelliauth::{Api, Client};
use reqwest_013::{Client as Http, Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use tokio::runtime::{Builder, Runtime};

use crate::{
    case::Loop, endpoint::Endpoint, goals::Goal, options::Options, ours::Mint, progress, rows::Row,
    subject::Group, tokens::audience,
};

const SECTION: &str = "call";

const BY_HAND: &str = "a hand-set header";
const EMPTY: &str = "an empty middleware";
const OURS: &str = "intelliauth's middleware";
const SEND: &str = "intelliauth's send";

/// Nanoseconds of one way to call: the tenth part of the rounds was faster.
#[derive(Debug)]
pub(crate) struct Called {
    group: Group,
    name: &'static str,
    nanoseconds: f64,
}

type Case = (Group, &'static str, Loop);

pub(crate) fn measure(options: &Options) -> Result<Vec<Called>> {
    if ![BY_HAND, EMPTY, OURS, SEND]
        .into_iter()
        .any(|name| options.wants(SECTION, name))
    {
        return Ok(Vec::new());
    }
    progress("call: an API on loopback");
    let api = Endpoint::start(std::time::Duration::from_secs(3600))?;
    let runtime = Arc::new(Builder::new_current_thread().enable_all().build()?);
    let cases = cases(&runtime, &api)?;
    let rounds = if options.is_quick { 200 } else { 2000 };
    let mut samples = vec![Vec::with_capacity(rounds); cases.len()];
    for _ in 0..rounds {
        // In turns, so that whatever slows the machine hits all of them alike.
        for ((_, _, calls), samples) in cases.iter().zip(&mut samples) {
            let start = Instant::now();
            calls(CALLS);
            samples.push(start.elapsed().as_nanos() as f64 / CALLS as f64);
        }
    }
    let called = cases.iter().zip(samples).map(|(case, samples)| Called {
        group: case.0,
        name: case.1,
        nanoseconds: tenth(samples),
    });
    Ok(called.collect())
}

fn cases(runtime: &Arc<Runtime>, api: &Endpoint) -> Result<Vec<Case>> {
    let (url, http) = (api.url(), Http::builder().no_proxy().build()?);
    let client = Client::builder("https://issuer.example.com", "app_benchmark", Mint).build()?;
    let token = runtime.block_on(client.get_access_token(audience(0)))?;
    let wrapped = |middleware: Arc<dyn Middleware>| -> ClientWithMiddleware {
        ClientBuilder::new(http.clone())
            .with_arc(middleware)
            .build()
    };
    let by_hand = {
        let (http, url, header) = (http.clone(), url.clone(), token.header_value().clone());
        calls(runtime, move || {
            let request = http.get(&url).header("authorization", header.clone());
            async { Ok(request.send().await?) }
        })
    };
    let empty = through(runtime, wrapped(Arc::new(Empty)), &url);
    let middleware = client.middleware().api(&url, audience(0));
    let ours = through(runtime, wrapped(Arc::new(middleware)), &url);
    let send = {
        let (client, api) = (client, Arc::new(Api::new(audience(0))));
        let (http, url) = (http.clone(), url.clone());
        calls(runtime, move || {
            let (client, api, request) = (client.clone(), Arc::clone(&api), http.get(&url));
            async move { Ok(intelliauth::send(&client, &api, request).await?) }
        })
    };
    #[cfg_attr(
        not(feature = "peers"),
        expect(unused_mut, reason = "without peers there is nothing to add")
    )]
    let mut cases = vec![
        (Group::Limit, BY_HAND, by_hand),
        (Group::Limit, EMPTY, empty),
        (Group::Ours, OURS, ours),
        (Group::Ours, SEND, send),
    ];
    #[cfg(feature = "peers")]
    cases.push((Group::Peer, azure::NAME, azure::calls(runtime, http, url)?));
    Ok(cases)
}

fn through(runtime: &Arc<Runtime>, http: ClientWithMiddleware, url: &str) -> Loop {
    let url = url.to_owned();
    calls(runtime, move || {
        let request = http.get(&url);
        async { Ok(request.send().await?) }
    })
}

/// One call after the other, each with its answer read.
fn calls<F>(runtime: &Arc<Runtime>, call: impl Fn() -> F + Send + Sync + 'static) -> Loop
where
    F: Future<Output = Result<Response>>,
{
    let runtime = Arc::clone(runtime);
    Arc::new(move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                let answer = call().await;
                let is_good = answer.as_ref().is_ok_and(|answer| answer.status() == 200);
                assert!(is_good, "a call failed");
                if let Ok(answer) = answer {
                    assert!(answer.bytes().await.is_ok(), "an answer broke off");
                }
            }
        });
    })
}

/// Hands everything on.
struct Empty;

#[async_trait]
impl Middleware for Empty {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        next.run(request, extensions).await
    }
}

/// What nine tenths of the rounds took longer than: a call over loopback is woken late most of the time, and
/// hardly ever early.
fn tenth(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 10).copied().unwrap_or(f64::NAN)
}

pub(crate) fn rows(called: &[Called]) -> impl Iterator<Item = Row> {
    called.iter().map(|one| Row {
        tenth_ns: Some(one.nanoseconds),
        ..Row::new(one.group, SECTION, one.name)
    })
}

pub(crate) fn goals(called: &[Called]) -> Vec<Goal> {
    let of = |name: &str| called.iter().find(|one| one.name == name);
    let (Some(empty), Some(ours)) = (of(EMPTY), of(OURS)) else {
        return Vec::new();
    };
    let added = (ours.nanoseconds - empty.nanoseconds) / 1000.0;
    let title = "a call through ours, over an empty middleware";
    vec![Goal::at_most(title, added, 1.0, " µs")]
}

/// Writing into a `String` cannot fail.
pub(crate) fn table(called: &[Called]) -> String {
    let mut text = String::new();
    let Some(limit) = called.first() else {
        return text;
    };
    let _ = writeln!(
        text,
        "\n{:<46}{:>9} {:>7}",
        "A call to an API on loopback, p10", "µs", "limit ×"
    );
    for one in called {
        let mark = if one.group == Group::Ours { "> " } else { "" };
        let _ = writeln!(
            text,
            "{:<46}{:>9.2} {:>7.3}",
            format!("{mark}{}", one.name),
            one.nanoseconds / 1000.0,
            one.nanoseconds / limit.nanoseconds,
        );
    }
    text
}

/// In a row, of one kind: few, so that all kinds see the same machine.
const CALLS: u64 = 20;
