//! Everybody at once, and no token: how many requests are made, and when the last caller has one.

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
    time::timeout,
};

use crate::{
    endpoint::Endpoint,
    subject::{Group, Subject},
    timing::median,
};

/// The endpoint takes so long.
pub(crate) const DELAY: Duration = Duration::from_millis(100);

/// As many as a busy service has in flight when it starts.
pub(crate) const CALLERS: usize = 10_000;

/// Nobody is waited for longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What became of them; over several rounds the time is the median and a count the worst.
#[derive(Clone, Debug)]
pub(crate) struct Stampede {
    pub(crate) group: Group,
    pub(crate) name: &'static str,
    pub(crate) audiences: usize,
    pub(crate) milliseconds: f64,
    pub(crate) requests: usize,
    pub(crate) errors: usize,
    /// Those who still waited when patience ended.
    pub(crate) unfinished: usize,
}

/// A runtime as an application on two cores has it.
pub(crate) fn runtime() -> Result<Runtime> {
    Ok(Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?)
}

pub(crate) fn measure(
    subject: Subject,
    audiences: usize,
    rounds: usize,
) -> Result<Option<Stampede>> {
    let mut all = Vec::new();
    for _ in 0..rounds {
        match round(subject, audiences)? {
            Some(one) => all.push(one),
            None => return Ok(None),
        }
    }
    let worst = |count: fn(&Stampede) -> usize| all.iter().map(count).max().unwrap_or_default();
    Ok(Some(Stampede {
        group: subject.group,
        name: subject.name,
        audiences,
        milliseconds: median(all.iter().map(|one| one.milliseconds).collect()),
        requests: worst(|one| one.requests),
        errors: worst(|one| one.errors),
        unfinished: worst(|one| one.unfinished),
    }))
}

/// Nothing for a subject that has fetched its token before anybody asked.
fn round(subject: Subject, audiences: usize) -> Result<Option<Stampede>> {
    let endpoint = Endpoint::start(Duration::from_hours(1))?;
    let runtime = runtime()?;
    let result = runtime.block_on(async {
        let caller = (subject.start)(endpoint.clone()).await?;
        if endpoint.requests() > 0 {
            return Ok(None);
        }
        endpoint.set_delay(DELAY);
        let start = Instant::now();
        let mut callers = JoinSet::new();
        for number in 0..CALLERS {
            let caller = std::sync::Arc::clone(&caller);
            callers.spawn(async move { caller.call(number % audiences).await.is_ok() });
        }
        let (mut served, mut errors) = (0, 0);
        let everybody = async {
            while let Some(outcome) = callers.join_next().await {
                match outcome {
                    Ok(true) => served += 1,
                    _ => errors += 1,
                }
            }
        };
        let _in_time = timeout(PATIENCE, everybody).await.is_ok();
        anyhow::Ok(Some(Stampede {
            group: subject.group,
            name: subject.name,
            audiences,
            milliseconds: start.elapsed().as_secs_f64() * 1e3,
            requests: endpoint.requests(),
            errors,
            unfinished: CALLERS - served - errors,
        }))
    });
    runtime.shutdown_background();
    result
}
