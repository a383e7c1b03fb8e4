//! `intelliauth-emulator`: serves a tenant until Ctrl-C.

mod usage;

use std::error::Error;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use intelliauth_emulator::{Config, Emulator, StartError, sample};

/// The IntelliAuth platform on your machine, for tests and development in any language.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    /// The tenant to serve, a TOML file. Without it: the sample tenant.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// The port to listen on; 0 takes a free one and prints it.
    #[arg(long, default_value_t = 8080)]
    port: u16,

    /// The address to listen on. Others than 127.0.0.1 are reachable for the whole network, and need
    /// an admin token of your own.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    host: IpAddr,

    /// Print the sample tenant as a file to start from, and exit.
    #[arg(long)]
    print_sample_config: bool,

    /// Check the file and exit: 0 if it is right, 1 with line and fix if it is not.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let outcome = run(&Arguments::parse());
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be done if even the complaint cannot be written.
            let _ = writeln!(io::stderr(), "error: {}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    if arguments.print_sample_config {
        return print(sample::TOML);
    }
    let config = match &arguments.config {
        Some(path) => Config::from_file(path)?,
        None => Config::sample(),
    };
    if arguments.check {
        return print(&format!("tenant {} is right\n", config.slug()));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(arguments, config))
}

async fn serve(arguments: &Arguments, config: Config) -> Result<(), Box<dyn Error>> {
    let is_sample = arguments.config.is_none();
    let builder = Emulator::builder(config.clone())
        .host(arguments.host)
        .port(arguments.port);
    let emulator = builder.start().await.map_err(name_the_option)?;
    if !arguments.host.to_canonical().is_loopback() {
        warn_of_the_network(&config);
    }
    let stop = stop_signal()?;
    print(&usage::text(&emulator, &config, is_sample))?;
    stop.await;
    emulator.stop().await;
    print("stopped\n")
}

/// Starts to listen for Ctrl-C and, on Unix, for the signal that `kill` sends.
///
/// Called before the greeting is printed: its reader may stop the command at once.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(windows)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}

/// A taken port is the most common failure: the message names the option that fixes it.
fn name_the_option(error: StartError) -> Box<dyn Error> {
    match error {
        StartError::Bind {
            address,
            ref source,
            ..
        } => {
            let fix = "choose another with --port, or --port 0 for a free one";
            format!("cannot listen on {address} ({source}); {fix}").into()
        }
        StartError::PublicAdminToken { address, .. } => {
            let fix = "serve a file (--print-sample-config > tenant.toml, --config tenant.toml) without \
                       its line `admin_token`, or with a token of your own there";
            format!("{address} can be reached from other machines, and the sample's admin token is public; {fix}")
                .into()
        }
        other => other.into(),
    }
}

/// Warns of what other machines can reach.
fn warn_of_the_network(config: &Config) {
    let secrets = if config.has_sample_secrets() {
        ", and secrets or passwords of this tenant are the sample's, which are public"
    } else {
        ""
    };
    // Nothing can be done if it cannot be written.
    let _ = writeln!(
        io::stderr(),
        "warning: other machines can reach this emulator over plain http{secrets}"
    );
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn print(text: &str) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

const EXAMPLES: &str = "\
Examples:
  Serve the sample tenant, and print what to try: curl lines, the pages, and who can sign in:
    intelliauth-emulator

  Make a tenant of your own, check it, serve it:
    intelliauth-emulator --print-sample-config > tenant.toml
    intelliauth-emulator --config tenant.toml --check
    intelliauth-emulator --config tenant.toml --port 9000

  The pages are /oauth2/authorize (sign-in and consent), /activate (devices) and /oauth2/logout.
  People of the sample tenant, with their passwords:
    alice@cymmetri.example  sample-alice-password  (second factor 000000)
    bob@cymmetri.example    sample-bob-password

  From a test in any language: take a free port and read the first line, `listening on <issuer>`:
    intelliauth-emulator --port 0";
