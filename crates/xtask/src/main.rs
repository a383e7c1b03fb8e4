//! The tasks of this repository: `cargo xtask --help` lists them.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is this program's job"
)]

mod check;
mod examples;
mod interop;
mod shell;
mod simulate;
mod source;
mod steps;
mod test;
mod tools;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<()> {
    match arguments {
        [] | ["help" | "--help" | "-h", ..] | ["test" | "check", "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        ["test", options @ ..] => {
            let keep_going = keep_going(options)?;
            let root = root()?;
            steps::run(test::steps(&root), keep_going)
        }
        ["check", options @ ..] => {
            let keep_going = keep_going(options)?;
            let root = root()?;
            steps::run(check::steps(&root), keep_going)
        }
        ["bench", options @ ..] => bench(&root()?, options),
        ["torture", options @ ..] => torture(&root()?, options),
        ["simulate", options @ ..] => simulate::run(&root()?, options),
        [task, ..] => bail!("there is no task `{task}`; `cargo xtask --help` lists them"),
    }
}

fn keep_going(options: &[&str]) -> Result<bool> {
    if let Some(unknown) = options.iter().find(|option| **option != "--keep-going") {
        bail!("there is no option `{unknown}` here; `cargo xtask --help` lists them");
    }
    Ok(!options.is_empty())
}

fn bench(root: &Path, options: &[&str]) -> Result<()> {
    let manifest = "benches/Cargo.toml";
    ensure!(
        root.join(manifest).exists(),
        "there are no benchmarks here: {manifest} does not exist"
    );
    let mut cargo = shell::cargo(root);
    cargo.args(["run", "--release", "--manifest-path", manifest]);
    // The fence is about our own calls: without the peers it is built in a fraction of the time.
    if options.contains(&"--fence") {
        cargo.arg("--no-default-features");
    }
    shell::run(cargo.arg("--").args(options))
}

/// In release: most of what 40 processes do is starting.
fn torture(root: &Path, options: &[&str]) -> Result<()> {
    let mut cargo = shell::cargo(root);
    cargo.args(["run", "--release", "--package", "intelliauth-torture"]);
    shell::run(cargo.arg("--").args(options))
}

/// The root of the repository, two folders above this package.
fn root() -> Result<PathBuf> {
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .context("start it as `cargo xtask`, so that it knows where it is")?;
    let root = Path::new(&package)
        .ancestors()
        .nth(2)
        .context("this package has left its repository")?;
    Ok(root.to_path_buf())
}

const HELP: &str = "\
The tasks of this repository.

Usage: cargo xtask <TASK> [OPTIONS]

Tasks:
  test    Everything that must pass before a change is merged. Takes minutes on a
          fresh machine: it installs what is missing (clippy and rustfmt through
          rustup; for interop/ also Node and Python packages), then runs
            the steps of `check`,
            cargo test --workspace --all-features      (with the doctests)
            cargo run --example quickstart
            cargo run --example NAME -- --auto         (all that end by themselves;
                         desktop_login also finds its session and forgets it)
            cargo test --manifest-path interop/Cargo.toml
                         (against servers and clients that nobody here wrote)
            cargo xtask torture --processes 12 --seconds 12
                         (nobody is logged out by us; on Linux; again with
                         --grace identical)
            cargo xtask bench --fence
                         (instructions of a cached call, where valgrind is installed)
  check   What needs no test run, for while you work:
            formatting   cargo fmt --all --check
            rooms        `use crate::` points downward (ARCHITECTURE.md), and the
                         emulator and the SDK stay strangers
            files        no path of somebody's machine, no download address in a
                         lock file, no ignored test
            marks        files over 300 lines, functions over 40: printed only
            clippy       every target and feature, warnings are errors
            features     the SDK without features and with each, warnings are errors
            rustdoc      warnings are errors
  bench   What the crate costs beside its limits and its peers. Arguments go to the
          program in benches/: `cargo xtask bench --quick` takes about a minute.
  torture Many processes over one session file, some of which are killed inside a
          redemption, with replies that are torn: who is logged out, and by whose
          fault. Needs Linux. `cargo xtask torture --help` lists its options; it runs
          40 processes for 60 seconds, and exits 0 only if the goals hold. With
          `--grace identical` the issuer answers the same request again for a while,
          and no session may be lost.
  simulate
          People's sessions in a world of its own: any number of schedules, one for
          each seed. `cargo xtask simulate --help` lists its options.

Options of test and check:
  --keep-going   Run the remaining steps after one failed; the exit code is still 1
  -h, --help     Print this

Every step prints the command that it runs. Without this program, plain
`cargo test --workspace` needs nothing but Rust.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_task_or_option_is_named() {
        assert!(run(&["tset"]).unwrap_err().to_string().contains("`tset`"));
        assert!(
            run(&["test", "--keep"])
                .unwrap_err()
                .to_string()
                .contains("`--keep`")
        );
    }

    #[test]
    fn keep_going_is_off_unless_asked_for() {
        assert!(!keep_going(&[]).unwrap());
        assert!(keep_going(&["--keep-going"]).unwrap());
    }
}
