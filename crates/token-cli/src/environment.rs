//! The process's environment, read once, so that rules about it can be tested without one.

use std::{collections::BTreeMap, ffi::OsString};

/// The environment's variables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// Those of this process.
    pub(crate) fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// The value of a variable that is set to something.
    pub(crate) fn get(&self, name: &str) -> Option<OsString> {
        self.0
            .get(&OsString::from(name))
            .filter(|value| !value.is_empty())
            .cloned()
    }

    /// The same as text, as far as it is one.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        Some(self.get(name)?.to_string_lossy().into_owned())
    }

    /// Whether a variable is set to something.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

#[cfg(test)]
impl Environment {
    pub(crate) fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.0.insert(name.into(), value.into());
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        let own = |(name, value): (&str, &str)| (OsString::from(name), OsString::from(value));
        Self(variables.into_iter().map(own).collect())
    }
}
