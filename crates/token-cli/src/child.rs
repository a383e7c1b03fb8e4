//! Programs that are started with a token: signals and exit codes are passed on.

use std::{
    ffi::{OsStr, OsString},
    io,
    process::{ExitCode, ExitStatus},
};

use tokio::process::{Child, Command};

use self::signals::Signals;
use crate::{context::Context, failure::Failure, output::say};

/// Counts how deep commands of this kind have started each other.
const DEPTH: &str = "INTELLIAUTH_TOKEN_DEPTH";

/// Deeper than scripts that call each other on purpose; a helper that calls itself is there at once.
const DEPTH_MAX: u32 = 8;

/// The command, ready to be given a token.
pub(crate) fn command(words: &[OsString], context: &Context) -> Result<Command, Failure> {
    let (program, rest) = words
        .split_first()
        .ok_or_else(|| Failure::usage("there is no command behind --"))?;
    let depth = context.environment.text(DEPTH);
    let depth: u32 = depth.and_then(|depth| depth.parse().ok()).unwrap_or(0);
    if depth >= DEPTH_MAX {
        return Err(Failure::usage(format!(
            "intelliauth-token has started itself {depth} times over"
        ))
        .advising("a wrapper that is called like the program that it wraps calls itself: name that program by its full path"));
    }
    let mut command = Command::new(program);
    command.args(rest).env(DEPTH, (depth + 1).to_string());
    Ok(command)
}

/// Becomes the command: nothing stands between it and its signals.
#[cfg(unix)]
pub(crate) fn replace(command: Command) -> Result<ExitCode, Failure> {
    use std::os::unix::process::CommandExt as _;

    let mut command = command.into_std();
    let error = command.exec();
    not_started(command.get_program(), &error)
}

/// A command that runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) child: Child,
    signals: Signals,
}

/// Starts a command, or says why that is impossible: then it is the exit code.
pub(crate) fn spawn(command: &mut Command) -> Result<Result<Running, ExitCode>, Failure> {
    // Before the child is there: it may tell others at once who is to be sent a signal.
    let signals = Signals::listen();
    match command.spawn() {
        Ok(child) => Ok(Ok(Running { child, signals })),
        Err(error) => not_started(command.as_std().get_program(), &error).map(Err),
    }
}

/// As a shell has it: 127 for a program that is not there, 126 for one that cannot be run.
fn not_started(program: &OsStr, error: &io::Error) -> Result<ExitCode, Failure> {
    let code = match error.kind() {
        io::ErrorKind::NotFound => 127,
        io::ErrorKind::PermissionDenied => 126,
        _ => return Err(Failure::io("the command cannot be started", error)),
    };
    say(&format!(
        "error: cannot start {}: {error}",
        program.to_string_lossy()
    ));
    Ok(ExitCode::from(code))
}

impl Running {
    /// Waits for the child, and passes on what is sent to this process.
    pub(crate) async fn wait(&mut self) -> Result<ExitCode, Failure> {
        let pid = self.child.id();
        let status = tokio::select! {
            status = self.child.wait() => status,
            // It never ends by itself.
            error = self.signals.pass_on(pid) => Err(error),
        };
        let status = status.map_err(|error| Failure::io("cannot wait for the command", &error))?;
        Ok(ExitCode::from(u8::try_from(code(status)).unwrap_or(1)))
    }
}

/// The child's exit code, or as a shell has it, that of a child which a signal has ended.
#[cfg(unix)]
fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;

    match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 1,
    }
}

#[cfg(not(unix))]
fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(1)
}

#[cfg(unix)]
mod signals {
    use std::io::{self, IsTerminal as _};

    use rustix::process::{Pid, Signal, kill_process};
    use tokio::signal::unix::{self, SignalKind};

    /// What is sent to this process.
    #[derive(Debug)]
    pub(super) struct Signals(Option<[unix::Signal; 6]>);

    impl Signals {
        /// Listens from now on; without that, signals end this process alone.
        pub(super) fn listen() -> Self {
            let listened = || -> io::Result<_> {
                Ok([
                    unix::signal(SignalKind::interrupt())?,
                    unix::signal(SignalKind::quit())?,
                    unix::signal(SignalKind::terminate())?,
                    unix::signal(SignalKind::hangup())?,
                    unix::signal(SignalKind::user_defined1())?,
                    unix::signal(SignalKind::user_defined2())?,
                ])
            };
            Self(listened().ok())
        }

        /// Passes all of them on, and never ends.
        pub(super) async fn pass_on(&mut self, pid: Option<u32>) -> io::Error {
            let pid = pid.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
            // A terminal sends these two to the child as well.
            let is_shared = io::stdin().is_terminal();
            let Some([int, quit, term, hup, usr1, usr2]) = &mut self.0 else {
                return std::future::pending().await;
            };
            loop {
                let (signal, is_shared) = tokio::select! {
                    _ = int.recv() => (Signal::INT, is_shared),
                    _ = quit.recv() => (Signal::QUIT, is_shared),
                    _ = term.recv() => (Signal::TERM, false),
                    _ = hup.recv() => (Signal::HUP, false),
                    _ = usr1.recv() => (Signal::USR1, false),
                    _ = usr2.recv() => (Signal::USR2, false),
                };
                if let Some(pid) = pid.filter(|_| !is_shared) {
                    // If it has ended meanwhile, its end is noticed next.
                    let _ = kill_process(pid, signal);
                }
            }
        }
    }
}

#[cfg(not(unix))]
mod signals {
    use std::io;

    /// The console sends Ctrl-C to the child as well.
    #[derive(Debug)]
    pub(super) struct Signals;

    impl Signals {
        pub(super) fn listen() -> Self {
            Self
        }

        pub(super) async fn pass_on(&mut self, _pid: Option<u32>) -> io::Error {
            std::future::pending().await
        }
    }
}
