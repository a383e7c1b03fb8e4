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
}

impl Route {
    pub(super) fn open(path: String) -> Self {
        Self {
            method: None,
            path,
            requirement: None,
        }
    }

    /// The method; nothing for open routes, whose handlers say it themselves.
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
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.method {
            Some(method) => write!(f, "{method} {}: ", self.path)?,
            None => write!(f, "{}: ", self.path)?,
        }
        match &self.requirement {
            Some(requirement) => requirement.fmt(f),
            None => f.write_str("open"),
        }
    }
}
