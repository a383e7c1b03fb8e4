//! What a process tells of its calls.

use std::io::Write as _;
use std::time::{Duration, Instant, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use intelliauth::{AccessToken, Error, StoreErrorKind};
use serde_json::Value;

use crate::clock;
use crate::report::Report;

/// What has not been told yet, and when something was.
#[derive(Default)]
pub(super) struct Told {
    pub(super) report: Report,
    at: Option<Instant>,
}

impl Told {
    /// A call has ended.
    pub(super) fn note(
        &mut self,
        audience: &str,
        started: Instant,
        outcome: &Result<AccessToken, Error>,
    ) {
        let report = &mut self.report;
        match outcome {
            Ok(token) => {
                report.tokens += 1;
                let (is_wrong, is_expired) = check(token, audience);
                report.wrong_audience += u64::from(is_wrong);
                report.expired += u64::from(is_expired);
                let waited = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                report.longest_wait = report.longest_wait.max(waited);
            }
            Err(error) => note_error(report, error),
        }
        let is_urgent = !report.login_asked.is_empty();
        if is_urgent || self.at.is_none_or(|at| at.elapsed() > TELL_EVERY) {
            self.tell();
        }
    }

    /// Writes what is not told yet, as one line.
    pub(super) fn tell(&mut self) {
        self.at = Some(clock::now());
        let report = std::mem::take(&mut self.report);
        if report.is_empty() {
            return;
        }
        if let Ok(mut line) = serde_json::to_vec(&report) {
            line.push(b'\n');
            // If nobody listens any more, there is nobody to tell.
            let _ = std::io::stdout().write_all(&line);
        }
    }
}

fn note_error(report: &mut Report, error: &Error) {
    let is_expected = match error {
        Error::Login(_) => {
            let now = clock::since_epoch().as_millis();
            report
                .login_asked
                .push(u64::try_from(now).unwrap_or(u64::MAX));
            true
        }
        Error::Unavailable(_) => true,
        Error::Store(error) => error.kind() == StoreErrorKind::Locked,
        _ => false,
    };
    *report.failed.entry(error.kind().to_owned()).or_default() += 1;
    if !is_expected {
        report.surprises.push(format!("{}: {error}", error.kind()));
    }
}

/// Whether the token is for somebody else, and whether it has expired: read here, by nobody else's rules.
fn check(token: &AccessToken, audience: &str) -> (bool, bool) {
    let claims = claims(token.secret()).unwrap_or_default();
    let is_for = match &claims["aud"] {
        Value::String(one) => one == audience,
        Value::Array(several) => several.iter().any(|one| one == audience),
        _ => false,
    };
    // `exp` is in whole seconds, rounded down: the issuer's own end comes up to one second later.
    let end = claims["exp"]
        .as_u64()
        .map(|end| UNIX_EPOCH + Duration::from_secs(end + 1));
    let now = clock::wall();
    let is_live = end.is_some_and(|end| now < end) && now < token.expires_at();
    (!is_for, !is_live)
}

fn claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// How often a process tells what has happened: one that is killed takes so much with it.
const TELL_EVERY: Duration = Duration::from_millis(100);
