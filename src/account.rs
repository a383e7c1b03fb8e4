//! [`Account`]: the person behind a session.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The person behind a session, as the issuer named them when they signed in.
///
/// `subject` is stable for ever (platform fact) and is what a later sign-in is compared with; the
/// others are for showing.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    subject: Option<String>,
    name: Option<String>,
    email: Option<String>,
}

impl Account {
    pub(crate) fn new(
        subject: Option<String>,
        name: Option<String>,
        email: Option<String>,
    ) -> Self {
        Self {
            subject,
            name,
            email,
        }
    }

    /// `sub`: who it is (OpenID Connect Core section 2); nothing if `openid` was not asked for.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The name to show, where `profile` was granted.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The address to show, where `email` was granted.
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// Whether both are known to be different people.
    pub(crate) fn is_other_than(&self, other: &Self) -> bool {
        matches!((&self.subject, &other.subject), (Some(one), Some(two)) if one != two)
    }

    /// Whether both are known to be the same person.
    pub(crate) fn is_surely(&self, other: &Self) -> bool {
        matches!((&self.subject, &other.subject), (Some(one), Some(two)) if one == two)
    }

    /// Whether `known` cannot be continued by this sign-in where the same person is demanded: it is
    /// another person, or it names nobody although `known` is somebody.
    pub(crate) fn may_be_other_than(&self, known: &Self) -> bool {
        let is_unnamed = self.subject.is_none() && known.subject.is_some();
        self.is_other_than(known) || is_unnamed
    }
}

impl fmt::Debug for Account {
    /// Shows the subject alone: the others are personal data that no log needs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}
