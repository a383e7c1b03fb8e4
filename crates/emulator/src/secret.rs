//! A value that must never be printed.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;

/// A client secret, password or admin token: hidden in `Debug`, compared in constant time.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    pub(crate) fn matches(&self, candidate: &str) -> bool {
        verify_slices_are_equal(self.0.as_bytes(), candidate.as_bytes()).is_ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value itself, for the few places that must hand it over or search for it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_value() {
        assert_eq!(format!("{:?}", Secret::new("sample-value")), "[hidden]");
    }

    #[test]
    fn only_the_exact_value_matches() {
        let secret = Secret::new("sample-value");
        assert!(secret.matches("sample-value"));
        assert!(!secret.matches("sample-valu"));
        assert!(!secret.matches(""));
    }
}
