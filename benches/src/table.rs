//! What was measured, for a terminal: each figure beside the limit from the same run.

use std::fmt::Write as _;

use crate::{
    hits::Hit,
    people::Crowded,
    results::Results,
    stampede::{CALLERS, Stampede},
    subject::Group,
    window::Situation,
};

/// All tables. Writing into a `String` cannot fail.
pub(crate) fn of(results: &Results) -> String {
    let mut text = String::new();
    hits(&mut text, &results.hits);
    for audiences in [1, 50] {
        stampedes(&mut text, audiences, &results.stampedes);
    }
    for situation in [Situation::Refresh, Situation::Outage, Situation::Stuck] {
        windows(&mut text, situation, results);
    }
    million(&mut text, results);
    people(&mut text, &results.people);
    text
}

fn hits(text: &mut String, hits: &[Hit]) {
    if hits.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\nA cached call{:>32} {:>7} {:>9} {:>7} {:>7} {:>7}\n{:>45} {:>7} {:>9} {:>7} {:>7} {:>7}",
        "1 thread", "limit", "2 threads", "limit", "instr.", "heap", "ns", "×", "ns", "×", "", ""
    );
    for limit in hits.iter().filter(|hit| hit.group == Group::Limit) {
        let beside = hits
            .iter()
            .filter(|hit| hit.limit == limit.name && hit.group != Group::Limit);
        hit(text, limit, limit, "");
        for other in beside {
            hit(text, other, limit, "  ");
        }
    }
}

fn hit(text: &mut String, hit: &Hit, limit: &Hit, indent: &str) {
    let instructions = hit
        .instructions
        .map_or_else(String::new, |count| count.to_string());
    let _ = writeln!(
        text,
        "{:<36}{:>9.1} {:>7.2} {:>9.1} {:>7.2} {instructions:>7} {:>7.2}",
        format!("{indent}{}{}", mark(hit.group), hit.name),
        hit.alone,
        hit.alone / limit.alone,
        hit.together,
        hit.together / limit.together,
        hit.allocations,
    );
}

/// Ours stands out.
fn mark(group: Group) -> &'static str {
    match group {
        Group::Ours => "> ",
        Group::Limit | Group::Peer => "",
    }
}

fn stampedes(text: &mut String, audiences: usize, all: &[Stampede]) {
    let these: Vec<&Stampede> = all
        .iter()
        .filter(|one| one.audiences == audiences)
        .collect();
    let Some(floor) = these.iter().find(|one| one.group == Group::Limit) else {
        return;
    };
    let _ = writeln!(
        text,
        "\n{:<36}{:>9} {:>7} {:>9} {:>7} {:>10}",
        format!("{CALLERS} cold callers of {audiences}"),
        "ms",
        "limit ×",
        "requests",
        "errors",
        "unfinished"
    );
    for one in &these {
        let _ = writeln!(
            text,
            "{:<36}{:>9.1} {:>7.2} {:>9} {:>7} {:>10}",
            format!("{}{}", mark(one.group), one.name),
            one.milliseconds,
            one.milliseconds / floor.milliseconds,
            one.requests,
            one.errors,
            one.unfinished,
        );
    }
}

fn windows(text: &mut String, situation: Situation, results: &Results) {
    let title = match situation {
        Situation::Refresh => "20 callers, refresh takes 300 ms",
        Situation::Outage => "20 callers, endpoint answers 503",
        Situation::Stuck => "20 callers beside a stuck audience",
    };
    let these: Vec<_> = results
        .windows
        .iter()
        .filter(|(of, _)| *of == situation)
        .collect();
    let minute = results.minute.filter(|_| situation == Situation::Outage);
    if these.is_empty() && minute.is_none() {
        return;
    }
    let _ = writeln!(
        text,
        "\n{title:<36}{:>9} {:>7} {:>9} {:>7} {:>9} {:>7} {:>5}",
        "calls", ">50 ms", "worst ms", "errors", "requests", "windows", "idle"
    );
    for (_, window) in these {
        let _ = writeln!(
            text,
            "{:<36}{:>9} {:>7} {:>9.1} {:>7} {:>9} {:>7} {:>5}",
            format!("{}{}", mark(window.group), window.name),
            window.calls,
            window.slow,
            window.slowest(),
            window.errors,
            window.requests,
            window.windows,
            window.idle_requests,
        );
    }
    if let Some(minute) = minute {
        let _ = writeln!(
            text,
            "{:<36}{:>9} {:>7} {:>9} {:>7} {:>9}",
            "> intelliauth, the first minute",
            minute.calls,
            minute.slow,
            "",
            minute.errors,
            minute.requests,
        );
    }
}

fn million(text: &mut String, results: &Results) {
    let Some(first) = results.million.first() else {
        return;
    };
    let _ = writeln!(
        text,
        "\n{:<46}{:>11} {:>9} {:>7}",
        format!("{} pairs of session and audience", first.entries),
        "heap bytes*",
        "insert ns",
        "hit ns"
    );
    for one in &results.million {
        let _ = writeln!(
            text,
            "{:<46}{:>11.0} {:>9.0} {:>7.0}",
            format!("{}{}", mark(one.group), one.name),
            one.bytes,
            one.insert_ns,
            one.hit_ns
        );
    }
    let _ = writeln!(
        text,
        "* for each entry, over the texts of its token and its key"
    );
    if let Some(bound) = results.bound {
        let _ = writeln!(
            text,
            "of {} inserted into a cache of {}: {} kept, of the {} in use {}",
            bound.inserted, bound.capacity, bound.kept, bound.hot, bound.hot_kept
        );
    }
}

fn people(text: &mut String, crowded: &Crowded) {
    if !crowded.hits.is_empty() {
        let _ = writeln!(
            text,
            "\n{:<62}{:>8} {:>7} {:>7}",
            "People", "ns", "limit", "heap"
        );
    }
    for hit in &crowded.hits {
        let limit = crowded.hits.iter().find(|other| other.name == hit.limit);
        let ratio = limit.map_or(f64::NAN, |limit| hit.ns / limit.ns);
        let name = format!("{}{}", mark(hit.group), hit.name);
        let (ns, heap) = (hit.ns, hit.allocations);
        let _ = writeln!(text, "{name:<62}{ns:>8.1} {ratio:>7.2} {heap:>7.2}");
    }
    for act in &crowded.acts {
        let (few, many) = (act.beside_few, act.beside_many);
        let _ = writeln!(
            text,
            "{}: {few} instructions beside 1,000 slots of others, {many} beside 400,000",
            act.name
        );
    }
    if let Some(rounds) = crowded.rounds {
        let (people, first, later) = (rounds.people, rounds.first, rounds.later);
        let _ = writeln!(
            text,
            "{people} people in turn: {first} flights in the first round, {later} in the next three"
        );
    }
    if let Some(bytes) = crowded.bytes {
        let (people, session, slot) = (bytes.people, bytes.session, bytes.slot);
        let _ = writeln!(
            text,
            "{people} people: {session:.0} bytes an open session, {slot:.0} each slot, over their texts"
        );
    }
}
