//! [`Route`]: what a review reads.

use std::fmt;

use http::Method;

use crate::resource_server::requirement::Requirement;

/// A route of a [`ProtectedRouter`](super::ProtectedRouter) and what it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub(super) method: Option<Method>,
    pub(super) path: String,
    pub(super) requirement: Option<Requirement>,
    /// Whether it is what answers where no route does.
    pub(super) is_fallback: bool,
    pub(super) takes_claims: bool,
    /// Whether it is where an API describes itself.
    pub(super) is_metadata: bool,
}

impl Route {
    pub(super) fn open(path: String) -> Self {
        Self {
            method: None,
            path,
            requirement: None,
            is_fallback: false,
            takes_claims: false,
            is_metadata: false,
        }
    }

    pub(super) fn metadata(path: String) -> Self {
        Self {
            method: Some(Method::GET),
            is_metadata: true,
            ..Self::open(path)
        }
    }

    pub(super) fn fallback(path: String) -> Self {
        Self {
            is_fallback: true,
            ..Self::open(path)
        }
    }

    /// The method; nothing for open routes, whose handlers say it themselves, but `GET` where the API describes
    /// itself.
    pub fn method(&self) -> Option<&Method> {
        self.method.as_ref()
    }

    /// The path, as axum writes it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What a token must meet; nothing for open routes.
    pub fn requirement(&self) -> Option<&Requirement> {
        self.requirement.as_ref()
    }

    /// Whether it needs no token.
    pub fn is_open(&self) -> bool {
        self.requirement.is_none()
    }

    /// Whether a token that comes is looked at, and refused if it is not accepted.
    pub fn takes_claims(&self) -> bool {
        self.takes_claims
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.method {
            Some(method) => write!(f, "{method} {}: ", self.path)?,
            None => write!(f, "{}: ", self.path)?,
        }
        match &self.requirement {
            Some(requirement) => requirement.fmt(f),
            None if self.takes_claims => f.write_str("open, with claims where a token comes"),
            None => f.write_str("open"),
        }
    }
}
