//! `cargo xtask test`: everything that must pass before a change is merged.

use std::path::Path;

use anyhow::Result;

use crate::shell::{cargo, is_installed, run};
use crate::steps::{Outcome, Step};
use crate::{check, examples, interop};

/// The steps of `check`, then whatever runs the code.
pub(crate) fn steps(root: &Path) -> Vec<Step<'_>> {
    let mut steps = check::steps(root);
    steps.extend([
        Step::new("tests", || {
            run(cargo(root).args(["test", "--workspace", "--all-features"]))?;
            Ok(Outcome::Passed)
        }),
        Step::new("quickstart", || examples::quickstart(root)),
        Step::new("examples", || examples::test(root)),
        Step::new("interop", || interop::test(root)),
        Step::new("torture", || torture(root)),
        Step::new("fence", || fence(root)),
    ]);
    steps
}

/// The short runs: long enough that a process is killed inside a redemption and replies are torn.
fn torture(root: &Path) -> Result<Outcome> {
    if !cfg!(target_os = "linux") {
        return Ok(Outcome::Skipped("it needs Linux"));
    }
    let short = ["--processes", "12", "--seconds", "12"];
    crate::torture(root, &short)?;
    crate::torture(root, &[&short[..], &["--grace", "identical"]].concat())?;
    Ok(Outcome::Passed)
}

/// How many instructions a cached call takes: a count, so that a busy machine fails nobody.
fn fence(root: &Path) -> Result<Outcome> {
    if !is_installed("valgrind") {
        return Ok(Outcome::Skipped("valgrind is not installed"));
    }
    crate::bench(root, &["--fence"])?;
    Ok(Outcome::Passed)
}
