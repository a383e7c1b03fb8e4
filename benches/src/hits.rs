//! One cached call of each: time, allocations, instructions.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::{
    allocator::counted,
    case::{Lab, Loop, Plan},
    endpoint::Endpoint,
    instructions, limits,
    options::Options,
    ours, people, progress,
    stampede::runtime,
    subject::Group,
    timing::{Effort, medians},
};

pub(crate) const SECTION: &str = "hit";

/// What one cached call takes.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) group: Group,
    pub(crate) name: &'static str,
    pub(crate) limit: &'static str,
    /// Nanoseconds of one thread alone.
    pub(crate) alone: f64,
    /// Nanoseconds of each of two threads on the same key.
    pub(crate) together: f64,
    pub(crate) allocations: f64,
    pub(crate) instructions: Option<u64>,
}

/// All cases.
pub(crate) fn plans() -> Vec<Plan> {
    let mut plans = limits::plans();
    plans.extend(ours::plans());
    #[cfg(feature = "peers")]
    plans.extend(crate::peers::plans());
    plans
}

/// Whether a row is asked for, itself or as the limit of one that is.
fn is_wanted(plan: &Plan, options: &Options) -> bool {
    let wants = |plan: &Plan| options.wants(SECTION, plan.name);
    wants(plan)
        || plans()
            .iter()
            .any(|other| other.limit == plan.name && wants(other))
}

pub(crate) fn measure(options: &Options) -> Result<Vec<Hit>> {
    let plans: Vec<Plan> = plans()
        .into_iter()
        .filter(|plan| is_wanted(plan, options))
        .collect();
    if plans.is_empty() {
        return Ok(Vec::new());
    }
    let runtime = runtime()?;
    let lab = lab(&runtime)?;
    let mut loops = Vec::new();
    for plan in &plans {
        let built = (plan.build)(&lab);
        loops.push(built.with_context(|| format!("{} cannot be set up", plan.name))?);
    }
    let effort = if options.is_quick { QUICK } else { FULL };
    progress("hit: allocations");
    let allocations: Vec<f64> = loops.iter().map(allocations).collect();
    progress("hit: one thread");
    let alone = medians(&loops, 1, effort);
    progress("hit: two threads on the same key");
    let together = medians(&loops, 2, effort);
    let mut hits = Vec::new();
    for (at, plan) in plans.iter().enumerate() {
        hits.push(Hit {
            group: plan.group,
            name: plan.name,
            limit: plan.limit,
            alone: alone[at],
            together: together[at],
            allocations: allocations[at],
            instructions: instructions_of(plan, options),
        });
    }
    runtime.shutdown_background();
    Ok(hits)
}

const FULL: Effort = Effort {
    rounds: 15,
    batch: Duration::from_millis(30),
};

const QUICK: Effort = Effort {
    rounds: 5,
    batch: Duration::from_millis(6),
};

/// Where the cases run: an endpoint whose tokens outlive the run.
fn lab(runtime: &tokio::runtime::Runtime) -> Result<Lab> {
    Ok(Lab {
        runtime: runtime.handle().clone(),
        endpoint: Endpoint::start(Duration::from_hours(24))?,
    })
}

/// Heap allocations of one call. What a loop sets up for itself cancels out.
pub(crate) fn allocations(calls: &Loop) -> f64 {
    const TIMES: u64 = 1000;
    let of = |times| counted(|| calls(times)).allocations;
    let (few, many) = (of(TIMES), of(4 * TIMES));
    many.saturating_sub(few) as f64 / (3 * TIMES) as f64
}

fn instructions_of(plan: &Plan, options: &Options) -> Option<u64> {
    let is_peer = plan.group == Group::Peer;
    let is_skipped = !options.counts_instructions || (options.is_quick && is_peer);
    if is_skipped || !instructions::are_counted() {
        return None;
    }
    progress(&format!("hit: instructions of {}", plan.name));
    let times = if is_peer { PEER_CALLS } else { CALLS };
    match instructions::per_call(plan.name, times) {
        Ok(count) => Some(count),
        Err(error) => {
            progress(&format!("no count: {error:#}"));
            None
        }
    }
}

/// Enough that what differs between two starts is less than an instruction a call.
pub(crate) const CALLS: u64 = 50_000;

/// Peers sign and start more, and take ten times as long: half a per cent is near enough.
const PEER_CALLS: u64 = 20_000;

/// Makes the calls of the case `name`, and nothing else.
pub(crate) fn fixed(name: &str, times: u64) -> Result<()> {
    let Some(plan) = plans().into_iter().find(|plan| plan.name == name) else {
        return people::fixed(name, times);
    };
    let runtime = runtime()?;
    let calls = (plan.build)(&lab(&runtime)?)?;
    calls(times);
    runtime.shutdown_background();
    Ok(())
}
