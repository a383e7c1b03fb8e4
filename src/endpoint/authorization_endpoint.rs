//! The issuer's pages for a person: to sign in, and to sign out.

use url::Url;

use super::{Endpoint, Member};
use crate::error::Error;

/// What is known of the issuer's authorization endpoint.
#[derive(Debug)]
pub(crate) struct AuthorizationEndpoint {
    pub(crate) url: Option<Url>,
    /// Whether its answers name the issuer (RFC 9207 section 3).
    pub(crate) names_issuer: bool,
    /// What it says that it signs ID tokens with.
    pub(crate) id_token_algorithms: Vec<String>,
    /// Why the client cannot authenticate there, if it cannot.
    unauthenticated: Option<Error>,
}

impl AuthorizationEndpoint {
    /// This endpoint, if the client will be able to authenticate at the token endpoint.
    pub(crate) fn authenticated(self) -> Result<Self, Error> {
        self.unauthenticated.clone().map_or(Ok(self), Err)
    }
}

impl Endpoint {
    /// Where a person goes to sign in.
    pub(crate) async fn authorization_endpoint(
        &self,
        in_background: bool,
    ) -> Result<AuthorizationEndpoint, Error> {
        let how = self.unforced(in_background);
        let metadata = self
            .discovery
            .metadata(&self.transport, how, Member::Authorization)
            .await
            .map_err(|error| error.of_issuer(self.issuer()))?;
        Ok(AuthorizationEndpoint {
            url: metadata.authorization_endpoint.clone(),
            names_issuer: metadata.authorization_response_iss_parameter_supported,
            id_token_algorithms: metadata.id_token_algorithms.clone(),
            unauthenticated: self.credentials.method(&metadata).err(),
        })
    }

    /// The page where a person ends their session at the issuer (OpenID Connect RP-Initiated Logout).
    pub(crate) async fn end_session(&self) -> Result<Url, Error> {
        let how = self.unforced(false);
        let metadata = self
            .discovery
            .metadata(&self.transport, how, Member::EndSession)
            .await
            .map_err(|error| error.of_issuer(self.issuer()))?;
        metadata.end_session_endpoint.clone().ok_or_else(|| {
            Error::request(
                "the issuer's metadata names no end_session_endpoint: sign_out ends the session here alone, and \
                 ClientBuilder::end_session_endpoint names the page where there is one",
            )
        })
    }
}
