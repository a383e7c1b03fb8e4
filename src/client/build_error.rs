//! [`BuildError`]: a setting that cannot work.

use std::fmt;

/// A setting that cannot work, and the fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError {
    field: &'static str,
    problem: String,
    fix: &'static str,
}

impl BuildError {
    pub(super) fn new(field: &'static str, problem: impl Into<String>, fix: &'static str) -> Self {
        Self {
            field,
            problem: problem.into(),
            fix,
        }
    }

    /// The setting, by the name of its setter or environment variable.
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// What to do about it.
    pub fn fix(&self) -> &'static str {
        self.fix
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.field, self.problem, self.fix)
    }
}

impl std::error::Error for BuildError {}
