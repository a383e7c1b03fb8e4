//! A list of steps, run in order, with progress before each and a summary at the end.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Error, Result, bail};

/// One thing that can pass or fail.
pub(crate) struct Step<'a> {
    name: &'static str,
    action: Box<dyn FnOnce() -> Result<Outcome> + 'a>,
}

/// How a step ended that did not fail.
pub(crate) enum Outcome {
    Passed,
    /// There was nothing to do, and why.
    Skipped(&'static str),
}

impl<'a> Step<'a> {
    pub(crate) fn new(name: &'static str, action: impl FnOnce() -> Result<Outcome> + 'a) -> Self {
        Self {
            name,
            action: Box::new(action),
        }
    }
}

/// Runs the steps up to the first failure, or all of them with `keep_going`.
pub(crate) fn run(steps: Vec<Step<'_>>, keep_going: bool) -> Result<()> {
    let start = now();
    let total = steps.len();
    let mut rows = Vec::new();
    let mut failed = Vec::new();
    for (index, step) in steps.into_iter().enumerate() {
        if !failed.is_empty() && !keep_going {
            rows.push(format!("{:<12}       –  not run", step.name));
            continue;
        }
        println!("\n[{}/{total}] {} …", index + 1, step.name);
        let step_start = now();
        let result = (step.action)();
        rows.push(row(step.name, step_start.elapsed(), &result));
        if let Err(error) = result {
            eprintln!("error: {}: {error:#}", step.name);
            failed.push(step.name);
        }
    }
    println!("\n{}", summary(&rows, start.elapsed()));
    if failed.is_empty() {
        return Ok(());
    }
    bail!("failed: {}", failed.join(", "))
}

fn row(name: &str, time: Duration, result: &Result<Outcome, Error>) -> String {
    let seconds = time.as_secs_f64();
    match result {
        Ok(Outcome::Passed) => format!("{name:<12} {seconds:>5.1} s  passed"),
        Ok(Outcome::Skipped(reason)) => format!("{name:<12}       –  skipped: {reason}"),
        Err(_) => format!("{name:<12} {seconds:>5.1} s  FAILED"),
    }
}

fn summary(rows: &[String], time: Duration) -> String {
    let mut text = String::from("Summary\n");
    for row in rows {
        // Writing into a `String` cannot fail.
        let _ = writeln!(text, "  {row}");
    }
    let _ = write!(text, "  {:<12} {:>5.1} s", "total", time.as_secs_f64());
    text
}

#[expect(
    clippy::disallowed_methods,
    reason = "measures real work; nothing here is tested by moving time"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Runs three steps of which the second fails, and returns those that ran.
    fn ran(keep_going: bool) -> (Vec<u8>, Result<()>) {
        let ran = RefCell::new(Vec::new());
        let step = |number: u8, passes: bool| {
            let ran = &ran;
            Step::new("step", move || {
                ran.borrow_mut().push(number);
                if passes {
                    Ok(Outcome::Passed)
                } else {
                    bail!("broken")
                }
            })
        };
        let result = run(
            vec![step(1, true), step(2, false), step(3, true)],
            keep_going,
        );
        (ran.into_inner(), result)
    }

    #[test]
    fn the_first_failure_stops_the_run() {
        let (ran, result) = ran(false);
        assert_eq!(ran, [1, 2]);
        assert!(result.is_err());
    }

    #[test]
    fn keep_going_runs_the_rest_and_still_fails() {
        let (ran, result) = ran(true);
        assert_eq!(ran, [1, 2, 3]);
        assert!(result.is_err());
    }
}
