//! What a fresh machine may lack, and how it gets here.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

/// Adds a component of the toolchain unless `cargo <subcommand>` already works.
pub(crate) fn component(root: &Path, subcommand: &str, component: &str) -> Result<()> {
    if shell::succeeds(shell::cargo(root).args([subcommand, "--version"])) {
        return Ok(());
    }
    println!("`cargo {subcommand}` is missing: adding it");
    shell::run(
        Command::new("rustup")
            .current_dir(root)
            .args(["component", "add", component]),
    )
    .with_context(|| {
        format!("`cargo {subcommand}` is missing; run `rustup component add {component}`")
    })
}

/// Installs Debian packages unless `program` is there.
pub(crate) fn system(program: &str, packages: &[&str]) -> Result<()> {
    if shell::is_installed(program) {
        return Ok(());
    }
    install(program, packages)
}

/// Installs Debian packages: as root only, because nobody expects a test to ask for a password.
pub(crate) fn install(what: &str, packages: &[&str]) -> Result<()> {
    let by_hand = format!("apt-get install {}", packages.join(" "));
    if !shell::is_installed("apt-get") {
        bail!(
            "{what} is missing and there is no apt-get: install what `{by_hand}` would, then run this again"
        );
    }
    if !is_root() {
        bail!("{what} is missing: run `sudo {by_hand}`, then run this again");
    }
    println!("{what} is missing: installing it");
    shell::run(Command::new("apt-get").args(["update", "--quiet"]))?;
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    apt.args(["install", "--yes", "--quiet", "--no-install-recommends"])
        .args(packages);
    shell::run(&mut apt).with_context(|| format!("{what} is missing; run `{by_hand}`"))
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
