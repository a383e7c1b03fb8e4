//! Instructions per call, counted by valgrind's callgrind: the figure that no busy machine disturbs.

use std::{
    env,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// Whether they can be counted here.
pub(crate) fn are_counted() -> bool {
    let version = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    version.is_ok_and(|status| status.success())
}

/// Instructions of one call of the case `name`.
///
/// This program runs itself twice, for `times` calls and for four times as many; what the second run
/// needs in addition is the calls', and starting up cancels out.
pub(crate) fn per_call(name: &str, times: u64) -> Result<u64> {
    let few = spawn(name, times)?;
    let many = spawn(name, 4 * times)?;
    let (few, many) = (finish(few)?, finish(many)?);
    Ok(many.saturating_sub(few) / (3 * times))
}

fn spawn(name: &str, times: u64) -> Result<std::process::Child> {
    Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args(["--fixed", &times.to_string(), "--case", name])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("valgrind could not be started")
}

fn finish(run: std::process::Child) -> Result<u64> {
    let output = run.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("it failed under valgrind: {}", last_lines(&said));
    }
    said.lines()
        .find_map(|line| line.split_once("Collected :"))
        .and_then(|(_, figure)| figure.trim().parse().ok())
        .with_context(|| format!("valgrind gave no count: {}", last_lines(&said)))
}

fn last_lines(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(5)..].join(" / ")
}
