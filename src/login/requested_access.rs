//! What one prompt asks a person for.

use crate::{
    error::{Asked, Error, Resume},
    request::TokenRequest,
    scope::{Audience, Scopes},
};

/// Scopes of APIs, and of the person's identity.
#[derive(Clone, Debug)]
pub(super) struct RequestedAccess {
    /// One for each audience; the token that comes with the sign-in is for the first.
    asked: Vec<Asked>,
    identity_scopes: Scopes,
    /// The first invalid setting of the caller, reported when the sign-in starts.
    problem: Option<String>,
}

impl RequestedAccess {
    pub(super) fn new() -> Self {
        Self {
            asked: Vec::new(),
            identity_scopes: Scopes::none(),
            problem: None,
        }
    }

    pub(super) fn request(&mut self, request: TokenRequest<'_>) {
        let details = request.into_details();
        if let Err(error) = details.check() {
            self.problem = Some(error.to_string());
        }
        self.ask(details.target.asked);
    }

    /// Further scopes of the person's identity, separated by spaces.
    pub(super) fn scope(&mut self, scope: &str) {
        match scope.parse::<Scopes>() {
            Ok(scopes) => self.identity_scopes = self.identity_scopes.union(&scopes),
            Err(error) => self.problem = Some(format!("scope {scope:?}: {error}")),
        }
    }

    fn ask(&mut self, asked: Asked) {
        let mut known = self.asked.iter_mut();
        match known.find(|known| known.audience == asked.audience) {
            Some(known) => known.scopes = known.scopes.union(&asked.scopes),
            None => self.asked.push(asked),
        }
    }

    /// Asks for what an error needs as well, and for all that the session covered before.
    pub(super) fn go_on(&mut self, asked: &Asked, resume: Option<&Resume>) {
        // What is asked for now comes first: the token that comes with the sign-in is for that.
        let own = std::mem::take(&mut self.asked);
        self.ask(asked.clone());
        let covered = resume.into_iter().flat_map(|resume| &resume.covered);
        for more in own.into_iter().chain(covered.cloned()) {
            self.ask(more);
        }
        if let Some(resume) = resume {
            self.identity_scopes = self.identity_scopes.union(&resume.identity_scopes);
        }
    }

    /// Keeps what is wrong with it, for when it is used.
    pub(super) fn complain(&mut self, problem: &str) {
        self.problem.get_or_insert_with(|| problem.to_owned());
    }

    /// Asks also for what every sign-in at this issuer asks for: `openid` tells who signed in,
    /// `offline_access` keeps them signed in (OpenID Connect Core section 11).
    pub(super) fn with_identity(mut self, scopes: &Scopes) -> Self {
        self.identity_scopes = self.identity_scopes.union(scopes);
        self
    }

    /// Refuses what could never be answered, before anything is sent.
    pub(super) fn check(&self) -> Result<(), Error> {
        match &self.problem {
            Some(problem) => Err(Error::request(problem.clone())),
            None => Ok(()),
        }
    }

    pub(super) fn asked(&self) -> &[Asked] {
        &self.asked
    }

    pub(super) fn identity_scopes(&self) -> &Scopes {
        &self.identity_scopes
    }

    /// What the token that comes with the sign-in is for; nothing that has a name if no API is asked for.
    pub(super) fn first(&self) -> Asked {
        self.asked.first().cloned().unwrap_or(Asked {
            audience: Audience::from(""),
            scopes: Scopes::none(),
        })
    }

    /// Everything in one set, as the prompt's `scope` parameter has it.
    pub(super) fn scopes(&self) -> Scopes {
        let identity = self.identity_scopes.clone();
        let all = self.asked.iter();
        all.fold(identity, |all, asked| all.union(&asked.scopes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_of_one_audience_are_joined_and_the_prompt_asks_for_all() {
        let mut requested = RequestedAccess::new();
        requested.request(TokenRequest::new("one").scope("b"));
        requested.request(TokenRequest::new("two").scope("c"));
        requested.request(TokenRequest::new("one").scope("a"));
        requested.scope("profile email");
        let requested = requested.with_identity(&"openid offline_access".parse().unwrap());
        assert_eq!(requested.asked().len(), 2);
        assert_eq!(requested.first().scopes.to_string(), "a b");
        assert_eq!(
            requested.scopes().to_string(),
            "a b c email offline_access openid profile"
        );
        assert!(requested.check().is_ok());
    }

    #[test]
    fn nonsense_is_told_before_anything_is_sent() {
        for spoil in [
            |requested: &mut RequestedAccess| requested.scope("\""),
            |requested: &mut RequestedAccess| requested.request(TokenRequest::new("")),
        ] {
            let mut requested = RequestedAccess::new();
            spoil(&mut requested);
            assert_eq!(requested.check().unwrap_err().kind(), "request");
        }
    }

    #[test]
    fn going_on_asks_for_the_new_first_and_for_the_old_too() {
        let mut requested = RequestedAccess::new();
        requested.request(TokenRequest::new("one").scope("a"));
        let asked = Asked {
            audience: "two".into(),
            scopes: "c".parse().unwrap(),
        };
        requested.go_on(&asked, None);
        let asked = requested.asked().iter();
        let names: Vec<&str> = asked.map(|asked| asked.audience.as_str()).collect();
        assert_eq!(names, ["two", "one"]);
    }
}
