//! Telling the issuer that a refresh token is needed no more (RFC 7009).

use super::{Endpoint, wire};
use crate::{error::Error, secret::Secret};

impl Endpoint {
    /// Revokes a refresh token, where the issuer has an endpoint for that.
    ///
    /// RFC 7009 section 2.2: an invalid token is no error, and whatever else goes wrong ends nothing
    /// here: the token is forgotten in any case.
    pub(crate) async fn revoke(&self, refresh_token: &Secret) {
        match self.try_revoke(refresh_token).await {
            Ok(status) => tracing::debug!(?status, "the revocation endpoint has answered"),
            Err(error) => tracing::debug!(%error, "the refresh token could not be revoked"),
        }
    }

    /// The status of the answer; nothing where the issuer has no such endpoint.
    async fn try_revoke(&self, refresh_token: &Secret) -> Result<Option<u16>, Error> {
        // This may be a runtime that ends with its connections.
        let transport = self.transport(true);
        let metadata = self
            .discovery
            .metadata(transport, self.unforced(true))
            .await?;
        let Some(endpoint) = &metadata.revocation_endpoint else {
            return Ok(None);
        };
        let method = self.credentials.method(&metadata)?;
        let form = [
            ("token", refresh_token.expose().into()),
            ("token_type_hint", "refresh_token".into()),
        ];
        let request = self.credentials.request(method, endpoint, &form);
        let answer = transport.send(request, wire::TOKEN_LIMIT).await?;
        Ok(Some(answer.status.as_u16()))
    }
}
