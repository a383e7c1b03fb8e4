//! The command line, as it is typed.

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    command::{
        completion::Completion, curl::Curl, doctor::Doctor, exec::Exec, explain::Explain,
        inspect::Inspect, login::Login, logout::Logout, man::Man, profile::ProfileCommand,
        status::Status, token::Token, words::Words,
    },
    profile::Kind,
};

/// The right access token for any API.
///
/// Sign in once; every API then gets a token of its own, which is refreshed when it grows old.
#[derive(Debug, Parser)]
#[command(name = "intelliauth-token", version, after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) who: Who,

    /// Say on stderr what is decided and requested, never a secret; -vv says more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    #[command(subcommand)]
    pub(crate) command: Command,
}

// Who asks which issuer. (No doc comment: clap would show it as that of the command.)
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Who {
    /// The profile to use [environment: `INTELLIAUTH_PROFILE`].
    #[arg(long, global = true, value_name = "NAME", help_heading = "Who asks")]
    pub(crate) profile: Option<String>,

    /// The tenant's URL [environment: `INTELLIAUTH_TENANT_URL`].
    #[arg(long, global = true, value_name = "URL", help_heading = "Who asks")]
    pub(crate) tenant_url: Option<String>,

    /// The application's client id [environment: `INTELLIAUTH_CLIENT_ID`, or
    /// `INTELLIAUTH_M2M_CLIENT_ID` for an application that acts for itself].
    #[arg(long, global = true, value_name = "ID", help_heading = "Who asks")]
    pub(crate) client_id: Option<String>,

    /// Whose session it is, where several people or accounts share a profile
    /// [environment: `INTELLIAUTH_ACCOUNT`].
    #[arg(long, global = true, value_name = "ACCOUNT", help_heading = "Who asks")]
    pub(crate) account: Option<String>,

    /// Whether a person asks, or the application itself.
    #[arg(
        long = "as",
        global = true,
        value_name = "WHO",
        help_heading = "Who asks"
    )]
    pub(crate) kind: Option<Kind>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Login(Login),
    Token(Token),
    Exec(Exec),
    Curl(Curl),
    Status(Status),
    Inspect(Inspect),
    Explain(Explain),
    Logout(Logout),
    Doctor(Doctor),
    Profile(ProfileCommand),
    Completion(Completion),
    Man(Man),
    #[command(hide = true)]
    Words(Words),
}

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people.
    #[default]
    Text,
    /// For programs; errors on stderr are JSON as well.
    Json,
}

// The one option of commands that report something.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Report {
    /// How the report is written.
    #[arg(long, global = true, value_enum, default_value_t)]
    pub(crate) format: ReportFormat,
}

impl Report {
    pub(crate) fn is_json(self) -> bool {
        self.format == ReportFormat::Json
    }
}

// Whether a person may be asked, and how.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Prompting {
    /// Never ask a person: end with exit code 4 and the command to run instead.
    #[arg(long)]
    pub(crate) no_interactive: bool,

    /// How the person signs in, if they have to.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) flow: FlowChoice,

    /// Open no browser: the person follows the printed URL.
    #[arg(long)]
    pub(crate) no_browser: bool,

    /// How long the person may take: 3m for a page; a code for another device has a time of its own.
    #[arg(long, value_name = "TIME", value_parser = crate::moment::parse_span)]
    pub(crate) timeout: Option<std::time::Duration>,

    /// Whether a code for another device is drawn as a QR code.
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) qr: Qr,
}

/// How a person signs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum FlowChoice {
    /// In the browser of this machine; with a code on another device where there is none.
    #[default]
    Auto,
    /// In the browser of this machine; where stdin is a terminal, the final address can be pasted too.
    Browser,
    /// With a code, in a browser of another device.
    Device,
    /// In any browser; the address that it ends at is a line of stdin.
    Paste,
}

/// When a QR code is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Qr {
    /// On a terminal.
    #[default]
    Auto,
    Always,
    Never,
}

impl Command {
    /// Whether the errors of this command are read by a program.
    pub(crate) fn wants_json(&self) -> bool {
        match self {
            Self::Token(token) => token.wants_json(),
            Self::Login(login) => login.report.is_json(),
            Self::Status(status) => status.report.is_json(),
            Self::Inspect(inspect) => inspect.report.is_json(),
            Self::Explain(explain) => explain.report.is_json(),
            Self::Logout(logout) => logout.report.is_json(),
            Self::Doctor(doctor) => doctor.report.is_json(),
            Self::Profile(profile) => profile.report.is_json(),
            Self::Exec(_) | Self::Curl(_) | Self::Completion(_) | Self::Man(_) | Self::Words(_) => {
                false
            }
        }
    }
}

const AFTER_HELP: &str = "\
Examples:
  intelliauth-token profile add main --tenant-url https://banking-cymmetri.intelliauth.local --client-id app_01HZX0NATIVE
  intelliauth-token login --audience api.banking.cymmetri.com
  intelliauth-token token api.banking.cymmetri.com
  intelliauth-token curl api.banking.cymmetri.com -- https://api.banking.cymmetri.com/transactions

Exit codes:
  0 done · 1 something else · 2 usage · 3 the person declined or took too long · 4 a person is needed
  5 refused for good · 6 try again later · 7 the sessions cannot be read or written · 130 interrupted

Files: config.toml in $INTELLIAUTH_HOME, else $XDG_CONFIG_HOME/intelliauth; sessions in
$INTELLIAUTH_HOME/sessions, else $XDG_STATE_HOME/intelliauth/sessions.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// The words of a line as a shell would read them, up to what belongs to the shell.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quote = None;
        for c in line.chars() {
            match (quote, c) {
                (None, '\'' | '"') => quote = Some(c),
                (Some(open), c) if open == c => quote = None,
                (None, ' ') => words.push(String::new()),
                (_, c) => {
                    if let Some(word) = words.last_mut() {
                        word.push(c);
                    }
                }
            }
        }
        words.retain(|word| !word.is_empty());
        let is_shells = |word: &String| ["|", "<", ">", "#"].contains(&word.as_str());
        let end = words.iter().position(is_shells).unwrap_or(words.len());
        words.truncate(end);
        words
    }

    fn examples_of(command: &clap::Command) -> Vec<String> {
        let help = command.get_after_help().map(ToString::to_string);
        let help = help.unwrap_or_default().replace("\\\n", " ");
        let own = |line: &str| {
            let line = line.trim();
            // What it is piped into is another program's.
            let line = line.split(" | ").next().unwrap_or(line);
            line.starts_with("intelliauth-token ")
                .then(|| line.to_owned())
        };
        help.lines().filter_map(own).collect()
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_example_of_the_help_is_understood() {
        let mut all = examples_of(&Arguments::command());
        for command in Arguments::command()
            .get_subcommands()
            .filter(|it| !it.is_hide_set())
        {
            let own = examples_of(command);
            assert!(
                !command
                    .get_about()
                    .map(ToString::to_string)
                    .unwrap_or_default()
                    .is_empty()
            );
            let is_shown =
                help_of(command).contains(&format!("intelliauth-token {}", command.get_name()));
            assert!(is_shown, "{} has no example", command.get_name());
            all.extend(own);
        }
        assert!(all.len() > 20);
        for line in all {
            let parsed = Arguments::try_parse_from(words(&line));
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }

    #[test]
    fn no_example_puts_a_token_into_the_arguments_of_a_program() {
        for command in Arguments::command().get_subcommands() {
            let help = help_of(command);
            let inserted = |line: &&str| line.contains("$(intelliauth-token token");
            for line in help.lines().filter(inserted) {
                // A builtin of the shell starts no program.
                assert!(line.trim_start().starts_with("eval "), "{line}");
            }
        }
    }

    fn help_of(command: &clap::Command) -> String {
        command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default()
    }
}
