//! [`Api`]: what is asked for an API, and what may be.

use crate::{request::TokenRequest, scope::Scopes};

/// An API as its callers see it: the token that goes to it, and the scopes that it may ask for besides.
///
/// Anything that is a [`TokenRequest`] can stand in its place, a `&str` above all.
///
/// # Examples
///
/// ```
/// use intelliauth::{Api, TokenRequest};
///
/// let settings = TokenRequest::new("https://api.cymmetri.com").scope("read:settings");
/// let api = Api::new(settings).allow_scopes("write:settings");
/// # let _ = api;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Api {
    request: TokenRequest<'static>,
    allowed: Scopes,
}

impl Api {
    /// An API that gets the token of this request, unless a call says otherwise.
    pub fn new<'a>(request: impl Into<TokenRequest<'a>>) -> Self {
        Self {
            request: TokenRequest::from(*request.into().into_details()),
            allowed: Scopes::none(),
        }
    }

    /// Names scopes, separated by spaces, that are asked for if the API says that they are missing.
    ///
    /// As [`Refusal::allow_scopes`](crate::Refusal::allow_scopes).
    pub fn allow_scopes(mut self, scopes: impl AsRef<str>) -> Self {
        self.allowed = self.allowed.union(&Scopes::from_reply(scopes.as_ref()));
        self
    }

    /// What a call needs: what it says itself, if that is for this API.
    #[cfg(any(feature = "reqwest-middleware", feature = "tower"))]
    pub(super) fn wanted<'a>(
        &'a self,
        own: Option<&'a TokenRequest<'static>>,
    ) -> Result<&'a TokenRequest<'static>, crate::error::Error> {
        let audience = self.request.audience();
        match own {
            Some(own) if own.audience() != audience => Err(crate::error::Error::request(format!(
                "the request names `{}`, and goes to `{audience}`",
                own.audience()
            ))),
            Some(own) => Ok(own),
            None => Ok(&self.request),
        }
    }

    /// What may be asked for if it is missing: what was listed, and what is asked for anyway. What a call names
    /// itself, its token was asked for.
    #[cfg(any(feature = "reqwest-middleware", feature = "tower"))]
    pub(super) fn may_be_asked_for(&self) -> Scopes {
        self.allowed.union(self.request.named_scopes())
    }

    #[cfg(feature = "reqwest")]
    pub(super) fn request(&self) -> &TokenRequest<'static> {
        &self.request
    }

    #[cfg(feature = "reqwest")]
    pub(super) fn allowed(&self) -> &Scopes {
        &self.allowed
    }
}

impl<'a, T: Into<TokenRequest<'a>>> From<T> for Api {
    fn from(request: T) -> Self {
        Self::new(request)
    }
}
