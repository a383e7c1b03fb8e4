//! The command line.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Many processes over one session file, some of which are killed: is anybody logged out by us?
///
/// The emulator is the issuer: refresh tokens rotate, a reused one ends its family, and without
/// --grace there is no grace period. The processes get tokens for several APIs from one session file; some refresh ahead in the
/// background, some inline, some end right after a call in the refresh window, or after giving up on
/// one; some close, some do not. Meanwhile processes are killed with SIGKILL, at random and inside a
/// redemption, and replies of the token endpoint are torn after the issuer has done its part.
///
/// Each loss of the session is judged by what the issuer knows. It is the issuer's if the answer to a
/// redemption was lost on the way (the reply was torn, or its process killed before it could keep it)
/// and the issuer then takes the repetition for theft. Everything else is our fault. So is a refresh
/// token that was given up although the issuer would still have taken it, and so is, with --grace, a
/// session that was lost although the issuer would have answered the same request again.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask torture", after_help = AFTER)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub(crate) struct Options {
    /// How many processes use the session at a time.
    #[arg(long, default_value_t = 40, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=500))]
    pub(crate) processes: u16,

    /// For how long processes are started and killed.
    #[arg(long, default_value_t = 60, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: u64,

    /// How many APIs they get tokens for.
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=50))]
    pub(crate) audiences: u16,

    /// How long an access token lives, in seconds.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=3600))]
    pub(crate) lifetime: u64,

    /// Draws what happens; what comes of it depends on the machine too. Without it: a new one, printed.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// Aim at redemptions that are repetitions as well.
    ///
    /// A redemption whose answer was lost is repeated once, ever. Who is killed in the repetition too,
    /// before the issuer has seen it, has lost a good session: that is a known price, and this measures it.
    /// With --grace a redemption is aimed at four times in a row, and no session may be lost all the same.
    #[arg(long)]
    pub(crate) merciless: bool,

    /// The issuer has a grace period for spent refresh tokens, and the processes know how long it is.
    ///
    /// Then a lost answer can be had again, so no session may be lost to a kill or a torn reply. Nor are
    /// repetitions spared: each process that comes by repeats the request, until it is answered. If it
    /// comes when the grace period is over, the loss is the issuer's fault, as without one.
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) grace: Option<GraceKind>,

    /// How long the grace period is, in seconds.
    #[arg(long, default_value_t = 60, value_name = "N", requires = "grace", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) grace_seconds: u64,

    /// Write the figures to this file as well.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Break a rule on purpose: the run must then fail.
    #[arg(long, value_enum, value_name = "RULE", help_heading = "Self-test")]
    pub(crate) sabotage: Option<Sabotage>,

    #[command(subcommand)]
    pub(crate) task: Option<Task>,
}

/// Which requests with a spent refresh token the issuer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraceKind {
    /// The same request as the first one alone, with the same refresh token; any other one is reuse.
    Identical,
    /// Any request, with the current refresh token.
    Any,
}

/// A grace period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grace {
    pub(crate) kind: GraceKind,
    pub(crate) period: Duration,
}

/// A rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sabotage {
    /// They redeem without waiting for the session's lock.
    NoLock,
    /// They write the session in place and in two halves.
    TornWrites,
    /// The issuer mints for another API, and they do not check.
    WrongAudience,
    /// With --grace: the issuer has no grace period, though the processes count on it.
    NoGrace,
    /// With --grace: they repeat a redemption for another API than the one that it was for.
    OtherRequest,
}

impl Options {
    pub(crate) fn grace(&self) -> Option<Grace> {
        self.grace.map(|kind| Grace {
            kind,
            period: Duration::from_secs(self.grace_seconds),
        })
    }

    /// The grace period of the issuer: the one that the processes count on, unless that is sabotaged.
    pub(crate) fn issuer_grace(&self) -> Option<Grace> {
        let is_kept = self.sabotage != Some(Sabotage::NoGrace);
        self.grace().filter(|_| is_kept)
    }

    /// What no single option can say about itself.
    pub(crate) fn check(&self) -> Result<()> {
        let needs_grace = matches!(
            self.sabotage,
            Some(Sabotage::NoGrace | Sabotage::OtherRequest)
        );
        ensure!(
            self.grace.is_some() || !needs_grace,
            "this rule is about a grace period: add --grace identical"
        );
        ensure!(
            self.grace != Some(GraceKind::Identical) || self.audiences > 1,
            "with one API every request is the same: --grace identical needs --audiences 2 at least"
        );
        Ok(())
    }
}

/// What the coordinator starts.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// One of the processes.
    #[command(hide = true)]
    Worker(Part),
}

/// The part of one process.
#[derive(Clone, Debug, Args)]
pub(crate) struct Part {
    #[arg(long)]
    pub(crate) issuer: String,
    #[arg(long)]
    pub(crate) directory: PathBuf,
    #[arg(long)]
    pub(crate) audiences: u16,
    #[arg(long)]
    pub(crate) seed: u64,
    /// The issuer's grace period, as the processes know it.
    #[arg(long)]
    pub(crate) grace_seconds: Option<u64>,
    #[arg(long, value_enum)]
    pub(crate) sabotage: Option<Sabotage>,
}

/// Says something to whoever watches.
pub(crate) fn complain(line: &str) {
    // Nothing can be done if even that cannot be written.
    let _ = writeln!(std::io::stderr(), "{line}");
}

const AFTER: &str = "\
Exit code: 0 if every goal was met, 1 if not, 2 if the test could not be run.

Examples:
  cargo xtask torture                                  forty processes for a minute
  cargo xtask torture --processes 12 --seconds 12      what `cargo xtask test` runs
  cargo xtask torture --merciless --json figures.json  twice in a row, and the figures in a file
  cargo xtask torture --grace identical                no lost answer may cost a session
  cargo xtask torture --sabotage no-lock --seconds 10  must fail: somebody is logged out by us";
