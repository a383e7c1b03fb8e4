//! Endpoints that are given by hand.

use url::Url;

use super::ClientBuilder;
use crate::{
    client::BuildError,
    endpoint::{GivenEndpoints, Issuer, is_allowed_endpoint, without_credentials},
};

/// What the metadata names otherwise, or does not name at all: each is used as it is, and the rest is
/// discovered as ever.
impl<Built> ClientBuilder<Built> {
    /// The token endpoint's URL, used as it is: then nothing is discovered for a token.
    ///
    /// What a person's sign-in needs beyond it is.
    pub fn token_endpoint(self, url: impl Into<String>) -> Self {
        self.endpoint("token_endpoint", url.into())
    }

    /// The page where people sign in, for an issuer whose metadata does not name it.
    pub fn authorization_endpoint(self, url: impl Into<String>) -> Self {
        self.endpoint("authorization_endpoint", url.into())
    }

    /// Where device codes come from (RFC 8628), for an issuer whose metadata does not name it.
    pub fn device_authorization_endpoint(self, url: impl Into<String>) -> Self {
        self.endpoint("device_authorization_endpoint", url.into())
    }

    /// Where refresh tokens are revoked (RFC 7009), for an issuer whose metadata does not name it.
    pub fn revocation_endpoint(self, url: impl Into<String>) -> Self {
        self.endpoint("revocation_endpoint", url.into())
    }

    /// Where names and addresses of people are asked for, for an issuer whose metadata does not name it.
    pub fn userinfo_endpoint(self, url: impl Into<String>) -> Self {
        self.endpoint("userinfo_endpoint", url.into())
    }

    /// The page where people end their session at the issuer, for one whose metadata does not name it.
    pub fn end_session_endpoint(self, url: impl Into<String>) -> Self {
        self.endpoint("end_session_endpoint", url.into())
    }

    /// Where the issuer's public keys are, for one whose metadata does not name them.
    pub fn jwks_uri(self, url: impl Into<String>) -> Self {
        self.endpoint("jwks_uri", url.into())
    }

    fn endpoint(mut self, name: &'static str, url: String) -> Self {
        // The last one counts, as with every setting.
        self.endpoints.retain(|(known, _)| *known != name);
        self.endpoints.push((name, url));
        self
    }

    pub(super) fn given_endpoints(
        &self,
        issuer: &Issuer,
    ) -> Result<Option<GivenEndpoints>, BuildError> {
        let mut given = GivenEndpoints::default();
        for (name, text) in &self.endpoints {
            given.give(name, allowed(name, text, issuer)?);
        }
        Ok((!self.endpoints.is_empty()).then_some(given))
    }
}

fn allowed(field: &'static str, text: &str, issuer: &Issuer) -> Result<Url, BuildError> {
    let shown = without_credentials(text);
    let url = Url::parse(text).map_err(|error| {
        let problem = format!("{shown:?} is not a valid URL ({error})");
        BuildError::new(field, problem, "write the whole URL")
    })?;
    if !is_allowed_endpoint(issuer, &url) {
        let fix = "use https; plain http is for an issuer and an endpoint on this machine";
        let problem = format!("{shown:?} is not encrypted");
        return Err(BuildError::new(field, problem, fix));
    }
    Ok(url)
}
