//! Telling the issuer that a refresh token is needed no more (RFC 7009).

use http::Request;

use super::{Endpoint, Member, Transport, is_unknown_client, wire};
use crate::{
    error::{Asked, Error},
    scope::{Audience, Scopes},
    secret::Secret,
};

/// What became of a refresh token that was to be revoked.
///
/// The tokens are forgotten here in any case; what was not revoked lives on at the issuer, also
/// for a thief.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Revocation {
    /// The issuer has revoked it, or knew it no more.
    Revoked,
    /// There was none.
    NothingToRevoke,
    /// The issuer's metadata names no `revocation_endpoint`, in neither document.
    ///
    /// Where it has one all the same,
    /// [`ClientBuilder::revocation_endpoint`](crate::ClientBuilder::revocation_endpoint) names it.
    NotOffered,
    /// The issuer refused, or could not be asked.
    Failed(Error),
    /// The issuer has not answered within 5 s; the request goes on.
    UnderWay,
}

impl Revocation {
    /// Whether nothing that was to be revoked is known to live on.
    pub fn is_complete(&self) -> bool {
        matches!(self, Self::Revoked | Self::NothingToRevoke)
    }

    /// The worse of two.
    pub(crate) fn and(self, other: Self) -> Self {
        let rank = |one: &Self| match one {
            Self::NothingToRevoke => 0,
            Self::Revoked => 1,
            Self::UnderWay => 2,
            Self::NotOffered => 3,
            Self::Failed(_) => 4,
        };
        if rank(&other) > rank(&self) {
            other
        } else {
            self
        }
    }
}

async fn acknowledged(transport: &Transport, request: Request<Vec<u8>>) -> Result<(), Error> {
    let answer = transport.send(request, wire::TOKEN_LIMIT).await?;
    let about = Asked {
        audience: Audience::from(""),
        scopes: Scopes::none(),
    };
    wire::acknowledgement(&answer, &about)
}

impl Endpoint {
    /// Revokes a refresh token, where the issuer has an endpoint for that. Whatever comes of it, the token
    /// is forgotten here.
    pub(crate) async fn revoke(&self, refresh_token: &Secret) -> Revocation {
        let outcome = self.try_revoke(refresh_token).await;
        let revocation =
            outcome.unwrap_or_else(|error| Revocation::Failed(error.of_issuer(self.issuer())));
        tracing::debug!(?revocation, "a refresh token was to be revoked");
        revocation
    }

    async fn try_revoke(&self, refresh_token: &Secret) -> Result<Revocation, Error> {
        // This may be a runtime that ends with its connections.
        let transport = &self.transport;
        let metadata = self
            .discovery
            .metadata(transport, self.unforced(true), Member::Revocation)
            .await?;
        let Some(endpoint) = &metadata.revocation_endpoint else {
            return Ok(Revocation::NotOffered);
        };
        let method = self.credentials.method(&metadata)?;
        let secret = self.credentials.secret.current().await?;
        let form = [
            ("token", refresh_token.expose().into()),
            ("token_type_hint", "refresh_token".into()),
        ];
        let request = self
            .credentials
            .request(method, endpoint, &form, secret.as_deref());
        let mut outcome = acknowledged(transport, request).await;
        if outcome.as_ref().is_err_and(is_unknown_client)
            && let Some(newer) = self.credentials.secret.newer(secret.as_ref()).await
        {
            let request = self
                .credentials
                .request(method, endpoint, &form, Some(&newer));
            outcome = acknowledged(transport, request).await;
        }
        match outcome {
            // RFC 7009 section 2.2 has an invalid token be no error; some servers say one.
            Ok(()) | Err(Error::Login(_)) => Ok(Revocation::Revoked),
            Err(error) => Err(error),
        }
    }
}
