#![expect(clippy::print_stdout, reason = "a run says what it has met")]

use std::{
    env,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::runner;
use crate::session::rules::{self, Rule};

#[test]
fn no_schedule_breaks_a_promise() {
    let first = number("INTELLIAUTH_SIMULATION_SEED").unwrap_or(1);
    let asked = number("INTELLIAUTH_SIMULATION_SCHEDULES");
    let count = asked.unwrap_or(SHORT);
    let report = runner::run(first, count, |done| {
        if asked.is_some() && done.is_multiple_of(TOLD_EVERY) {
            println!("{done} of {count} schedules");
        }
    });
    println!("{}", report.summary);
    if let Some((seed, what)) = report.violations.first() {
        for (seed, what) in &report.violations {
            println!("seed {seed}: {what}");
        }
        let trace = runner::schedule(*seed, true).trace;
        panic!("seed {seed}: {what}\n{trace}");
    }
    if count >= SHORT {
        let never_taken = report.summary.never_taken();
        assert!(never_taken.is_empty(), "never taken: {never_taken:?}");
    }
}

/// Each rule is needed: without it some schedule breaks a promise, and soon.
#[test]
fn each_rule_that_is_switched_off_is_found() {
    let next = AtomicUsize::new(0);
    let missed = Mutex::new(Vec::new());
    let work = || {
        while let Some(rule) = Rule::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            let found = (1..=SEARCHED).find_map(|seed| found_without(*rule, seed));
            match found {
                Some((seed, violation)) => println!("{rule:?}: seed {seed}: {violation}"),
                None => missed.lock().unwrap().push(*rule),
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "not found: {missed:?}");
}

/// The seed of a schedule that breaks a promise without `rule`, and keeps them with it.
fn found_without(rule: Rule, seed: u64) -> Option<(u64, String)> {
    let violation = {
        let _off = rules::switch_off(rule);
        runner::schedule(seed, false).violation?
    };
    let is_its_own = runner::schedule(seed, false).violation.is_none();
    is_its_own.then_some((seed, violation))
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

/// How many schedules the tests run.
const SHORT: u64 = 1000;

/// So many are enough to find that a rule is missing.
const SEARCHED: u64 = 1000;

/// A long run says how far it is after so many.
const TOLD_EVERY: u64 = 10_000;
