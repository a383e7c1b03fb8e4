//! The torture test: many processes over one session file, some of which are killed.
//!
//! A coordinator runs the emulator (reuse detection on, a grace period if asked for), signs a person in, and starts
//! processes that use the SDK as any program would. It kills some of them, also inside a redemption,
//! and has replies torn. For each session that is lost it asks the issuer whose fault that was.

#[cfg(target_os = "linux")]
mod clock;
#[cfg(target_os = "linux")]
mod coordinator;
#[cfg(target_os = "linux")]
mod figures;
#[cfg(target_os = "linux")]
mod issuer;
#[cfg(target_os = "linux")]
mod killer;
#[cfg(target_os = "linux")]
mod ledger;
#[cfg(target_os = "linux")]
mod loss;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod sabotage;
#[cfg(target_os = "linux")]
mod session;
#[cfg(target_os = "linux")]
mod worker;
#[cfg(target_os = "linux")]
mod workers;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    use clap::Parser as _;
    use options::{Options, Task};

    let options = Options::parse();
    let outcome = match &options.task {
        Some(Task::Worker(part)) => worker::run(part).map(|()| true),
        None => coordinator::run(&options),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            options::complain(&format!("error: {error:#}"));
            ExitCode::from(2)
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    use std::io::Write as _;

    let why =
        "error: the torture test needs Linux: it reads /proc/locks to know who holds the session";
    // Nothing can be done if even the complaint cannot be written.
    let _ = writeln!(std::io::stderr(), "{why}");
    ExitCode::from(2)
}
