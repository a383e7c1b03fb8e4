//! Telling the issuer that a refresh token is needed no more (RFC 7009).

use super::{Endpoint, Reading, retry::RetryPolicy, wire};
use crate::secret::Secret;

impl Endpoint {
    /// Revokes a refresh token, where the issuer has an endpoint for that.
    ///
    /// RFC 7009 section 2.2: an invalid token is no error, and whatever else goes wrong ends nothing
    /// here: the token is forgotten in any case.
    pub(crate) async fn revoke(&self, refresh_token: &Secret) {
        let outcome = self.try_revoke(refresh_token).await;
        tracing::debug!(?outcome, "refresh token revoked");
    }

    async fn try_revoke(&self, refresh_token: &Secret) -> Result<u16, crate::error::Error> {
        let how = Reading {
            policy: RetryPolicy::NEVER,
            is_forced: false,
        };
        let metadata = self.discovery.metadata(&self.transport, how).await?;
        let Some(endpoint) = &metadata.revocation_endpoint else {
            return Ok(0);
        };
        let method = self.credentials.method(&metadata)?;
        let form = [
            ("token", refresh_token.expose().into()),
            ("token_type_hint", "refresh_token".into()),
        ];
        let request = self.credentials.request(method, endpoint, &form);
        let answer = self.transport.send(request, wire::TOKEN_LIMIT).await?;
        Ok(answer.status.as_u16())
    }
}
