//! Signing out here, and on a page of the issuer.

use std::sync::Arc;

use url::Url;

use super::{Session, SignedOut};
use crate::{
    error::Error,
    login::{EndSession, Leaving, PendingLogout},
    secret::Secret,
};

/// Signing out at the issuer too.
impl Session {
    /// Signs the person out here, and says where to send them so that their session at the issuer ends too
    /// (OpenID Connect RP-Initiated Logout 1.0).
    ///
    /// For a web back end: keep the [`PendingLogout`] with the browser, and pass the URL that the person
    /// comes back to to [`PendingLogout::accept`]. The URL names the person, by their ID token.
    ///
    /// # Errors
    ///
    /// As [`sign_out`](Self::sign_out). [`Error::Request`] if the issuer's metadata names no such page, and
    /// the error that kept it from being read: then no person was signed out.
    pub async fn begin_sign_out(
        &self,
        how: EndSession,
    ) -> Result<(Url, PendingLogout, SignedOut), Error> {
        let (endpoint, id_token) = self.leaving().await?;
        let leaving = Leaving {
            endpoint,
            client_id: self.client.cache.endpoint().client_id(),
            id_token,
        };
        let (url, pending) = how.away(&leaving)?;
        let signed_out = self.sign_out().await?;
        Ok((url, pending, signed_out))
    }

    /// Signs the person out here, and at the issuer in their browser: opens its page, and waits until they come
    /// back to a port of this machine ([`EndSession::loopback`]).
    ///
    /// With another [`EndSession`] it does not wait.
    ///
    /// # Errors
    ///
    /// As [`begin_sign_out`](Self::begin_sign_out). [`Error::Request`] also if the person does not come back in time,
    /// and [`Error::Protocol`] if something else does: the session here has ended then.
    pub async fn sign_out_in_browser(&self, how: EndSession) -> Result<SignedOut, Error> {
        let (endpoint, id_token) = self.leaving().await?;
        let client_id = self.client.cache.endpoint().client_id().to_owned();
        let listening = async move {
            let leaving = Leaving {
                endpoint,
                client_id: &client_id,
                id_token,
            };
            how.listening(&leaving).await
        };
        let coming_back = self.sessions.run(listening).await?;
        let signed_out = self.sign_out().await?;
        self.sessions.run(coming_back.wait()).await?;
        Ok(signed_out)
    }

    /// The issuer's page, and what says whose session it is.
    async fn leaving(&self) -> Result<(Url, Option<Secret>), Error> {
        let endpoint = Arc::clone(self.client.cache.endpoint());
        let found = self
            .sessions
            .run(async move { endpoint.end_session().await })
            .await?;
        let signed_in = self.sessions.signed_in(&self.open).await?;
        Ok((found, signed_in.and_then(|signed_in| signed_in.id_token)))
    }
}
