//! Any number of people: what a hit of one of them costs, what their sessions need, and what one person's
//! acts cost while others have hundreds of thousands of slots.

mod crowd;

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use crowd::{APIS, Crowd, name};

use crate::{
    allocator::counted,
    case::{Loop, repeat},
    endpoint::Endpoint,
    hits, instructions, limits,
    options::Options,
    progress,
    rows::Row,
    subject::Group,
    timing::{Effort, medians},
    tokens::{audience, shuffled},
};

pub(crate) const SECTION: &str = "people";

pub(crate) const HOT: &str = "one person of many, kept session, borrow";
pub(crate) const KEPT: &str = "all people in random order, kept sessions, borrow";
pub(crate) const NAMED: &str = "all people in random order, sessions by name, borrow";
pub(crate) const STRANGER: &str = "a stranger's call";
pub(crate) const SIGN_IN: &str = "a sign-in";
pub(crate) const SIGN_OUT: &str = "a sign-out";

/// All that was measured.
#[derive(Debug, Default)]
pub(crate) struct Crowded {
    pub(crate) hits: Vec<Hit>,
    pub(crate) acts: Vec<Act>,
    pub(crate) rounds: Option<Rounds>,
    pub(crate) bytes: Option<Bytes>,
}

/// A hit, beside the limit of the same run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit {
    pub(crate) group: Group,
    pub(crate) name: &'static str,
    pub(crate) limit: &'static str,
    pub(crate) ns: f64,
    pub(crate) allocations: f64,
}

/// What one person does, in instructions: with few slots of others, and with many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Act {
    pub(crate) name: &'static str,
    pub(crate) beside_few: u64,
    pub(crate) beside_many: u64,
}

/// All people in turn, several times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounds {
    pub(crate) people: usize,
    pub(crate) first: u64,
    pub(crate) later: u64,
}

/// Heap bytes over the texts of tokens and names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes {
    pub(crate) people: usize,
    /// What a session needs beside its slots.
    pub(crate) session: f64,
    pub(crate) slot: f64,
}

pub(crate) fn measure(options: &Options) -> Result<Crowded> {
    let mut crowded = Crowded::default();
    let people = if options.is_quick { 10_000 } else { 100_000 };
    let wants = |name| options.wants(SECTION, name);
    if [HOT, KEPT, NAMED].into_iter().any(wants) {
        crowded.hits = hits(people, options.is_quick)?;
    }
    if wants("rounds") {
        progress("people: 3000 in turn, four rounds");
        crowded.rounds = Some(rounds(3_000)?);
    }
    if wants("bytes") {
        progress("people: bytes");
        crowded.bytes = Some(bytes(people / 5)?);
    }
    for name in [STRANGER, SIGN_IN, SIGN_OUT] {
        if wants(name) && options.counts_instructions && instructions::are_counted() {
            progress(&format!("people: instructions of {name}"));
            crowded.acts.push(act(name)?);
        }
    }
    Ok(crowded)
}

/// An endpoint whose tokens outlive the run.
fn endpoint() -> Result<Endpoint> {
    Endpoint::start(Duration::from_hours(24))
}

/// So many people with a cached token for each API.
fn cached(people: usize) -> Result<Crowd> {
    let crowd = Crowd::empty(&endpoint()?, 2 * APIS * people)?;
    crowd.plant(people)?;
    for person in (0..people).map(name) {
        for api in 0..APIS {
            ensure!(crowd.call(&person, api), "{person} has no token");
        }
    }
    Ok(crowd)
}

fn hits(people: usize, is_quick: bool) -> Result<Vec<Hit>> {
    progress(&format!("people: {people} with {APIS} tokens each"));
    let crowd = Arc::new(cached(people)?);
    let cases: Vec<(Group, &'static str, &'static str, Loop)> = vec![
        (
            Group::Limit,
            limits::BORROW,
            limits::BORROW,
            limits::borrow()?,
        ),
        (Group::Ours, HOT, limits::BORROW, hot(&crowd, people / 2)),
        (
            Group::Limit,
            limits::CROWD,
            limits::CROWD,
            limits::crowd(people, APIS)?,
        ),
        (Group::Ours, KEPT, limits::CROWD, kept(&crowd, people)),
        (Group::Ours, NAMED, limits::CROWD, named(&crowd, people)),
    ];
    let loops: Vec<Loop> = cases.iter().map(|(.., calls)| Arc::clone(calls)).collect();
    progress("people: hits");
    let allocations: Vec<f64> = loops.iter().map(hits::allocations).collect();
    let effort = Effort {
        rounds: if is_quick { 5 } else { 15 },
        // Long enough that the processor's caches have forgotten those of the round before.
        batch: Duration::from_millis(if is_quick { 20 } else { 100 }),
    };
    let figures = medians(&loops, 1, effort);
    let rows = cases.into_iter().zip(figures).zip(allocations);
    Ok(rows
        .map(|(((group, name, limit, _), ns), allocations)| Hit {
            group,
            name,
            limit,
            ns,
            allocations,
        })
        .collect())
}

fn hot(crowd: &Arc<Crowd>, person: usize) -> Loop {
    let client = crowd.client(&name(person));
    repeat(move || client.current(black_box(audience(0))))
}

/// Each slot of all people, by a session that was kept.
fn kept(crowd: &Arc<Crowd>, people: usize) -> Loop {
    let clients: Vec<_> = (0..people)
        .map(|person| crowd.client(&name(person)))
        .collect();
    in_random_order(people, move |person, api| {
        clients[person].current(audience(api)).is_some()
    })
}

/// Each slot of all people, by the name of the session.
fn named(crowd: &Arc<Crowd>, people: usize) -> Loop {
    let names: Vec<String> = (0..people).map(name).collect();
    let crowd = Arc::clone(crowd);
    in_random_order(people, move |person, api| {
        crowd.is_cached(&names[person], api)
    })
}

/// Goes on where the last loop has ended, so that no slot is met twice before all others were.
pub(crate) fn in_random_order(
    people: usize,
    is_hit: impl Fn(usize, usize) -> bool + Send + Sync + 'static,
) -> Loop {
    let (order, next) = (shuffled(people * APIS), AtomicUsize::new(0));
    Arc::new(move |times| {
        let start = next.fetch_add(times as usize, Relaxed);
        for at in start..start + times as usize {
            let slot = order[at % order.len()];
            assert!(
                is_hit(slot / APIS, slot % APIS),
                "a cached call found nothing"
            );
        }
    })
}

fn rounds(people: usize) -> Result<Rounds> {
    let crowd = Crowd::empty(&endpoint()?, 100_000)?;
    crowd.plant(people)?;
    let before = crowd.flights();
    let round = || {
        for person in (0..people).map(name) {
            ensure!(crowd.call(&person, 0), "{person} has no token");
        }
        Ok(crowd.flights())
    };
    let first = round()?;
    let mut last = first;
    for _ in 0..3 {
        last = round()?;
    }
    Ok(Rounds {
        people,
        first: first - before,
        later: last - first,
    })
}

/// What one more slot needs, and what is left for the session itself.
fn bytes(people: usize) -> Result<Bytes> {
    let crowd = Crowd::empty(&endpoint()?, 2 * APIS * people)?;
    crowd.plant(people)?;
    let names: Vec<String> = (0..people).map(name).collect();
    let fill = |apis: std::ops::Range<usize>| {
        let heap = counted(|| {
            for person in &names {
                apis.clone()
                    .for_each(|api| assert!(crowd.call(person, api), "no token"));
            }
        });
        heap.live_bytes as f64 / people as f64
    };
    let (first, others) = (fill(0..1), fill(1..APIS));
    let token = crowd.token_length(&names[0])? as f64;
    let slot = others / (APIS - 1) as f64 - token;
    Ok(Bytes {
        people,
        session: first - token - names[0].len() as f64 - slot,
        slot,
    })
}

/// Slots of others: each of the acts should cost the same with these as with those.
const FEW: usize = 1_000;
const MANY: usize = 400_000;

/// How often an act is done under valgrind: enough that what differs between two starts is small.
fn times(act: &str) -> u64 {
    if act == STRANGER { 2_000 } else { 100 }
}

fn act(name: &'static str) -> Result<Act> {
    let count = |slots: usize| {
        let case = format!("{name}{BESIDE}{slots}");
        instructions::per_call(&case, times(name))
    };
    Ok(Act {
        name,
        beside_few: count(FEW)?,
        beside_many: count(MANY)?,
    })
}

const BESIDE: &str = ", slots beside it: ";

/// Does the act of the case `case` so often, and nothing else.
pub(crate) fn fixed(case: &str, times: u64) -> Result<()> {
    let (act, slots) = case
        .split_once(BESIDE)
        .with_context(|| format!("there is no case `{case}`"))?;
    let slots: usize = slots.parse()?;
    let actors = 4 * self::times(act) as usize;
    let crowd = Crowd::empty(&endpoint()?, 2 * (slots + actors * APIS))?;
    if act == SIGN_OUT {
        crowd.plant(actors)?;
    }
    // Slots without tokens cost as much to pass over, and are made in no time.
    for slot in 0..slots {
        drop(crowd.hold(&format!("other-{}", slot / APIS), slot % APIS));
    }
    for person in (0..actors).map(name) {
        // A person who signs in or out has slots of their own; a stranger has none.
        if act != STRANGER {
            (0..APIS).for_each(|api| drop(crowd.hold(&person, api)));
        }
    }
    ensure!(crowd.slots() >= slots, "the slots were not kept");
    for person in (0..times as usize).map(name) {
        match act {
            STRANGER => ensure!(!crowd.call(&person, 0), "a stranger has got a token"),
            SIGN_IN => crowd.sign_in(&person)?,
            _ => crowd.sign_out(&person)?,
        }
    }
    Ok(())
}

impl Crowded {
    pub(crate) fn rows(&self) -> Vec<Row> {
        let hits = self.hits.iter().map(|hit| Row {
            threads: Some(1),
            median_ns: Some(hit.ns),
            allocations: Some(hit.allocations),
            ..Row::new(hit.group, SECTION, hit.name)
        });
        let acts = self.acts.iter().flat_map(|act| {
            [(FEW, act.beside_few), (MANY, act.beside_many)].map(|(slots, count)| Row {
                instructions: Some(count),
                ..Row::new(
                    Group::Ours,
                    SECTION,
                    &format!("{}{BESIDE}{slots}", act.name),
                )
            })
        });
        let rounds = self.rounds.iter().map(|rounds| Row {
            requests: Some(rounds.later as usize),
            ..Row::new(Group::Ours, SECTION, "misses after the first round")
        });
        hits.chain(acts).chain(rounds).collect()
    }
}
