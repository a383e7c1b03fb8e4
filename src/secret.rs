//! Text that must not be seen: hidden in `Debug`, wiped when dropped.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A client secret or another credential.
///
/// It has no `Display`, its `Debug` hides it, and its memory is wiped when it is dropped.
///
/// # Examples
///
/// ```
/// use intelliauth::Secret;
///
/// let secret = Secret::from("not-a-real-one");
/// assert_eq!(format!("{secret:?}"), "Secret(hidden)");
/// assert_eq!(secret.expose(), "not-a-real-one");
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Hides `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The text itself. Whatever it is passed to is responsible for it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value)
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// A secret as it is written where it has to be kept: in a session, or a sign-in under way.
pub(crate) mod written {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Secret;

    pub(crate) fn serialize<S: Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(secret.expose())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        String::deserialize(from).map(Secret::from)
    }

    pub(crate) mod list {
        use serde::ser::SerializeSeq;

        use super::{Deserialize, Deserializer, Secret, Serializer};

        pub(crate) fn serialize<S: Serializer>(
            secrets: &[Secret],
            to: S,
        ) -> Result<S::Ok, S::Error> {
            let mut list = to.serialize_seq(Some(secrets.len()))?;
            for secret in secrets {
                list.serialize_element(secret.expose())?;
            }
            list.end()
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Vec<Secret>, D::Error> {
            let texts = Vec::<String>::deserialize(from)?;
            Ok(texts.into_iter().map(Secret::from).collect())
        }
    }

    pub(crate) mod option {
        use super::{Deserialize, Deserializer, Secret, Serializer};

        #[expect(clippy::ref_option, reason = "serde passes the field as it is")]
        pub(crate) fn serialize<S: Serializer>(
            secret: &Option<Secret>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            match secret {
                Some(secret) => to.serialize_some(secret.expose()),
                None => to.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<Secret>, D::Error> {
            Option::<String>::deserialize(from).map(|text| text.map(Secret::from))
        }
    }
}

/// Whether two texts are equal, in a time that tells nothing but their lengths.
pub(crate) fn is_equal(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// The bytes behind a header value, wiped when its last clone is dropped.
///
/// The length is final: a `String` that grew would leave copies behind that are never wiped.
pub(crate) struct Wiped(Zeroizing<Box<str>>);

impl Wiped {
    pub(crate) fn new(value: String) -> Self {
        Self(Zeroizing::new(value.into_boxed_str()))
    }
}

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Wiped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wiped(hidden)")
    }
}
