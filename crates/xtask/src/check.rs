//! `cargo xtask check`: what can be said about the code without running it.

mod files;
mod manifests;
mod marks;
mod parts;
mod rooms;

use std::path::Path;

use anyhow::{Result, bail};

use crate::shell::{cargo, run};
use crate::source;
use crate::steps::{Outcome, Step};
use crate::tools;

/// The steps, the quickest first where that is possible.
pub(crate) fn steps(root: &Path) -> Vec<Step<'_>> {
    vec![
        Step::new("formatting", || {
            tools::component(root, "fmt", "rustfmt")?;
            run(cargo(root).args(["fmt", "--all", "--check"]))?;
            Ok(Outcome::Passed)
        }),
        Step::new("rooms", || {
            let sources = source::read(root, "src")?;
            let mut findings = rooms::findings(&sources);
            findings.extend(parts::findings(&sources));
            findings.extend(manifests::findings(root)?);
            refuse(&findings)
        }),
        Step::new("files", || {
            if !root.join(".git").exists() {
                return Ok(Outcome::Skipped("this is no git checkout"));
            }
            refuse(&files::findings(root)?)
        }),
        Step::new("marks", || marks::print(root)),
        Step::new("clippy", || {
            tools::component(root, "clippy", "clippy")?;
            run(cargo(root).args(CLIPPY))?;
            Ok(Outcome::Passed)
        }),
        Step::new("features", || {
            for features in FEATURES {
                let mut command = cargo(root);
                command.args(["clippy", "--package", "intelliauth", "--lib"]);
                command.args(["--no-default-features", "--features", features]);
                run(command.args(["--", "-D", "warnings"]))?;
            }
            Ok(Outcome::Passed)
        }),
        Step::new("rustdoc", || {
            let mut command = cargo(root);
            command.env("RUSTDOCFLAGS", "-D warnings");
            run(command.args(["doc", "--workspace", "--all-features", "--no-deps"]))?;
            Ok(Outcome::Passed)
        }),
    ]
}

/// Tests and examples are built with all features, so that the others have to be asked for. All of them
/// together are what the other steps build.
const FEATURES: [&str; 7] = [
    "",
    "resource-server",
    "axum",
    "test-util",
    "reqwest",
    "reqwest-middleware",
    "tower",
];

const CLIPPY: [&str; 7] = [
    "clippy",
    "--workspace",
    "--all-targets",
    "--all-features",
    "--",
    "-D",
    "warnings",
];

/// Prints what was found, one per line, and fails if there is any.
fn refuse(findings: &[String]) -> Result<Outcome> {
    for finding in findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(Outcome::Passed),
        1 => bail!("1 finding, printed above"),
        many => bail!("{many} findings, printed above"),
    }
}
