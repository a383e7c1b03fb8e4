//! What the project has promised itself, and whether this run shows it.

use std::fmt::{Display, Write as _};

use crate::{
    hits::Hit,
    limits,
    million::{MOKA, MOKA_AND_PAPAYA, OURS},
    ours,
    people::{self, Crowded},
    results::Results,
    stampede::Stampede,
    subject::Group,
    window::{Situation, Window},
};

/// One promise.
#[derive(Debug)]
pub(crate) struct Goal {
    name: String,
    figure: String,
    limit: String,
    is_met: bool,
}

impl Goal {
    pub(crate) fn at_most(name: impl Into<String>, figure: f64, limit: f64, unit: &str) -> Self {
        Self {
            name: name.into(),
            figure: format!("{figure:.2}{unit}"),
            limit: format!("≤ {limit}{unit}"),
            is_met: figure <= limit,
        }
    }

    #[cfg(feature = "peers")]
    fn at_least(name: impl Into<String>, figure: f64, limit: f64, unit: &str) -> Self {
        Self {
            name: name.into(),
            figure: format!("{figure:.2}{unit}"),
            limit: format!("≥ {limit}{unit}"),
            is_met: figure >= limit,
        }
    }

    fn exactly<T: Copy + Display + PartialEq>(
        name: impl Into<String>,
        figure: T,
        limit: T,
    ) -> Self {
        Self {
            name: name.into(),
            figure: figure.to_string(),
            limit: limit.to_string(),
            is_met: figure == limit,
        }
    }
}

/// The goals that this run says something about.
pub(crate) fn of(results: &Results) -> Vec<Goal> {
    let mut goals = Vec::new();
    hits(&mut goals, &results.hits);
    speed(&mut goals, &results.hits);
    stampedes(&mut goals, &results.stampedes);
    for (situation, window) in &results.windows {
        if window.group == Group::Ours {
            windows(&mut goals, *situation, window);
        }
    }
    minute(&mut goals, results);
    million(&mut goals, results);
    people(&mut goals, &results.people);
    goals
}

/// All of them, for a terminal.
pub(crate) fn table(goals: &[Goal]) -> String {
    let mut text = String::new();
    if goals.is_empty() {
        return text;
    }
    let _ = writeln!(text, "\n{:<58}{:>10} {:>10}", "Goals", "figure", "limit");
    for goal in goals {
        let verdict = if goal.is_met { "met" } else { "MISSED" };
        let (name, figure, limit) = (&goal.name, &goal.figure, &goal.limit);
        let _ = writeln!(text, "{name:<58}{figure:>10} {limit:>10}  {verdict}");
    }
    text
}

fn named<'a>(hits: &'a [Hit], name: &str) -> Option<&'a Hit> {
    hits.iter().find(|hit| hit.name == name)
}

fn hits(goals: &mut Vec<Goal>, hits: &[Hit]) {
    let limit = named(hits, limits::BORROW);
    if let (Some(limit), Some(handle)) = (limit, named(hits, ours::HANDLE_BORROW)) {
        let ratio = handle.alone / limit.alone;
        goals.push(Goal::at_most(
            "handle, borrow, of the limit",
            ratio,
            1.25,
            " ×",
        ));
    }
    if let (Some(limit), Some(text)) = (limit, named(hits, ours::STR_BORROW)) {
        let ratio = text.alone / limit.alone;
        goals.push(Goal::at_most(
            "&str, borrow, of the limit",
            ratio,
            2.5,
            " ×",
        ));
        if let Some(count) = text.instructions {
            goals.push(Goal::at_most(
                "&str, borrow, instructions",
                count as f64,
                300.0,
                "",
            ));
        }
    }
    for name in [ours::HANDLE_BORROW, ours::STR_BORROW] {
        if let Some(hit) = named(hits, name) {
            let name = format!("{name}, two threads, of one alone");
            goals.push(Goal::at_most(name, hit.together / hit.alone, 1.5, " ×"));
        }
    }
    for hit in hits.iter().filter(|hit| hit.group == Group::Ours) {
        let name = format!("{}, allocations", hit.name);
        goals.push(Goal::exactly(name, hit.allocations, 0.0));
    }
}

/// Beside the peers.
#[cfg(feature = "peers")]
fn speed(goals: &mut Vec<Goal>, hits: &[Hit]) {
    use crate::{
        peers::{self, GoogleHeaders},
        subject::Tokens,
    };
    let mut faster = |ours: &str, peer: &str, times| {
        if let (Some(ours), Some(peer)) = (named(hits, ours), named(hits, peer)) {
            let name = format!("{}, faster than {}", ours.name, peer.name);
            goals.push(Goal::at_least(name, peer.alone / ours.alone, times, " ×"));
        }
    };
    for peer in peers::KEYED {
        faster(ours::STR_OWNED, peer, 3.0);
    }
    faster(ours::STR_OWNED, peers::RW_LOCK, 2.5);
    faster(ours::HEADER, GoogleHeaders::NAME, 5.0);
}

#[cfg(not(feature = "peers"))]
fn speed(_: &mut [Goal], _: &[Hit]) {}

fn stampedes(goals: &mut Vec<Goal>, all: &[Stampede]) {
    for ours in all.iter().filter(|one| one.group == Group::Ours) {
        let audiences = ours.audiences;
        let title = format!("10,000 cold callers of {audiences}");
        goals.push(Goal::exactly(
            format!("{title}, requests"),
            ours.requests,
            audiences,
        ));
        let lost = ours.errors + ours.unfinished;
        goals.push(Goal::exactly(format!("{title}, errors"), lost, 0));
        let is_floor = |one: &&Stampede| one.group == Group::Limit && one.audiences == audiences;
        if let Some(floor) = all.iter().find(is_floor) {
            let limit = if audiences == 1 { 1.08 } else { 1.15 };
            let ratio = ours.milliseconds / floor.milliseconds;
            goals.push(Goal::at_most(
                format!("{title}, of the floor"),
                ratio,
                limit,
                " ×",
            ));
        }
    }
}

fn windows(goals: &mut Vec<Goal>, situation: Situation, window: &Window) {
    let title = match situation {
        Situation::Refresh => "refresh of 300 ms",
        Situation::Outage => "outage",
        Situation::Stuck => "beside a stuck audience",
    };
    goals.push(Goal::exactly(
        format!("{title}, slow calls"),
        window.slow,
        0,
    ));
    goals.push(Goal::exactly(format!("{title}, errors"), window.errors, 0));
    if situation == Situation::Refresh {
        let each = window.requests as f64 / window.windows as f64;
        goals.push(Goal::exactly(
            format!("{title}, requests per window"),
            each,
            1.0,
        ));
        let idle = window.idle_requests;
        goals.push(Goal::exactly(
            format!("{title}, requests for an idle audience"),
            idle,
            0,
        ));
    }
}

fn minute(goals: &mut Vec<Goal>, results: &Results) {
    if let Some(minute) = results.minute {
        let title = "first minute of an outage";
        goals.push(Goal::exactly(format!("{title}, errors"), minute.errors, 0));
        goals.push(Goal::exactly(
            format!("{title}, slow calls"),
            minute.slow,
            0,
        ));
        let requests = minute.requests as f64;
        goals.push(Goal::at_most(
            format!("{title}, requests"),
            requests,
            10.0,
            "",
        ));
    }
}

fn million(goals: &mut Vec<Goal>, results: &Results) {
    let one = |name| results.million.iter().find(|one| one.name == name);
    if let (Some(moka), Some(ours)) = (one(MOKA), one(OURS)) {
        let title = format!("{} entries", ours.entries);
        goals.push(Goal::at_most(
            format!("{title}, heap bytes each"),
            ours.bytes,
            465.0,
            "",
        ));
        goals.push(Goal::at_most(
            format!("{title}, an insertion, of moka's"),
            ours.insert_ns / moka.insert_ns,
            2.0,
            " ×",
        ));
    }
    if let (Some(both), Some(ours)) = (one(MOKA_AND_PAPAYA), one(OURS)) {
        goals.push(Goal::at_most(
            format!("{} entries, a hit, of moka and the map", ours.entries),
            ours.hit_ns / both.hit_ns,
            1.5,
            " ×",
        ));
    }
    if let Some(bound) = results.bound {
        let (kept, capacity) = (bound.kept as f64, bound.capacity as f64);
        goals.push(Goal::at_most(
            "a full cache, of its capacity",
            kept / capacity,
            1.01,
            " ×",
        ));
        goals.push(Goal::exactly(
            "a full cache, hot ones kept",
            bound.hot_kept,
            bound.hot,
        ));
    }
}

fn people(goals: &mut Vec<Goal>, crowded: &Crowded) {
    let one = |name: &str| crowded.hits.iter().find(|hit| hit.name == name);
    for (name, limit) in [(people::HOT, 2.5), (people::KEPT, 1.5)] {
        if let Some(hit) = one(name)
            && let Some(beside) = one(hit.limit)
        {
            let title = format!("{name}, of the limit");
            goals.push(Goal::at_most(title, hit.ns / beside.ns, limit, " ×"));
        }
    }
    for hit in crowded.hits.iter().filter(|hit| hit.group == Group::Ours) {
        let title = format!("{}, allocations", hit.name);
        goals.push(Goal::exactly(title, hit.allocations, 0.0));
    }
    for act in &crowded.acts {
        let ratio = act.beside_many as f64 / act.beside_few as f64;
        let title = format!("{} beside 400,000 slots, of beside 1,000", act.name);
        goals.push(Goal::at_most(title, ratio, 1.2, " ×"));
    }
    if let Some(rounds) = crowded.rounds {
        let title = format!("{} people in turn, misses after a round", rounds.people);
        goals.push(Goal::exactly(title, rounds.later, 0));
    }
    if let Some(bytes) = crowded.bytes {
        goals.push(Goal::at_most(
            "an open session, heap bytes beside its slots",
            bytes.session,
            1536.0,
            "",
        ));
    }
}
