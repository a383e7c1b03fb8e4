//! Twenty callers over some seconds: what each call took, while something happens to the endpoint.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    endpoint::{Arrival, Endpoint},
    stampede::runtime,
    subject::{Caller, Group, Subject},
    tokens::{STUCK, audience},
};

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Situation {
    /// The token comes to the point where it is renewed; the endpoint takes 300 ms.
    Refresh,
    /// It comes to that point, and the endpoint answers 503. The token itself lives on.
    Outage,
    /// Somebody asks for an audience whose requests are left waiting.
    Stuck,
}

/// What the callers saw.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) group: Group,
    pub(crate) name: &'static str,
    pub(crate) calls: usize,
    pub(crate) slow: usize,
    pub(crate) errors: usize,
    pub(crate) requests: usize,
    /// How often a renewal came due: requests that follow each other closely belong to one.
    pub(crate) windows: usize,
    /// Requests for an audience that was asked for once, before.
    pub(crate) idle_requests: usize,
    /// The slowest call of each tenth of a second, in milliseconds.
    pub(crate) worst: Vec<f64>,
}

impl Window {
    pub(crate) fn slowest(&self) -> f64 {
        self.worst.iter().copied().fold(0.0, f64::max)
    }
}

/// A call that takes longer than this is seen by a person.
pub(crate) const SLOW: Duration = Duration::from_millis(50);

const CALLERS: usize = 20;
const PAUSE: Duration = Duration::from_millis(2);

/// Nobody who is still stuck is waited for longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Renewals are at least three seconds apart in every subject; a retry comes sooner.
const APART: Duration = Duration::from_millis(1500);

impl Situation {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Refresh => "refresh",
            Self::Outage => "outage",
            Self::Stuck => "stuck",
        }
    }

    const fn length(self) -> Duration {
        match self {
            // Two renewals of most.
            Self::Refresh => Duration::from_millis(8500),
            // The point comes after three seconds; every token still lives at the end.
            Self::Outage => Duration::from_millis(5500),
            Self::Stuck => Duration::from_millis(2500),
        }
    }

    /// Every token comes from one subject's own choice of life; nobody's is renewed beside a stuck one.
    fn lifetime(self, subject: Subject) -> Duration {
        match self {
            Self::Stuck => Duration::from_hours(1),
            Self::Refresh | Self::Outage => subject.lifetime,
        }
    }

    fn begin(self, endpoint: &Endpoint) {
        match self {
            Self::Refresh => endpoint.set_delay(Duration::from_millis(300)),
            Self::Outage => endpoint.fail(),
            Self::Stuck => endpoint.set_stuck_delay(Duration::from_mins(1)),
        }
    }
}

pub(crate) fn measure(subject: Subject, situation: Situation) -> Result<Window> {
    let endpoint = Endpoint::start(situation.lifetime(subject))?;
    let runtime = runtime()?;
    let result = runtime.block_on(watch(subject, situation, &endpoint));
    runtime.shutdown_background();
    result
}

async fn watch(subject: Subject, situation: Situation, endpoint: &Endpoint) -> Result<Window> {
    let caller = (subject.start)(endpoint.clone()).await?;
    caller.call(0).await.context("the first token")?;
    if subject.is_keyed {
        caller.call(IDLE).await.context("the idle audience")?;
    }
    endpoint.forget_arrivals();
    situation.begin(endpoint);
    let stop = Arc::new(AtomicBool::new(false));
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        callers.spawn(keep_calling(Arc::clone(&caller), start, Arc::clone(&stop)));
    }
    if situation == Situation::Stuck {
        let caller = Arc::clone(&caller);
        tokio::spawn(async move { caller.call(STUCK).await });
    }
    sleep(situation.length()).await;
    stop.store(true, Relaxed);
    let arrivals = endpoint.arrivals();
    let seen = collect(callers).await;
    Ok(summary(subject, &seen, &arrivals))
}

/// Asked for once, so that nobody needs its next token.
const IDLE: usize = 1;

/// When a call began, how long it took, and whether it brought a token.
type Call = (Duration, Duration, bool);

async fn keep_calling(caller: Arc<dyn Caller>, start: Instant, stop: Arc<AtomicBool>) -> Vec<Call> {
    let mut calls = Vec::new();
    while !stop.load(Relaxed) {
        let began = start.elapsed();
        let is_ok = caller.call(0).await.is_ok();
        calls.push((began, start.elapsed().saturating_sub(began), is_ok));
        sleep(PAUSE).await;
    }
    calls
}

/// A caller who does not come back in time counts with one slow call.
async fn collect(mut callers: JoinSet<Vec<Call>>) -> Vec<Call> {
    let mut calls = Vec::new();
    let everybody = async {
        while let Some(outcome) = callers.join_next().await {
            calls.extend(outcome.unwrap_or_default());
        }
    };
    let _in_time = timeout(PATIENCE, everybody).await.is_ok();
    calls.extend((0..callers.len()).map(|_| (Duration::ZERO, PATIENCE, true)));
    calls
}

fn summary(subject: Subject, calls: &[Call], arrivals: &[Arrival]) -> Window {
    let mut worst = Vec::new();
    for (began, took, _) in calls {
        let tenth = (began.as_millis() / 100) as usize;
        if worst.len() <= tenth {
            worst.resize(tenth + 1, 0.0);
        }
        worst[tenth] = f64::max(worst[tenth], took.as_secs_f64() * 1e3);
    }
    let is_idle = |arrival: &&Arrival| arrival.audience == audience(IDLE);
    // Some peers name a scope of their own instead of the audience.
    let hot = |arrival: &&Arrival| !is_idle(arrival) && arrival.audience != audience(STUCK);
    let times: Vec<Instant> = arrivals.iter().filter(hot).map(|one| one.at).collect();
    let later = times.windows(2).filter(|two| two[1] - two[0] > APART);
    Window {
        group: subject.group,
        name: subject.name,
        calls: calls.len(),
        slow: calls.iter().filter(|(_, took, _)| *took > SLOW).count(),
        errors: calls.iter().filter(|(.., is_ok)| !is_ok).count(),
        requests: times.len(),
        windows: later.count() + usize::from(!times.is_empty()),
        idle_requests: arrivals.iter().filter(is_idle).count(),
        worst,
    }
}
