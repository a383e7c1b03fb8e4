//! `exec`: a program with a token, in its environment or in a file that is kept fresh.

use std::{ffi::OsString, path::PathBuf, process::ExitCode, time::Duration};

use clap::Args;

use crate::{
    arguments::Prompting, child, context::Context, failure::Failure, obtain::Wanted,
    token_file::TokenFile,
};

/// Run a command with an access token for an API.
///
/// The token is in the environment, and does not change there; --token-file names a file that always
/// holds a fresh one, for as long as the command runs, and whose path is in `INTELLIAUTH_TOKEN_FILE`.
/// Signals and the exit code are the command's.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Exec {
    /// The API, exactly as the tenant knows it.
    audience: String,

    /// A scope that the token must have; may be repeated.
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,

    /// The variable for the token [default: `INTELLIAUTH_ACCESS_TOKEN`, or none with --token-file].
    #[arg(long, value_name = "NAME")]
    env: Option<String>,

    /// A file that is written before the command starts, kept fresh, and removed at its end.
    #[arg(long, value_name = "PATH")]
    token_file: Option<PathBuf>,

    #[command(flatten)]
    prompting: Prompting,

    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  intelliauth-token exec api.banking.cymmetri.com -- ./report.sh
  intelliauth-token exec api.banking.cymmetri.com --env BANKING_TOKEN -- make deploy
  intelliauth-token exec api.banking.cymmetri.com --token-file ./token -- ./worker";

impl Exec {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Failure> {
        let mut command = child::command(&self.command, context)?;
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
        let variable = match (&self.env, &self.token_file) {
            (Some(name), _) => Some(name.as_str()),
            (None, None) => Some("INTELLIAUTH_ACCESS_TOKEN"),
            (None, Some(_)) => None,
        };
        if let Some(name) = variable {
            command.env(name, token.secret());
        }
        let Some(path) = &self.token_file else {
            return run(command).await;
        };
        let file = TokenFile::create(path, &token)?;
        command.env("INTELLIAUTH_TOKEN_FILE", file.path());
        let mut running = match child::spawn(&mut command)? {
            Ok(running) => running,
            Err(code) => return Ok(code),
        };
        let code = tokio::select! {
            code = running.wait() => code,
            () = file.keep_fresh(token, &wanted, &settings, &identity) => Ok(ExitCode::FAILURE),
        };
        identity.close().await?;
        code
    }
}

#[cfg(unix)]
#[expect(clippy::unused_async, reason = "elsewhere it waits for a child")]
async fn run(command: tokio::process::Command) -> Result<ExitCode, Failure> {
    child::replace(command)
}

#[cfg(not(unix))]
async fn run(mut command: tokio::process::Command) -> Result<ExitCode, Failure> {
    match child::spawn(&mut command)? {
        Ok(mut running) => running.wait().await,
        Err(code) => Ok(code),
    }
}
