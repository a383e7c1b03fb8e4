//! Requests per second of an API on loopback, with the layer and without it.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use axum::{Router, routing::get};
use intelliauth::resource_server::{Algorithm, ProtectedRouter, Verifier, require_scope};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::issuer::{AUDIENCE, Issuer};
use crate::{rows::Row, subject::Group};

pub(super) const NAME: &str = "requests per second";

/// Requests per second, the median of rounds that were taken in turns.
#[derive(Debug)]
pub(crate) struct Throughput {
    figures: [(Group, &'static str, f64); 3],
}

pub(super) async fn measure(issuer: &Issuer, length: Duration) -> Result<Throughput> {
    let token = issuer.keys[0].token(&issuer.url)?;
    let protected = |remembered| -> Result<Router> {
        let verifier = Verifier::builder(&issuer.url, AUDIENCE)
            .algorithms([Algorithm::Es256])
            .remembered_tokens(remembered)
            .build()?;
        let read = require_scope("read:transactions")?;
        Ok(ProtectedRouter::new(verifier)
            .get("/", read, answer)
            .into_router()?)
    };
    let apis = [
        (
            Group::Limit,
            "without the layer",
            Router::new().route("/", get(answer)),
        ),
        (Group::Ours, "with it, tokens seen again", protected(4096)?),
        (Group::Ours, "with it, each verified (ES256)", protected(0)?),
    ];
    let mut addresses = Vec::new();
    for (group, name, router) in apis {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        addresses.push((group, name, listener.local_addr()?.to_string()));
        tokio::spawn(async move { axum::serve(listener, router).await });
    }
    let mut rounds = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for ((_, _, address), figures) in addresses.iter().zip(&mut rounds) {
            figures.push(round(address, &token, length).await?);
        }
    }
    let mut figures = addresses.iter().zip(rounds);
    let mut next = || {
        let ((group, name, _), figures) = figures.next().context("there are three")?;
        anyhow::Ok((*group, *name, crate::timing::median(figures)))
    };
    Ok(Throughput {
        figures: [next()?, next()?, next()?],
    })
}

async fn answer() -> &'static str {
    "ok"
}

/// Callers that each wait for one answer before they ask again, on connections that stay open.
async fn round(address: &str, token: &str, length: Duration) -> Result<f64> {
    let start = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| tokio::spawn(caller(address.to_owned(), token.to_owned(), start + length)))
        .collect();
    let mut count = 0;
    for caller in callers {
        count += caller.await??;
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

async fn caller(address: String, token: String, end: Instant) -> Result<u64> {
    let mut stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let request =
        format!("GET / HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\r\n");
    let mut buffer = vec![0; 4096];
    let mut count = 0;
    while Instant::now() < end {
        stream.write_all(request.as_bytes()).await?;
        let length = stream.read(&mut buffer).await?;
        ensure!(
            buffer[..length].starts_with(b"HTTP/1.1 200"),
            "a good token was refused"
        );
        count += 1;
    }
    Ok(count)
}

impl Throughput {
    pub(super) fn rows(&self, section: &str) -> Vec<Row> {
        let rows = self.figures.iter().map(|(group, name, each)| Row {
            median_ns: Some(1e9 / each),
            ..Row::new(*group, section, &format!("a request, {name}"))
        });
        rows.collect()
    }

    /// Writing into a `String` cannot fail.
    pub(super) fn table(&self) -> String {
        let mut text = format!(
            "\n{:<46}{:>9} {:>7}\n",
            "Requests of an API on loopback", "per s", "limit ×"
        );
        let limit = self.figures[0].2;
        for (group, name, figure) in &self.figures {
            let mark = if *group == Group::Ours { "> " } else { "" };
            let _ = writeln!(
                text,
                "{:<46}{figure:>9.0} {:>7.2}",
                format!("{mark}{name}"),
                figure / limit
            );
        }
        text
    }
}

const ROUNDS: usize = 5;

const CALLERS: usize = 16;
