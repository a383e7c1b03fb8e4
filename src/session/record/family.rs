//! A refresh token, and what the person has consented to with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Attempt, Mark, SignInId};
use crate::{
    scope::{Audience, Scopes},
    secret::{self, Secret},
};

/// A refresh token and all that came before it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Family {
    /// The only audience that it serves; nothing if it serves all that it covers.
    pub(crate) audience: Option<String>,
    /// Nothing once the issuer has refused it, or if it gave none: then a sign-in is needed.
    #[serde(with = "secret::written::option")]
    pub(crate) refresh_token: Option<Secret>,
    /// What the person has consented to, by audience.
    pub(crate) covers: BTreeMap<String, Coverage>,
    /// The redemption of this token whose answer is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mark: Option<Mark>,
    /// The sign-in that brought it.
    #[serde(default)]
    pub(crate) sign_in: SignInId,
    /// How an older version marked a redemption: it did not say for which request.
    #[serde(default, skip_serializing)]
    pub(super) unanswered: u32,
}

/// Which family of a session: a sign-in brings one for each API, or one for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FamilyId {
    sign_in: SignInId,
    audience: Option<String>,
}

impl Family {
    pub(crate) fn id(&self) -> FamilyId {
        FamilyId {
            sign_in: self.sign_in,
            audience: self.audience.clone(),
        }
    }

    pub(crate) fn new(
        audience: Option<String>,
        refresh_token: Option<Secret>,
        covers: BTreeMap<String, Coverage>,
    ) -> Self {
        Self {
            audience,
            refresh_token,
            covers,
            mark: None,
            sign_in: SignInId::UNKNOWN,
            unanswered: 0,
        }
    }

    pub(crate) fn serves(&self, audience: &Audience) -> bool {
        let only = self.audience.as_deref();
        only.is_none_or(|only| only == audience.as_str())
    }

    /// Whether its refresh token is this one.
    pub(crate) fn holds(&self, refresh_token: &Secret) -> bool {
        let own = self.refresh_token.as_ref();
        own.is_some_and(|own| own.expose() == refresh_token.expose())
    }

    /// As an older version wrote it: the sign-in is the record's, and the mark names no request.
    pub(super) fn read_older(&mut self, sign_in: SignInId) {
        if self.sign_in == SignInId::UNKNOWN {
            self.sign_in = sign_in;
        }
        let count = std::mem::take(&mut self.unanswered);
        if count > 0 {
            let attempts = vec![Attempt { id: 0, at: 0 }; count.min(2) as usize];
            let request = None;
            self.mark = Some(Mark { attempts, request });
        }
    }

    /// The attempt with this number counts for nothing.
    pub(crate) fn unmark(&mut self, id: u64) {
        let Some(mark) = &mut self.mark else {
            return;
        };
        mark.attempts.retain(|attempt| attempt.id != id);
        if mark.attempts.is_empty() {
            self.mark = None;
        }
    }

    /// The attempt with this number was answered, and the refresh token stays: those before it count for
    /// nothing either.
    pub(crate) fn settle(&mut self, id: u64) {
        let Some(mark) = &mut self.mark else {
            return;
        };
        let position = mark.attempts.iter().position(|attempt| attempt.id == id);
        mark.attempts
            .drain(..position.map_or(0, |position| position + 1));
        if mark.attempts.is_empty() {
            self.mark = None;
        }
    }

    /// Takes note of what a redemption for `audience` was granted.
    pub(crate) fn grant(&mut self, audience: &Audience, granted: &Scopes) {
        let covers = self.covers.entry(audience.to_string()).or_default();
        // A role that was lost may come back: what the person consented to only grows.
        *covers = Coverage::new(&covers.granted().union(granted), &covers.withheld());
    }

    /// Whether this refresh token stays when a new sign-in has brought none.
    ///
    /// OpenID Connect Core section 11: an issuer may ignore `offline_access`, as with `prompt=none`.
    pub(crate) fn outlives(&self, newer: &Self) -> bool {
        let is_successor = self.audience == newer.audience;
        is_successor && self.refresh_token.is_some() && newer.refresh_token.is_none()
    }

    /// The same, knowing what the issuer withheld from a newer sign-in.
    ///
    /// What that one was granted is not this refresh token's.
    pub(crate) fn with_withheld(mut self, newer: &Self) -> Self {
        for (audience, coverage) in &mut self.covers {
            if let Some(newer) = newer.covers.get(audience) {
                let granted = coverage.granted();
                let withheld = coverage.withheld().union(&newer.withheld());
                *coverage = Coverage::new(&granted, &withheld.difference(&granted));
            }
        }
        self
    }
}

/// What is known of one audience.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Coverage {
    granted: String,
    /// Asked for in a sign-in and not granted: another prompt would not change that.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    withheld: String,
}

impl Coverage {
    pub(crate) fn new(granted: &Scopes, withheld: &Scopes) -> Self {
        Self {
            granted: granted.to_string(),
            withheld: withheld.to_string(),
        }
    }

    pub(crate) fn granted(&self) -> Scopes {
        Scopes::from_reply(&self.granted)
    }

    pub(crate) fn withheld(&self) -> Scopes {
        Scopes::from_reply(&self.withheld)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(text: &str) -> Scopes {
        Scopes::from_reply(text)
    }

    fn family(refresh_token: Option<&str>, covers: &[(&str, &str, &str)]) -> Family {
        let coverage = |(audience, granted, withheld): &(&str, &str, &str)| {
            let coverage = Coverage::new(&scopes(granted), &scopes(withheld));
            ((*audience).to_owned(), coverage)
        };
        Family {
            audience: None,
            refresh_token: refresh_token.map(Secret::from),
            covers: covers.iter().map(coverage).collect(),
            mark: None,
            sign_in: SignInId::UNKNOWN,
            unanswered: 0,
        }
    }

    #[test]
    fn a_refresh_token_outlives_a_sign_in_that_brings_none() {
        let (old, none) = (family(Some("R0"), &[]), family(None, &[]));
        assert!(old.outlives(&none));
        assert!(!old.outlives(&family(Some("R1"), &[])));
        assert!(!none.outlives(&none), "a refused one is gone");
        let for_another = Family {
            audience: Some("api".to_owned()),
            ..none
        };
        assert!(!old.outlives(&for_another));
    }

    #[test]
    fn what_outlives_covers_no_more_than_before_and_knows_what_was_withheld() {
        let old = family(Some("R0"), &[("one", "a b", "c")]);
        let newer = family(None, &[("one", "a d", "b e"), ("two", "x", "y")]);
        let kept = old.with_withheld(&newer);
        assert_eq!(kept.covers.len(), 1, "nothing of the other API");
        let one = &kept.covers["one"];
        assert_eq!(one.granted(), scopes("a b"));
        assert_eq!(one.withheld(), scopes("c e"));
    }
}
