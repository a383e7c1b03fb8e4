//! The examples, each run as a newcomer would run it; where a person has to act, they are played.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::shell::{cargo, output, run};
use crate::steps::Outcome;

/// Builds all of them and runs those that end by themselves.
pub(crate) fn test(root: &Path) -> Result<Outcome> {
    run(cargo(root).args(["build", "--workspace", "--examples"]))?;
    for name in ["call_an_api", "own_flow"] {
        output(&mut example(root, name, &[]))?;
    }
    for name in ["consent", "web_back_end"] {
        output(&mut example(root, name, &["--auto"]))?;
    }
    // Elsewhere the sessions of whoever runs this would be in the way.
    if cfg!(unix) {
        desktop_login(root)?;
    }
    Ok(Outcome::Passed)
}

/// The first thing a newcomer runs has to work without an account or a file.
pub(crate) fn quickstart(root: &Path) -> Result<Outcome> {
    run(&mut example(root, "quickstart", &[]))?;
    Ok(Outcome::Passed)
}

/// Signs in, finds the session on disk, signs out, and does the first again with a code.
fn desktop_login(root: &Path) -> Result<()> {
    // A place of its own: nobody's sessions are touched.
    let sessions = root.join("target/example-sessions");
    if sessions.exists() {
        fs::remove_dir_all(&sessions).with_context(|| format!("{}", sessions.display()))?;
    }
    for (arguments, expected) in [
        (&["--auto"][..], "There is no session on disk"),
        // Nobody is there to act this time.
        (&[], "A token for api.health.cymmetri.com, from the session"),
        (&["--forget"], "Signed out"),
        // The corner of a QR code.
        (&["--device", "--auto"], "▄▄▄▄▄"),
        (&[], "A token for api.health.cymmetri.com, from the session"),
    ] {
        let mut command = example(root, "desktop_login", arguments);
        command.env("XDG_STATE_HOME", &sessions);
        // Nor a tenant of theirs: the emulator plays it.
        command.env_remove("INTELLIAUTH_TENANT_URL");
        let said = output(&mut command)?;
        let what = arguments.join(" ");
        ensure!(
            said.contains(expected),
            "`desktop_login {what}` did not say {expected:?}:\n{said}"
        );
    }
    Ok(())
}

fn example(root: &Path, name: &str, arguments: &[&str]) -> Command {
    let mut command = cargo(root);
    command.args(["run", "--quiet", "--example", name]);
    if !arguments.is_empty() {
        command.arg("--").args(arguments);
    }
    command
}
