//! The name of a session, as the key of a map.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use papaya::Equivalent;

/// The name of a session, as the key of a map.
///
/// A short one stands in the map's own entry: the look-up of one among a million then has one place in memory
/// less to wait for.
#[derive(Clone)]
pub(super) enum SessionName {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Arc<str>),
}

/// What finds it.
pub(super) struct Named<'a>(pub(super) &'a str);

/// A UUID has 36 characters; with length and mark it is 40 bytes.
const SHORT: usize = 38;

impl SessionName {
    pub(super) fn new(name: &Arc<str>) -> Self {
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..name.len()), u8::try_from(name.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(name.as_bytes());
                Self::Short { length, bytes }
            }
            _ => Self::Long(Arc::clone(name)),
        }
    }

    #[inline]
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or(bytes),
            Self::Long(name) => name.as_bytes(),
        }
    }
}

impl PartialEq for SessionName {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for SessionName {}

impl Hash for SessionName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.as_bytes());
    }
}

impl Hash for Named<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.0.as_bytes());
    }
}

impl Equivalent<SessionName> for Named<'_> {
    #[inline]
    fn equivalent(&self, name: &SessionName) -> bool {
        self.0.as_bytes() == name.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use foldhash::fast::RandomState;

    use super::*;

    #[test]
    fn a_name_of_any_length_is_found_by_its_text_alone() {
        let hasher = RandomState::default();
        let texts: Vec<String> = (0..100).map(|length| "n".repeat(length)).collect();
        for text in &texts {
            let name = SessionName::new(&text.as_str().into());
            assert_eq!(hasher.hash_one(&name), hasher.hash_one(Named(text)));
            assert!(name == name.clone());
            for other in &texts {
                assert_eq!(Named(other).equivalent(&name), other == text);
            }
        }
        let with_zero = SessionName::new(&"n\0".into());
        assert!(!Named("n").equivalent(&with_zero));
    }
}
