//! The instructions of our own calls, beside those that were accepted.

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, Result, ensure};

use crate::{
    hits::{CALLS, plans},
    instructions, progress, rows,
    subject::Group,
};

/// A call may take this much more than what is stored: another compiler moves a few instructions.
const MARGIN: f64 = 1.08;

const FILE: &str = "fence.json";

/// Counts, and fails if a call takes more than is stored; `accepts` stores what was counted.
pub(crate) fn run(accepts: bool) -> Result<()> {
    if !instructions::are_counted() {
        println!("skipped: instructions are counted with valgrind, which is not installed");
        return Ok(());
    }
    let mut counted = BTreeMap::new();
    for plan in plans().iter().filter(|plan| plan.group != Group::Peer) {
        progress(&format!("instructions of {}", plan.name));
        counted.insert(
            plan.name.to_owned(),
            instructions::per_call(plan.name, CALLS)?,
        );
    }
    let path = rows::package()?.join(FILE);
    if accepts {
        let text = serde_json::to_string_pretty(&counted)?;
        return fs::write(&path, text + "\n").context("the fence cannot be written");
    }
    let stored = fs::read_to_string(&path).with_context(|| format!("benches/{FILE} is missing"))?;
    let stored: BTreeMap<String, u64> = serde_json::from_str(&stored)?;
    compare(&counted, &stored)
}

fn compare(counted: &BTreeMap<String, u64>, stored: &BTreeMap<String, u64>) -> Result<()> {
    let mut over = Vec::new();
    println!(
        "{:>8} {:>8}  instructions of a cached call",
        "counted", "stored"
    );
    for (name, count) in counted {
        let stored = stored
            .get(name)
            .with_context(|| format!("benches/{FILE} says nothing about `{name}`"))?;
        let is_over = *count as f64 > *stored as f64 * MARGIN;
        println!(
            "{count:>8} {stored:>8}  {name}{}",
            if is_over { "  OVER" } else { "" }
        );
        if is_over {
            over.push(name.as_str());
        }
    }
    ensure!(
        over.is_empty(),
        "over the fence: {}; if that is worth it, store it with `cargo xtask bench --fence --accept`",
        over.join("; ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(count: u64) -> BTreeMap<String, u64> {
        BTreeMap::from([("a call".to_owned(), count)])
    }

    #[test]
    fn a_few_instructions_more_are_let_through_and_many_are_not() {
        assert!(compare(&counts(104), &counts(100)).is_ok());
        assert!(compare(&counts(10), &counts(100)).is_ok());
        let error = compare(&counts(120), &counts(100)).unwrap_err();
        assert!(error.to_string().contains("a call"));
    }

    #[test]
    fn a_call_without_a_stored_count_is_named() {
        assert!(compare(&counts(1), &BTreeMap::new()).is_err());
    }
}
