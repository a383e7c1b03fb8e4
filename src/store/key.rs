//! Whose session it is, and a name for it that says nothing.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::scope::Audience;

/// Whose session it is: the issuer, the application, and the person's name within the application.
///
/// Two keys are equal if all three parts are, byte by byte.
///
/// # Examples
///
/// ```
/// use intelliauth::SessionKey;
///
/// let alice = SessionKey::new("https://banking-cymmetri.intelliauth.local", "app_01HZX0DESKTOP", "alice");
/// assert_eq!(alice.session(), "alice");
/// assert_eq!(alice.digest().len(), 64);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey {
    issuer: String,
    client_id: String,
    session: String,
}

impl SessionKey {
    /// The key of the session with this name.
    pub fn new(
        issuer: impl Into<String>,
        client_id: impl Into<String>,
        session: impl Into<String>,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            client_id: client_id.into(),
            session: session.into(),
        }
    }

    /// The issuer that the session is with.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The application that the person signed in to.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The name that the application gave the session.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// A name for files and rows: 64 hexadecimal digits, the same in every process and release.
    ///
    /// It is the SHA-256 of the three parts, each behind its length in bytes (8 of them, the highest
    /// first), so that no two keys are read as the same text. It needs no escaping anywhere and
    /// shows no name; who guesses all three parts can compute it.
    pub fn digest(&self) -> String {
        digest(&[&self.issuer, &self.client_id, &self.session])
    }
}

/// Which refresh token it is: the session, and the API where the issuer gives one token for each.
///
/// It is what a [lock](super::SessionStore::lock) is for: families rotate each by itself, and do not
/// wait for each other.
///
/// # Examples
///
/// ```
/// use intelliauth::{Audience, FamilyKey, SessionKey};
///
/// let alice = SessionKey::new("https://banking-cymmetri.intelliauth.local", "app_01HZX0DESKTOP", "alice");
/// let all = FamilyKey::new(alice.clone(), None);
/// assert_eq!(all.digest(), alice.digest());
///
/// let banking = FamilyKey::new(alice, Some(Audience::from("api.banking.cymmetri.com")));
/// assert_ne!(banking.digest(), all.digest());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FamilyKey {
    session: SessionKey,
    audience: Option<Audience>,
}

impl FamilyKey {
    /// The family of this session that serves `audience`; without one, the family that serves all.
    pub fn new(session: SessionKey, audience: Option<Audience>) -> Self {
        Self { session, audience }
    }

    /// The session that it is a part of.
    pub fn session(&self) -> &SessionKey {
        &self.session
    }

    /// The API that it serves; nothing if it serves all.
    pub fn audience(&self) -> Option<&Audience> {
        self.audience.as_ref()
    }

    /// A name for locks: 64 hexadecimal digits, the same in every process and release.
    ///
    /// Of a family that serves all APIs it is the [session's](SessionKey::digest). Else it is the
    /// SHA-256 of the session's three parts and the audience, written as there.
    pub fn digest(&self) -> String {
        let SessionKey {
            issuer,
            client_id,
            session,
        } = &self.session;
        match &self.audience {
            None => self.session.digest(),
            Some(audience) => digest(&[issuer, client_id, session, audience.as_str()]),
        }
    }
}

/// The SHA-256 of these texts, each behind its length in 8 bytes.
fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut digits = String::with_capacity(64);
    for byte in hash.finalize() {
        // Writing to a string never fails.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_every_release() {
        // printf '\0\0\0\0\0\0\0\1a\0\0\0\0\0\0\0\2bc\0\0\0\0\0\0\0\0' | sha256sum
        let expected = "74f2dff90c16bd75e74ea8ab93e0f683754b4ae5a7e2b6c960734cf5c656341a";
        assert_eq!(SessionKey::new("a", "bc", "").digest(), expected);
    }

    #[test]
    fn families_have_names_of_their_own() {
        let session = || SessionKey::new("a", "b", "c");
        let family = |audience: &str| FamilyKey::new(session(), Some(Audience::from(audience)));
        let names = [
            session().digest(),
            family("").digest(),
            family("d").digest(),
            family("D").digest(),
            SessionKey::new("a", "b", "cd").digest(),
        ];
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len());
        assert_eq!(FamilyKey::new(session(), None).digest(), names[0]);
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let names = [
            SessionKey::new("ab", "c", "d").digest(),
            SessionKey::new("a", "bc", "d").digest(),
            SessionKey::new("a", "b", "cd").digest(),
            SessionKey::new("abcd", "", "").digest(),
            SessionKey::new("", "abcd", "").digest(),
        ];
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len());
    }
}
