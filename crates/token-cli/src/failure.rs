//! [`Failure`]: why a command did not do what it was asked for, and what to run next.

use std::{error::Error as StdError, fmt, io, time::Duration};

use intelliauth::{BuildError, DeniedReason, Error, StoreErrorKind};
use serde::Serialize;

/// The exit codes: one for each next move of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Something else.
    Other = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// The person said no, or did not come back in time.
    Declined = 3,
    /// A person has to sign in, consent, or prove more.
    PersonNeeded = 4,
    /// Refused: repeating the command does not help.
    Refused = 5,
    /// The same command may succeed later.
    TryAgain = 6,
    /// The place where sessions are kept failed.
    Store = 7,
    /// Interrupted by the person (Ctrl-C).
    Interrupted = 130,
}

/// Why a command did not do what it was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    code: &'static str,
    message: Box<str>,
    causes: Vec<String>,
    advice: Option<Box<str>>,
    pub(crate) next_command: Option<String>,
    retry_after: Option<Duration>,
}

/// What a program reads of it.
#[derive(Serialize)]
struct Told<'a> {
    code: &'a str,
    message: &'a str,
    next_command: Option<&'a str>,
    /// In seconds, rounded up.
    retry_after: Option<u64>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            exit,
            code,
            message: message.into().into(),
            causes: Vec::new(),
            advice: None,
            next_command: None,
            retry_after: None,
        }
    }

    /// The command line or the configuration is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// Something else failed.
    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self::new(Exit::Other, "other", message)
    }

    /// Reading or writing something failed.
    pub(crate) fn io(what: impl Into<String>, error: &io::Error) -> Self {
        Self::other(what).caused_by(error)
    }

    /// An error of the SDK in a command that has prompted a person, or has not.
    pub(crate) fn of(error: &Error, has_prompted: bool) -> Self {
        let (exit, code) = classified(error, has_prompted);
        let mut failure = Self::new(exit, code, error.to_string());
        failure.causes = causes(error);
        failure.advice = match error {
            // Their next move is a command, which is named.
            Error::Consent(_) | Error::Login(_) | Error::StepUp(_) => None,
            other => Some(other.next_move().into()),
        };
        if let Error::Unavailable(unavailable) = error {
            let after = unavailable.issuer_retry_after();
            failure.retry_after = Some(after.unwrap_or_else(|| unavailable.retry_after()));
        }
        failure
    }

    pub(crate) fn caused_by(mut self, error: &(dyn StdError + 'static)) -> Self {
        self.causes.push(error.to_string());
        self.causes.extend(causes(error));
        self
    }

    /// What to do about it, as a sentence.
    pub(crate) fn advising(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into().into());
        self
    }

    /// The command that is to be run next, ready to be pasted.
    pub(crate) fn then(mut self, command: impl Into<String>) -> Self {
        self.next_command = Some(command.into());
        self
    }

    /// One JSON object on one line.
    pub(crate) fn json(&self) -> String {
        let told = Told {
            code: self.code,
            message: &self.message,
            next_command: self.next_command.as_deref(),
            retry_after: self
                .retry_after
                .map(|after| after.as_secs() + u64::from(after.subsec_nanos() > 0)),
        };
        serde_json::to_string(&told).unwrap_or_default()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        for cause in &self.causes {
            write!(f, "\n  caused by: {cause}")?;
        }
        if let Some(advice) = &self.advice {
            write!(f, "\nwhat to do: {advice}")?;
        }
        if let Some(command) = &self.next_command {
            write!(f, "\nrun: {command}")?;
        }
        Ok(())
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        Self::usage(error.to_string())
    }
}

fn causes(error: &dyn StdError) -> Vec<String> {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    causes
}

/// The one table from the SDK's errors to exit codes.
fn classified(error: &Error, has_prompted: bool) -> (Exit, &'static str) {
    match error {
        Error::Login(_) if has_prompted => (Exit::Declined, "timed_out"),
        Error::Login(_) => (Exit::PersonNeeded, "login_required"),
        Error::Consent(_) => (Exit::PersonNeeded, "consent_required"),
        Error::StepUp(_) => (Exit::PersonNeeded, "step_up_required"),
        Error::Denied(denied) => match denied.reason() {
            DeniedReason::AccessDenied if has_prompted => (Exit::Declined, "declined"),
            reason => (Exit::Refused, denied_code(reason)),
        },
        Error::Protocol(_) => (Exit::Refused, "protocol"),
        Error::Request(_) => (Exit::Usage, "request"),
        Error::Unavailable(_) => (Exit::TryAgain, "unavailable"),
        Error::Store(error) if error.kind() == StoreErrorKind::Locked => {
            (Exit::TryAgain, "store_locked")
        }
        Error::Store(_) => (Exit::Store, "store"),
        _ => (Exit::Other, "other"),
    }
}

fn denied_code(reason: DeniedReason) -> &'static str {
    match reason {
        DeniedReason::ScopeNotAllowed => "scope_not_allowed",
        DeniedReason::AudienceNotAllowed => "audience_not_allowed",
        DeniedReason::AudienceNotInFamily => "audience_not_in_family",
        DeniedReason::ApplicationNotAllowed => "application_not_allowed",
        DeniedReason::CredentialsRejected => "credentials_rejected",
        DeniedReason::Narrowed => "narrowed",
        DeniedReason::AccessDenied => "access_denied",
        DeniedReason::AccountDisabled => "account_disabled",
        _ => "denied",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_reads_the_cause_the_advice_and_the_command() {
        let failure = Failure::other("the file cannot be read")
            .caused_by(&io::Error::other("no such disk"))
            .advising("look for it")
            .then("intelliauth-token doctor");
        assert_eq!(
            failure.to_string(),
            "error: the file cannot be read\n  caused by: no such disk\nwhat to do: look for it\nrun: intelliauth-token doctor"
        );
    }

    #[test]
    fn a_program_reads_one_object_with_the_time_rounded_up() {
        let mut failure = Failure::new(Exit::TryAgain, "unavailable", "the issuer is in trouble");
        failure.retry_after = Some(Duration::from_millis(1200));
        assert_eq!(
            failure.json(),
            r#"{"code":"unavailable","message":"the issuer is in trouble","next_command":null,"retry_after":2}"#
        );
    }
}
