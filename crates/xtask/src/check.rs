//! `cargo xtask check`: what can be said about the code without running it.

mod circles;
mod files;
mod manifests;
mod marks;
mod parts;
mod paths;
mod retired;
mod rooms;

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use self::rooms::Layout;
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
        Step::new("rooms", || refuse(&room_findings(root)?)),
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

/// What is wrong with rooms, files and dependencies, one line each.
fn room_findings(root: &Path) -> Result<Vec<String>> {
    let architecture = fs::read_to_string(root.join("ARCHITECTURE.md"))?;
    let mut findings = Vec::new();
    for layout in [Layout::SDK, Layout::EMULATOR] {
        let sources = source::read(root, layout.root.trim_end_matches('/'))?;
        findings.extend(rooms::findings(&layout, &sources));
        findings.extend(rooms::drawing_findings(&layout, &architecture));
        findings.extend(circles::findings(&layout, &sources));
    }
    let sdk = source::read(root, "src")?;
    findings.extend(parts::findings(&sdk));
    findings.extend(retired::findings(&sdk));
    findings.extend(manifests::findings(root)?);
    Ok(findings)
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
