//! An authorization response, read with care.

use url::Url;

use super::violation;
use crate::{error::Error, secret::Secret};

/// An authorization response (RFC 6749 sections 4.1.2 and 4.1.2.1).
pub(super) struct AuthorizationResponse {
    pub(super) state: Option<String>,
    pub(super) code: Option<Secret>,
    pub(super) error: Option<String>,
    pub(super) description: Option<String>,
    pub(super) issuer: Option<String>,
}

impl AuthorizationResponse {
    /// Reads a whole URL, or what of it a server sees: its path and query.
    pub(super) fn read(callback: &str, redirect_uri: &str) -> Result<Self, Error> {
        let expected = Url::parse(redirect_uri)
            .map_err(|_unshown| violation("its redirect URI cannot be read"))?;
        let url = expected
            .join(callback.trim())
            .map_err(|_unshown| Error::request("the answer is not a valid URL: pass all of it"))?;
        if url.path() != expected.path() {
            return Err(Error::request(
                "the answer came to another path than the redirect URI's",
            ));
        }
        // A fragment belongs to response types that were not asked for.
        if url.fragment().is_some() {
            return Err(violation("it has a fragment"));
        }
        let mut response = Self {
            state: None,
            code: None,
            error: None,
            description: None,
            issuer: None,
        };
        for (name, value) in url.query_pairs() {
            let value = value.into_owned();
            let is_repeated = match &*name {
                "state" => response.state.replace(value).is_some(),
                "code" => response.code.replace(Secret::from(value)).is_some(),
                "error" => response.error.replace(value).is_some(),
                "error_description" => response.description.replace(value).is_some(),
                "iss" => response.issuer.replace(value).is_some(),
                _ => false,
            };
            // RFC 6749 section 3.1: no parameter more than once.
            if is_repeated {
                return Err(violation("a parameter of it stands there twice"));
            }
        }
        Ok(response)
    }
}
