//! The application acts for itself (RFC 6749 section 4.4).

use super::{Flow, FlowContext};
use crate::{endpoint::GrantKind, error::Error, token::TokenResponse};

/// The client credentials grant: the application acts for itself, and no person is needed.
///
/// The platform never answers it with a refresh token: near its end a token is simply asked for
/// again. Its `sub` is the client id.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ClientCredentials;

impl ClientCredentials {
    /// The flow, which needs no settings.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Flow for ClientCredentials {
    async fn acquire(&self, cx: FlowContext<'_>) -> Result<TokenResponse, Error> {
        if let Some(partition) = cx.partition() {
            return Err(Error::request(format!(
                "client credentials are the application's own: partition {partition:?} has no part in them"
            )));
        }
        cx.endpoint
            .token(&cx.grant(GrantKind::ClientCredentials))
            .await
            .map(TokenResponse::from)
    }
}
