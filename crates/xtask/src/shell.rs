//! Other programs: how they are started, and what is said when they fail.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The cargo that started us, in the given folder.
pub(crate) fn cargo(folder: &Path) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(folder);
    command
}

/// Prints the command, runs it with its output passed through, and fails if it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    println!("$ {line}");
    let status = command
        .status()
        .with_context(|| format!("`{line}` could not be started"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Prints the command, runs it, and returns its standard output; shows all of it if it fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let line = line(command);
    println!("$ {line}");
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("`{line}` could not be started"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("`{line}` failed ({}):\n{said}{complaint}", output.status);
    }
    Ok(said)
}

/// Whether the command runs and succeeds; its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// Whether a program of this name can be started.
pub(crate) fn is_installed(program: &str) -> bool {
    succeeds(Command::new(program).arg("--version"))
}

/// The command as a person would type it: the program by its name alone.
fn line(command: &Command) -> String {
    let mut words = Vec::new();
    for (name, value) in command.get_envs() {
        let value = value.unwrap_or_default();
        words.push(format!("{}='{}'", name.display(), value.display()));
    }
    let program = Path::new(command.get_program());
    let name = program.file_stem().unwrap_or(command.get_program());
    words.push(name.display().to_string());
    words.extend(
        command
            .get_args()
            .map(|argument| argument.display().to_string()),
    );
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_named_with_its_exit_code() {
        let mut command = cargo(Path::new("."));
        command.arg("no-such-subcommand").stderr(Stdio::null());
        let message = run(&mut command).unwrap_err().to_string();
        assert!(
            message.contains("`cargo no-such-subcommand` failed"),
            "{message}"
        );
    }

    #[test]
    fn the_output_of_a_command_is_what_it_printed() {
        let mut command = cargo(Path::new("."));
        let said = output(command.arg("--version")).unwrap();
        assert!(said.starts_with("cargo "), "{said}");
        let mut command = cargo(Path::new("."));
        let message = output(command.arg("no-such-subcommand")).unwrap_err();
        assert!(message.to_string().contains("no such command"), "{message}");
    }

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let mut command = Command::new("some/folder/cargo");
        command.arg("doc").env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(line(&command), "RUSTDOCFLAGS='-D warnings' cargo doc");
    }

    #[test]
    fn a_missing_program_is_not_installed() {
        assert!(!is_installed("no-such-program-anywhere"));
    }
}
