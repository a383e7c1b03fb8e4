//! `intelliauth-token`: the right access token for any API, from a shell.

mod arguments;
mod child;
mod command;
mod context;
mod environment;
mod failure;
mod identity;
mod log;
mod moment;
mod obtain;
mod output;
mod places;
mod profile;
mod settings;
mod shell;
mod sign_in;
mod surroundings;
mod token_file;

use std::process::ExitCode;

use clap::Parser as _;

use self::{
    arguments::{Arguments, Command},
    context::Context,
    environment::Environment,
    failure::{Exit, Failure},
    output::say,
};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return misunderstood(&error),
    };
    log::start(arguments.verbose);
    let wants_json = arguments.command.wants_json();
    run(arguments).unwrap_or_else(|failure| {
        say(&if wants_json {
            failure.json()
        } else {
            failure.to_string()
        });
        ExitCode::from(failure.exit as u8)
    })
}

/// One thread carries the command; the SDK keeps one of its own for what must outlive it.
fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let context = Context::new(arguments.who, Environment::of_process());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("cannot start", &error))?;
    let is_child = matches!(arguments.command, Command::Exec(_) | Command::Curl(_));
    runtime.block_on(async {
        let command = Box::pin(arguments.command.run(&context));
        if is_child {
            // Signals are the child's.
            return command.await;
        }
        tokio::select! {
            outcome = command => outcome,
            _ = tokio::signal::ctrl_c() => {
                Err(Failure::new(Exit::Interrupted, "interrupted", "interrupted"))
            }
        }
    })
}

/// Help and versions go to stdout; what was mistyped goes to stderr, as JSON where that was asked for.
fn misunderstood(error: &clap::Error) -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let is_json = words
        .windows(2)
        .any(|pair| pair[0] == "--format" && pair[1] == "json")
        || words.iter().any(|word| word == "--format=json");
    if error.use_stderr() && is_json {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        let message = first.trim_start_matches("error: ");
        say(&Failure::usage(message).json());
    } else {
        // Nothing can be done if even the complaint cannot be written.
        let _ = error.print();
    }
    if error.use_stderr() {
        ExitCode::from(Exit::Usage as u8)
    } else {
        ExitCode::SUCCESS
    }
}
