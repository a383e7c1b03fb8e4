//! The other end: what verifying a token costs beside the bare check of its signature.

mod issuer;
mod peers;
mod requests;

use std::{fmt::Write as _, hint::black_box, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use intelliauth::resource_server::{Algorithm, Verifier};
use tokio::runtime::Handle;

use self::{
    issuer::{AUDIENCE, Issuer, Key},
    requests::Throughput,
};
use crate::{
    case::{Loop, repeat},
    goals::Goal,
    options::Options,
    progress,
    rows::Row,
    subject::Group,
    timing::{self, Effort},
};

const SECTION: &str = "verify";

/// Nanoseconds for each way to verify a token of one algorithm.
#[derive(Debug)]
pub(crate) struct Verified {
    algorithm: &'static str,
    group: Group,
    name: &'static str,
    nanoseconds: f64,
}

/// What this section measured; empty if it was not asked for.
#[derive(Debug, Default)]
pub(crate) struct Results {
    verified: Vec<Verified>,
    throughput: Option<Throughput>,
}

const BARE: &str = "aws-lc-rs, the signature alone";
const OURS: &str = "intelliauth, verified";
const SEEN: &str = "intelliauth, seen again";

pub(crate) fn measure(options: &Options) -> Result<Results> {
    let mut results = Results::default();
    let wants = |name: &str| options.wants(SECTION, name);
    if ![
        BARE,
        OURS,
        SEEN,
        "jsonwebtoken",
        "jwt-authorizer",
        requests::NAME,
    ]
    .into_iter()
    .any(wants)
    {
        return Ok(results);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let issuer = runtime.block_on(Issuer::start())?;
    for key in &issuer.keys {
        progress(&format!("verify: {}", key.name));
        let cases = cases(runtime.handle(), &issuer, key)?;
        let (rounds, batch) = if options.is_quick { (7, 10) } else { (31, 40) };
        let effort = Effort {
            rounds,
            batch: Duration::from_millis(batch),
        };
        let loops: Vec<Loop> = cases.iter().map(|case| Arc::clone(&case.2)).collect();
        let medians = timing::medians(&loops, 1, effort);
        let verified = cases.iter().zip(medians);
        results
            .verified
            .extend(verified.map(|(case, nanoseconds)| Verified {
                algorithm: key.name,
                group: case.0,
                name: case.1,
                nanoseconds,
            }));
    }
    if wants(requests::NAME) {
        progress("verify: requests per second");
        let length = Duration::from_millis(if options.is_quick { 300 } else { 2000 });
        results.throughput = Some(runtime.block_on(requests::measure(&issuer, length))?);
    }
    Ok(results)
}

type Case = (Group, &'static str, Loop);

fn cases(runtime: &Handle, issuer: &Issuer, key: &Key) -> Result<Vec<Case>> {
    let token = key.token(&issuer.url)?;
    let (signed, signature) = token.rsplit_once('.').context("it is a token")?;
    let (signed, signature) = (signed.to_owned(), issuer::decode(signature)?);
    let public = key.public()?;
    let bare = repeat(move || {
        public
            .verify_sig(black_box(signed.as_bytes()), &signature)
            .ok()
    });
    Ok(vec![
        (Group::Limit, BARE, bare),
        (Group::Ours, OURS, ours(runtime, issuer, &token, 0)?),
        (Group::Ours, SEEN, ours(runtime, issuer, &token, 4096)?),
        (
            Group::Peer,
            "jsonwebtoken",
            peers::jsonwebtoken(issuer, key, &token)?,
        ),
        (
            Group::Peer,
            "jwt-authorizer",
            peers::jwt_authorizer(runtime, issuer, &token)?,
        ),
    ])
}

fn ours(runtime: &Handle, issuer: &Issuer, token: &str, remembered: usize) -> Result<Loop> {
    let verifier = Verifier::builder(&issuer.url, AUDIENCE)
        .algorithms([Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa])
        .remembered_tokens(remembered)
        .build()?;
    runtime.block_on(verifier.verify(token))?;
    let (runtime, token) = (runtime.clone(), token.to_owned());
    Ok(Arc::new(move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                let claims = black_box(verifier.verify(black_box(&token)).await);
                assert!(claims.is_ok(), "a good token was refused");
            }
        });
    }))
}

impl Results {
    pub(crate) fn rows(&self) -> Vec<Row> {
        let verified = self.verified.iter().map(|one| Row {
            threads: Some(1),
            median_ns: Some(one.nanoseconds),
            ..Row::new(
                one.group,
                SECTION,
                &format!("{}, {}", one.name, one.algorithm),
            )
        });
        let requests = self.throughput.iter().flat_map(|one| one.rows(SECTION));
        verified.chain(requests).collect()
    }

    pub(crate) fn goals(&self) -> Vec<Goal> {
        let mut goals = Vec::new();
        for one in &self.verified {
            let title = format!("{}, {}", one.algorithm, one.name);
            if one.name == OURS {
                let limit = if one.algorithm == "RS256" { 1.10 } else { 1.05 };
                let times = one.nanoseconds / self.bare(one.algorithm);
                goals.push(Goal::at_most(title, times, limit, " × the signature"));
            } else if one.name == SEEN {
                goals.push(Goal::at_most(title, one.nanoseconds, 200.0, " ns"));
            }
        }
        goals
    }

    fn bare(&self, algorithm: &str) -> f64 {
        let mut bare = self.verified.iter().filter(|one| one.name == BARE);
        bare.find(|one| one.algorithm == algorithm)
            .map_or(f64::NAN, |one| one.nanoseconds)
    }
}

/// Writing into a `String` cannot fail.
pub(crate) fn table(results: &Results) -> String {
    let mut text = String::new();
    if results.verified.is_empty() {
        return text;
    }
    let _ = writeln!(
        text,
        "\n{:<46}{:>9} {:>7}",
        "A token verified", "ns", "limit ×"
    );
    for one in &results.verified {
        let mark = if one.group == Group::Ours { "> " } else { "" };
        let _ = writeln!(
            text,
            "{:<46}{:>9.0} {:>7.3}",
            format!("{}: {mark}{}", one.algorithm, one.name),
            one.nanoseconds,
            one.nanoseconds / results.bare(one.algorithm),
        );
    }
    if let Some(throughput) = &results.throughput {
        text.push_str(&throughput.table());
    }
    text
}
