//! [`Requirement`]: what a route wants of a token.

use std::fmt;

use super::claims::{AssuranceLevel, Claims};
use crate::scope::{Scope, ScopeError, Scopes};

/// What a token must allow, and how sure its issuer must be of the person.
///
/// There is no empty one. Scopes are compared exactly, as words.
///
/// # Examples
///
/// ```
/// use intelliauth::resource_server::{AssuranceLevel, require_all, require_level, require_scope};
///
/// let read = require_scope("read:transactions")?;
/// let admin = require_all(["manage:applications", "write:settings"])?;
/// let transfer = require_scope("write:transactions")?.and(require_level(AssuranceLevel::Aal2));
/// assert_eq!(transfer.to_string(), "write:transactions, AAL2");
///
/// assert!(require_all(Vec::<String>::new()).is_err());
/// # let _ = (read, admin);
/// # Ok::<(), intelliauth::resource_server::RequirementError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Requirement {
    all: Scopes,
    /// Of each of these at least one.
    any: Vec<Scopes>,
    level: Option<AssuranceLevel>,
}

/// The token must have this scope.
///
/// # Errors
///
/// [`RequirementError`] if it is no scope (RFC 6749 section 3.3).
pub fn require_scope(scope: impl Into<String>) -> Result<Requirement, RequirementError> {
    require_all([scope])
}

/// The token must have all of these scopes.
///
/// # Errors
///
/// [`RequirementError`] if there are none, or one is no scope.
pub fn require_all<I>(scopes: I) -> Result<Requirement, RequirementError>
where
    I: IntoIterator,
    I::Item: Into<String>,
{
    Ok(Requirement {
        all: some(scopes)?,
        ..require_token()
    })
}

/// The token must have at least one of these scopes.
///
/// # Errors
///
/// [`RequirementError`] if there are none, or one is no scope.
pub fn require_any<I>(scopes: I) -> Result<Requirement, RequirementError>
where
    I: IntoIterator,
    I::Item: Into<String>,
{
    Ok(Requirement {
        any: vec![some(scopes)?],
        ..require_token()
    })
}

/// The person must have signed in at least this strongly; else they are asked to (RFC 9470).
pub fn require_level(level: AssuranceLevel) -> Requirement {
    Requirement {
        level: Some(level),
        ..require_token()
    }
}

/// Any token for this API will do, whatever it allows.
///
/// For what every caller may see of itself. It is a decision, so it has to be written down.
pub fn require_token() -> Requirement {
    Requirement {
        all: Scopes::none(),
        any: Vec::new(),
        level: None,
    }
}

fn some<I>(scopes: I) -> Result<Scopes, RequirementError>
where
    I: IntoIterator,
    I::Item: Into<String>,
{
    let scopes: Result<Scopes, ScopeError> = scopes.into_iter().map(Scope::new).collect();
    let scopes = scopes.map_err(RequirementError::Scope)?;
    if scopes.is_empty() {
        return Err(RequirementError::Empty);
    }
    Ok(scopes)
}

impl Requirement {
    /// This one and `other` as well.
    pub fn and(mut self, other: Self) -> Self {
        self.all = self.all.union(&other.all);
        self.any.extend(other.any);
        self.level = self.level.max(other.level);
        self
    }

    /// All the scopes that it names.
    pub fn scopes(&self) -> Scopes {
        let named = |all: Scopes, any: &Scopes| all.union(any);
        self.any.iter().fold(self.all.clone(), named)
    }

    /// The assurance level that it names.
    pub fn level(&self) -> Option<AssuranceLevel> {
        self.level
    }

    /// Whether the token of these claims meets it.
    ///
    /// # Errors
    ///
    /// [`Shortfall`] says what is missing: scopes first, since a stronger sign-in would not bring them.
    pub fn check(&self, claims: &Claims) -> Result<(), Shortfall> {
        let held = claims.scopes();
        let is_met = |any: &&Scopes| any.iter().any(|scope| held.contains(scope.as_str()));
        let has_scopes = held.is_superset(&self.all) && self.any.iter().all(|any| is_met(&any));
        if !has_scopes {
            let unmet = self.any.iter().filter(|any| !is_met(any));
            let missing = unmet.fold(self.all.difference(held), |all, any| all.union(any));
            return Err(Shortfall::Scopes {
                required: self.scopes(),
                missing,
            });
        }
        match self.level {
            Some(level) if claims.assurance_level() < Some(level) => Err(Shortfall::Level(level)),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |scopes: &Scopes, word: &str| {
            let names: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
            names.join(word)
        };
        let mut parts = Vec::new();
        if !self.all.is_empty() {
            parts.push(join(&self.all, " and "));
        }
        parts.extend(self.any.iter().map(|any| join(any, " or ")));
        parts.extend(self.level.map(|level| level.to_string()));
        if parts.is_empty() {
            return f.write_str("any token");
        }
        f.write_str(&parts.join(", "))
    }
}

/// What a token lacks for a route.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shortfall {
    /// Scopes: a token that was asked for with them might have them.
    #[non_exhaustive]
    Scopes {
        /// All that the route names.
        required: Scopes,
        /// Those of them that the token lacks.
        missing: Scopes,
    },
    /// A sign-in of this level.
    Level(AssuranceLevel),
}

/// Why there is no such requirement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequirementError {
    /// It would let everything through.
    #[error("a requirement needs at least one scope")]
    Empty,
    /// No token can have what is no scope.
    #[error("a requirement names what is no scope")]
    Scope(#[source] ScopeError),
}
