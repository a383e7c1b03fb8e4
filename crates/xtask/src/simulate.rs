//! `cargo xtask simulate`: the sessions of people in a world of its own, one schedule for each seed.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::shell;

/// What a run is asked for.
struct Options {
    schedules: u64,
    seed: u64,
}

/// Runs the schedules of so many seeds, on all processors; a failing one prints its seed and its trace.
pub(crate) fn run(root: &Path, options: &[&str]) -> Result<()> {
    if let [.., "--help" | "-h"] = options {
        print!("{HELP}");
        return Ok(());
    }
    let options = Options::parse(options)?;
    let mut cargo = shell::cargo(root);
    // In release: a million schedules are hours otherwise.
    cargo.args(["test", "--release", "--package", "intelliauth", "--lib"]);
    cargo.args(["session::simulation::tests::no_schedule_breaks_a_promise"]);
    cargo.args(["--", "--exact", "--nocapture"]);
    cargo.env("INTELLIAUTH_SIMULATION_SEED", options.seed.to_string());
    cargo.env(
        "INTELLIAUTH_SIMULATION_SCHEDULES",
        options.schedules.to_string(),
    );
    shell::run(&mut cargo)
}

impl Options {
    fn parse(options: &[&str]) -> Result<Self> {
        let mut parsed = Self {
            schedules: 10_000,
            seed: 1,
        };
        for pair in options.chunks(2) {
            let [name, value] = pair else {
                bail!("`{}` needs a number after it", pair.join(" "));
            };
            let number: u64 = value
                .replace('_', "")
                .parse()
                .with_context(|| format!("`{value}` after `{name}` is not a number"))?;
            match *name {
                "--schedules" => parsed.schedules = number,
                "--seed" => parsed.seed = number,
                _ => bail!("there is no option `{name}`; `cargo xtask simulate --help` lists them"),
            }
        }
        ensure!(parsed.schedules > 0, "`--schedules` has to be at least 1");
        Ok(parsed)
    }
}

const HELP: &str = "\
Simulates people's sessions: several processes on several hosts, a store and an issuer in
every kind of trouble, in an order that is drawn by a seed. It drives the code of the SDK
itself, and stops with a trace at the first schedule that breaks a promise.

Usage: cargo xtask simulate [OPTIONS]

Options:
  --schedules N  How many schedules, one for each seed [default: 10000]
  --seed S       The first seed [default: 1]

Examples:
  cargo xtask simulate --schedules 1_000_000
  cargo xtask simulate --seed 4711 --schedules 1    replays one, with its trace if it fails
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_misspelt_ones_are_named() {
        let options = Options::parse(&["--seed", "7", "--schedules", "1_000"]).unwrap();
        assert_eq!((options.seed, options.schedules), (7, 1000));
        for (wrong, named) in [
            (&["--seeds", "7"][..], "--seeds"),
            (&["--seed"], "--seed"),
            (&["--seed", "x"], "`x`"),
            (&["--schedules", "0"], "--schedules"),
        ] {
            let error = Options::parse(wrong).err().unwrap();
            assert!(error.to_string().contains(named), "{error}");
        }
    }
}
