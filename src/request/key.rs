//! The part of a key that is not text: extra parameters.

use std::{fmt, sync::Arc};

/// Extra parameters of a token request, in the order of their names. Values are hidden in `Debug`.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Parameters(Option<Arc<Vec<(String, String)>>>);

impl Parameters {
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .flat_map(|list| list.iter())
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A name can stand more than once (RFC 8707 section 2); the same pair counts once.
    pub(crate) fn with(&self, name: String, value: String) -> Self {
        let mut list = self.0.as_deref().cloned().unwrap_or_default();
        list.push((name, value));
        list.sort_unstable();
        list.dedup();
        Self(Some(Arc::new(list)))
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}
