//! `curl`: a call to an API whose token no other user of the machine sees.

use std::{
    ffi::OsString,
    process::{ExitCode, Stdio},
    time::Duration,
};

use clap::Args;
use tokio::io::AsyncWriteExt as _;

use crate::{arguments::Prompting, child, context::Context, failure::Failure, obtain::Wanted};

/// Call an API with curl.
///
/// The token reaches curl through its stdin (--config -), never in its arguments, which every user of the
/// machine can read. The exit code is curl's.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Curl {
    /// The API, exactly as the tenant knows it.
    audience: String,

    /// A scope that the token must have; may be repeated.
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,

    #[command(flatten)]
    prompting: Prompting,

    /// What curl gets: a URL, and its own options.
    #[arg(last = true, required = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  intelliauth-token curl api.banking.cymmetri.com -- https://api.banking.cymmetri.com/transactions
  intelliauth-token curl api.banking.cymmetri.com --scope write:transactions -- \\
      --fail --json '{\"amount\": 1}' https://api.banking.cymmetri.com/transactions";

impl Curl {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Failure> {
        if read_stdin(&self.arguments) {
            return Err(Failure::usage(
                "curl reads the token from its stdin, so that it can read nothing else there",
            )
            .advising(
                "put the data in a file, or use exec: intelliauth-token exec AUDIENCE -- COMMAND",
            ));
        }
        let mut command = child::command(&words(&self.arguments), context)?;
        let (settings, identity) = context.open()?;
        let wanted = Wanted {
            audience: self.audience.clone(),
            scopes: self.scope.clone(),
            min_ttl: Duration::ZERO,
            is_forced: false,
        };
        let token = wanted
            .obtain_last(&settings, &identity, &self.prompting, &context.surroundings)
            .await?;
        command.stdin(Stdio::piped());
        let mut running = match child::spawn(&mut command)? {
            Ok(running) => running,
            Err(code) => return Ok(code),
        };
        if let Some(mut stdin) = running.child.stdin.take() {
            let header = format!(
                "header = \"Authorization: Bearer {}\"\n",
                escaped(token.secret())
            );
            // If curl has ended meanwhile, its exit code says why.
            let _ = stdin.write_all(header.as_bytes()).await;
        }
        running.wait().await
    }
}

/// `-q` counts only where it is the first argument.
fn words(arguments: &[OsString]) -> Vec<OsString> {
    let is_bare = arguments
        .first()
        .is_some_and(|first| first == "-q" || first == "--disable");
    let (first, rest) = arguments.split_at(usize::from(is_bare));
    let config = ["--config", "-"].map(OsString::from);
    let mut words = vec![OsString::from("curl")];
    words.extend_from_slice(first);
    words.extend(config);
    words.extend_from_slice(rest);
    words
}

/// `-` and `.` behind an option that reads, and the forms of `@-` in `-d @-`, `-d@-` and `name=@-`.
fn read_stdin(arguments: &[OsString]) -> bool {
    let mut option = String::new();
    for argument in arguments {
        let text = argument.to_string_lossy().into_owned();
        let is_stream = text == "-" || text == ".";
        if text.ends_with("@-") || is_stream && !WRITES.contains(&&*option) {
            return true;
        }
        option = text;
    }
    false
}

/// Options of curl whose `-` is stdout.
const WRITES: &[&str] = &[
    "-o",
    "--output",
    "-D",
    "--dump-header",
    "-c",
    "--cookie-jar",
    "--stderr",
    "--trace",
    "--trace-ascii",
];

/// A value in quotes, as curl's configuration has it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arguments: &[&str]) -> Vec<OsString> {
        arguments.iter().map(OsString::from).collect()
    }

    #[test]
    fn the_configuration_comes_first_and_behind_the_switch_that_has_to() {
        assert_eq!(
            words(&of(&["-s", "https://x"])),
            of(&["curl", "--config", "-", "-s", "https://x"])
        );
        assert_eq!(
            words(&of(&["-q", "https://x"])),
            of(&["curl", "-q", "--config", "-", "https://x"])
        );
    }

    #[test]
    fn data_from_stdin_is_noticed() {
        for arguments in [
            &["-T", "-"][..],
            &["-T", "."],
            &["-d", "@-"],
            &["-d@-"],
            &["--data=@-"],
        ] {
            assert!(read_stdin(&of(arguments)), "{arguments:?}");
        }
        assert!(!read_stdin(&of(&["-s", "-o", "-", "https://x/@-/y"])));
    }
}
