//! What a process tells the coordinator: lines of JSON on its standard output.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What has happened since the last report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Report {
    /// Tokens that were handed out.
    pub(crate) tokens: u64,
    pub(crate) wrong_audience: u64,
    pub(crate) expired: u64,
    /// The longest call for a token that ended well, in milliseconds.
    pub(crate) longest_wait: u64,
    /// The process ends now, right after a call that a cached token in its window answered.
    pub(crate) leaves_in_window: u64,
    /// The process ends now, right after it gave up on a call that asks the issuer.
    pub(crate) leaves_giving_up: u64,
    /// Calls that failed, by the kind of their error.
    pub(crate) failed: BTreeMap<String, u64>,
    /// When calls were told that the person must sign in, in milliseconds since the Unix epoch.
    pub(crate) login_asked: Vec<u64>,
    /// What errors that nobody expects say.
    pub(crate) surprises: Vec<String>,
}

impl Report {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.tokens += other.tokens;
        self.wrong_audience += other.wrong_audience;
        self.expired += other.expired;
        self.longest_wait = self.longest_wait.max(other.longest_wait);
        self.leaves_in_window += other.leaves_in_window;
        self.leaves_giving_up += other.leaves_giving_up;
        for (kind, count) in other.failed {
            *self.failed.entry(kind).or_default() += count;
        }
        self.login_asked.extend(other.login_asked);
        self.surprises.extend(other.surprises);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_add_up() {
        let one = Report {
            tokens: 2,
            longest_wait: 7,
            failed: BTreeMap::from([("login".to_owned(), 1)]),
            ..Report::default()
        };
        let mut sum = Report::default();
        assert!(sum.is_empty());
        sum.add(one.clone());
        sum.add(one);
        assert_eq!(
            (sum.tokens, sum.longest_wait, sum.failed["login"]),
            (4, 7, 2)
        );
    }
}
