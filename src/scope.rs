//! What a token is for ([`Audience`]) and what it may do ([`Scopes`]).

use std::{fmt, str::FromStr, sync::Arc};

/// The API that a token is for, as the issuer knows it.
///
/// Opaque and case-sensitive: compared exactly, never normalised, and it need not be an address
/// (`api.banking.cymmetri.com` and `https://api.cymmetri.com` are both in use on the platform).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Audience(Arc<str>);

impl Audience {
    /// The audience called `name`.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name as it goes over the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Audience {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for Audience {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

impl AsRef<str> for Audience {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// One thing that a token allows, for example `read:transactions`.
///
/// The text is opaque and case-sensitive. Its characters are those of RFC 6749 section 3.3:
/// printable ASCII without space, `"` and `\`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(Box<str>);

impl Scope {
    /// Takes `name` as a scope.
    ///
    /// # Errors
    ///
    /// [`ScopeError`] when `name` is empty or has a character that RFC 6749 does not allow.
    pub fn new(name: impl Into<String>) -> Result<Self, ScopeError> {
        let name = name.into();
        // RFC 6749 section 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
        let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
        if !name.is_empty() && name.bytes().all(allowed) {
            return Ok(Self(name.into()));
        }
        match name
            .char_indices()
            .find(|(_, c)| !u8::try_from(*c).is_ok_and(allowed))
        {
            Some((position, character)) => Err(ScopeError::Character {
                character,
                position,
            }),
            None if name.is_empty() => Err(ScopeError::Empty),
            None => Ok(Self(name.into())),
        }
    }

    /// The name as it goes over the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(name: &str) -> Result<Self, ScopeError> {
        Self::new(name)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// Why a text is not a scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// There is nothing in it.
    #[error("a scope cannot be empty")]
    Empty,
    /// A character that RFC 6749 section 3.3 leaves out.
    #[error("a scope cannot contain {character:?} (at byte {position})")]
    #[non_exhaustive]
    Character {
        /// The character.
        character: char,
        /// Where it stands, in bytes.
        position: usize,
    },
}

/// A set of scopes: no order, no duplicates.
///
/// Cloning is cheap and an empty set holds no memory.
///
/// # Examples
///
/// ```
/// use intelliauth::Scopes;
///
/// let asked: Scopes = "read:transactions read:accounts read:transactions".parse()?;
/// assert_eq!(asked.len(), 2);
/// assert_eq!(asked.to_string(), "read:accounts read:transactions");
/// assert!(asked.contains("read:accounts"));
/// assert!(!asked.contains("read"), "membership is by scope, not by text");
/// # Ok::<(), intelliauth::ScopeError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Scopes(Option<Arc<Box<[Scope]>>>);

impl Scopes {
    /// The empty set.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Reads a space-separated reply and leaves out what could never be asked for.
    pub(crate) fn from_reply(text: &str) -> Self {
        text.split_ascii_whitespace()
            .filter_map(|name| Scope::new(name).ok())
            .collect()
    }

    /// Whether there is no scope in it.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// How many scopes there are.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether `name` is one of them, exactly.
    pub fn contains(&self, name: &str) -> bool {
        self.as_slice()
            .binary_search_by(|scope| scope.as_str().cmp(name))
            .is_ok()
    }

    /// Whether every scope of `other` is in this set.
    pub fn is_superset(&self, other: &Self) -> bool {
        other.iter().all(|scope| self.contains(scope.as_str()))
    }

    /// The scopes that are in this set and not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.iter()
            .filter(|scope| !other.contains(scope.as_str()))
            .cloned()
            .collect()
    }

    /// The scopes of both sets.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.iter().chain(other.iter()).cloned().collect()
    }

    /// The scopes in the order of their text.
    pub fn iter(&self) -> std::slice::Iter<'_, Scope> {
        self.as_slice().iter()
    }

    fn as_slice(&self) -> &[Scope] {
        self.0.as_deref().map_or(&[], |scopes| scopes)
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut scopes: Vec<Scope> = scopes.into_iter().collect();
        scopes.sort_unstable();
        scopes.dedup();
        Self((!scopes.is_empty()).then(|| Arc::new(scopes.into_boxed_slice())))
    }
}

impl<'a> IntoIterator for &'a Scopes {
    type Item = &'a Scope;
    type IntoIter = std::slice::Iter<'a, Scope>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromStr for Scopes {
    type Err = ScopeError;

    /// Reads scopes separated by spaces, as they go over the wire.
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        text.split_ascii_whitespace().map(Scope::new).collect()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scope) in self.iter().enumerate() {
            let space = if i == 0 { "" } else { " " };
            write!(f, "{space}{scope}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_keeps_to_the_grammar() {
        for good in ["read:transactions", "!", "~", "https://api/x", "Read"] {
            assert_eq!(Scope::new(good).unwrap().as_str(), good);
        }
        assert_eq!(Scope::new(""), Err(ScopeError::Empty));
        for (bad, position) in [("a b", 1), ("a\"", 1), ("\\", 0), ("ä", 0), ("a\n", 1)] {
            let error = Scope::new(bad).unwrap_err();
            assert!(matches!(error, ScopeError::Character { position: p, .. } if p == position));
        }
    }

    #[test]
    fn supersets_are_by_scope_and_not_by_text() {
        let scopes = |text: &str| text.parse::<Scopes>().unwrap();
        assert!(scopes("read write").is_superset(&scopes("write")));
        assert!(!scopes("read:all write").is_superset(&scopes("read")));
        assert!(!scopes("read read").is_superset(&scopes("read write")));
        assert!(scopes("read").is_superset(&Scopes::none()));
    }

    #[test]
    fn order_and_repetition_do_not_matter() {
        assert_eq!(
            "b a b".parse::<Scopes>().unwrap(),
            "a b".parse::<Scopes>().unwrap()
        );
        assert_eq!("  ".parse::<Scopes>().unwrap(), Scopes::none());
    }

    #[test]
    fn a_reply_with_odd_members_is_read_as_far_as_it_can_be_asked_for() {
        assert_eq!(
            Scopes::from_reply(" read  \"x\" write").to_string(),
            "read write"
        );
    }
}
