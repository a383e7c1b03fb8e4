//! The grace period of spent refresh tokens, and the answers that it may repeat.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, SystemTime};

use crate::clock::later;
use crate::config::{GraceCoverage, Switches};
use crate::secret::{Digest, Secret};

/// For how long, and for which requests, a spent refresh token is answered again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grace {
    pub(super) period: Duration,
    pub(super) coverage: GraceCoverage,
}

/// What a refresh asks for: each parameter and the digest of its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefreshRequest(BTreeMap<String, Digest>);

/// A refresh that was answered with a new refresh token.
#[derive(Debug)]
pub(super) struct Answer {
    /// The refresh token that it spent.
    pub(super) token: Digest,
    pub(super) at: SystemTime,
    pub(super) request: RefreshRequest,
    /// The refresh token of the answer.
    pub(super) next: Secret,
    /// The scopes and the audience of its family before this refresh.
    pub(super) scopes: BTreeSet<String>,
    pub(super) bound: Option<String>,
}

/// The answers of the last grace period, oldest first.
#[derive(Debug, Default)]
pub(super) struct Answers(VecDeque<Answer>);

impl Grace {
    pub(crate) fn of(switches: &Switches) -> Self {
        Self {
            period: switches.refresh_grace,
            coverage: switches.refresh_grace_covers,
        }
    }

    /// Whether a token that was spent then may still be answered.
    pub(super) fn is_running(self, spent: SystemTime, now: SystemTime) -> bool {
        later(spent, self.period) > now
    }
}

impl RefreshRequest {
    /// Takes the parameters as they were sent, without those that identify the client: it authenticates
    /// anew each time.
    pub(crate) fn of<'p>(parameters: impl Iterator<Item = (&'p str, &'p str)>) -> Self {
        let asked = parameters.filter(|(name, _)| !CLIENT_PARAMETERS.contains(name));
        let digests = asked.map(|(name, value)| (name.to_owned(), Digest::of(value)));
        Self(digests.collect())
    }

    /// The names of the parameters in which the two requests differ.
    pub(super) fn differing(&self, other: &Self) -> Vec<String> {
        let names: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let is_same = |name: &str| self.0.get(name) == other.0.get(name);
        let differing = names.into_iter().filter(|name| !is_same(name));
        differing.cloned().collect()
    }
}

impl Answers {
    /// Remembers an answer for the grace period, and forgets those whose period is over.
    pub(super) fn add(&mut self, answer: Answer, period: Duration) {
        let is_over = |old: &Answer| later(old.at, period) <= answer.at;
        while self.0.front().is_some_and(is_over) {
            self.0.pop_front();
        }
        if !period.is_zero() {
            self.0.push_back(answer);
        }
    }

    pub(super) fn find(&self, token: &Digest) -> Option<&Answer> {
        self.0.iter().rev().find(|answer| answer.token == *token)
    }
}

/// The client's id and its authentication (RFC 6749 section 2.3.1, RFC 7521 section 4.2), which may also
/// be sent in a header.
const CLIENT_PARAMETERS: [&str; 4] = [
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn request(parameters: &[(&str, &str)]) -> RefreshRequest {
        RefreshRequest::of(parameters.iter().copied())
    }

    #[test]
    fn requests_with_equal_parameters_are_equal_in_any_order_and_for_any_client() {
        let one = request(&[("audience", "api.a"), ("scope", "x"), ("client_id", "app")]);
        let other = request(&[
            ("client_secret", "s"),
            ("scope", "x"),
            ("audience", "api.a"),
        ]);
        assert_eq!(one, other);
        assert!(one.differing(&other).is_empty());
    }

    #[test]
    fn parameters_that_differ_are_named() {
        let one = request(&[("audience", "api.a"), ("scope", "x y"), ("same", "1")]);
        let other = request(&[("audience", "api.b"), ("claims", "{}"), ("same", "1")]);
        assert_eq!(one.differing(&other), ["audience", "claims", "scope"]);
    }

    #[test]
    fn answers_are_forgotten_when_their_period_is_over() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let answer = |token: &str, seconds| Answer {
            token: Digest::of(token),
            at: at(seconds),
            request: request(&[]),
            next: Secret::new("next"),
            scopes: BTreeSet::new(),
            bound: None,
        };
        let period = Duration::from_secs(10);
        let mut answers = Answers::default();
        answers.add(answer("a", 0), period);
        answers.add(answer("b", 9), period);
        assert!(answers.find(&Digest::of("a")).is_some());
        answers.add(answer("c", 10), period);
        assert!(answers.find(&Digest::of("a")).is_none());
        assert!(answers.find(&Digest::of("b")).is_some());
        answers.add(answer("d", 11), Duration::ZERO);
        assert!(answers.0.is_empty());
    }
}
