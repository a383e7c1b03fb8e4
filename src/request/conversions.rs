//! What can stand in the place of a [`TokenRequest`], and when two are the same.

use super::{Details, Repr, Target, TokenRequest};
use crate::scope::Audience;

/// Two requests are equal if they say the same: audience, scopes, parameters, cache mode and time limit.
impl<'b> PartialEq<TokenRequest<'b>> for TokenRequest<'_> {
    fn eq(&self, other: &TokenRequest<'b>) -> bool {
        match (self.details(), other.details()) {
            (None, None) => self.audience() == other.audience(),
            (Some(one), Some(two)) => one == two,
            (Some(details), None) | (None, Some(details)) => {
                *details == Details::new(details.audience().clone())
                    && self.audience() == other.audience()
            }
        }
    }
}

impl Eq for TokenRequest<'_> {}

impl<'a> From<&'a str> for TokenRequest<'a> {
    fn from(audience: &'a str) -> Self {
        Self(Repr::Audience(audience))
    }
}

impl<'a> From<&'a String> for TokenRequest<'a> {
    fn from(audience: &'a String) -> Self {
        Self(Repr::Audience(audience))
    }
}

impl From<String> for TokenRequest<'_> {
    fn from(audience: String) -> Self {
        Self::new(audience)
    }
}

impl<'a> From<&'a Audience> for TokenRequest<'a> {
    fn from(audience: &'a Audience) -> Self {
        Self(Repr::Audience(audience.as_str()))
    }
}

impl From<Audience> for TokenRequest<'_> {
    fn from(audience: Audience) -> Self {
        Self(Repr::Owned(Box::new(Details::new(audience))))
    }
}

impl From<Target> for TokenRequest<'_> {
    fn from(target: Target) -> Self {
        Self::from(Details::from(target))
    }
}

impl From<Details> for TokenRequest<'_> {
    fn from(details: Details) -> Self {
        Self(Repr::Owned(Box::new(details)))
    }
}

impl<'a> From<&'a Details> for TokenRequest<'a> {
    fn from(details: &'a Details) -> Self {
        Self(Repr::Borrowed(details))
    }
}

impl<'a> From<&'a TokenRequest<'_>> for TokenRequest<'a> {
    fn from(request: &'a TokenRequest<'_>) -> Self {
        Self(match &request.0 {
            Repr::Audience(audience) => Repr::Audience(audience),
            Repr::Borrowed(details) => Repr::Borrowed(details),
            Repr::Owned(details) => Repr::Borrowed(details),
        })
    }
}
