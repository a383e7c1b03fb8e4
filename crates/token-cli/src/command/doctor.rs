//! `doctor`: the usual faults, each with its fix. It works with a broken configuration.

mod checks;
mod network;

use std::{fmt::Write as _, process::ExitCode};

use clap::Args;
use serde::Serialize;

use crate::{
    arguments::Report,
    context::Context,
    failure::{Exit, Failure},
    output::{print, print_json},
};

/// Look for the usual faults, and name the fix of each.
///
/// The exit code is 1 if one is found. Without --network it sends no request.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Doctor {
    /// Ask the issuer too: does it answer, is it the right one, are the clocks together?
    #[arg(long)]
    network: bool,

    #[command(flatten)]
    pub(crate) report: Report,
}

const EXAMPLES: &str = "\
Examples:
  intelliauth-token doctor
  intelliauth-token doctor --network --format json";

/// What one check has found.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    text: String,
    fix: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Good,
    /// Worth knowing; no fault.
    Note,
    Fault,
}

impl Finding {
    fn good(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, State::Good, text, None)
    }

    fn note(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, State::Note, text, None)
    }

    fn fault(check: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(check, State::Fault, text, Some(fix.into()))
    }

    fn new(
        check: &'static str,
        state: State,
        text: impl Into<String>,
        fix: Option<String>,
    ) -> Self {
        Self {
            check,
            state,
            text: text.into(),
            fix,
        }
    }
}

impl Doctor {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Failure> {
        let mut findings = checks::of_configuration(context);
        findings.extend(checks::of_sessions(context).await);
        findings.extend(checks::of_surroundings(context));
        if self.network {
            findings.extend(network::findings(context).await);
        }
        if self.report.is_json() {
            print_json(&findings)?;
        } else {
            print(&as_text(&findings))?;
        }
        let is_well = findings.iter().all(|finding| finding.state != State::Fault);
        Ok(if is_well {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(Exit::Other as u8)
        })
    }
}

fn as_text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let mark = match finding.state {
            State::Good => "good ",
            State::Note => "note ",
            State::Fault => "FAULT",
        };
        let _ = writeln!(text, "{mark}  {}: {}", finding.check, finding.text);
        if let Some(fix) = &finding.fix {
            let _ = writeln!(text, "       fix: {fix}");
        }
    }
    text
}
