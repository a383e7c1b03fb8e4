//! What a client, a session and a handle are to code that takes any source of tokens.

use super::{AudienceHandle, Client, Session};
use crate::{
    error::Error,
    refusal::Refusal,
    request::TokenRequest,
    source::{AfterRefusal, TokenSource, after_refusal},
    token::AccessToken,
};

impl TokenSource for Client {
    async fn get(&self, request: TokenRequest<'_>) -> Result<AccessToken, Error> {
        self.get_access_token(request).await
    }

    async fn reject(&self, rejected: &AccessToken) -> Result<(), Error> {
        self.cache.reject(&self.principal, rejected.token())
    }

    async fn after_refusal(
        &self,
        token: &AccessToken,
        refusal: &Refusal,
    ) -> Result<AfterRefusal, Error> {
        match after_refusal(self, token, refusal).await {
            Err(error) => Err(self.cache.resumable(&self.principal, error).await),
            outcome => outcome,
        }
    }
}

/// The tokens of the session's person.
impl TokenSource for Session {
    async fn get(&self, request: TokenRequest<'_>) -> Result<AccessToken, Error> {
        self.client().get_access_token(request).await
    }

    async fn reject(&self, rejected: &AccessToken) -> Result<(), Error> {
        TokenSource::reject(self.client(), rejected).await
    }

    async fn after_refusal(
        &self,
        token: &AccessToken,
        refusal: &Refusal,
    ) -> Result<AfterRefusal, Error> {
        self.client().after_refusal(token, refusal).await
    }
}

/// For the handle's own audience alone; any other is [`Error::Request`].
///
/// The request decides: what the handle was made for is answered without a look-up, and other scopes of
/// the same audience as the client answers them.
impl TokenSource for AudienceHandle {
    async fn get(&self, request: TokenRequest<'_>) -> Result<AccessToken, Error> {
        self.check(request.audience())?;
        if self.is_made_for(&request) {
            return self.get_access_token().await;
        }
        self.client().get_access_token(request).await
    }

    async fn reject(&self, rejected: &AccessToken) -> Result<(), Error> {
        self.check(rejected.audience().as_str())?;
        TokenSource::reject(self.client(), rejected).await
    }

    async fn after_refusal(
        &self,
        token: &AccessToken,
        refusal: &Refusal,
    ) -> Result<AfterRefusal, Error> {
        self.check(token.audience().as_str())?;
        self.client().after_refusal(token, refusal).await
    }
}

impl AudienceHandle {
    fn check(&self, audience: &str) -> Result<(), Error> {
        if self.audience().as_str() == audience {
            return Ok(());
        }
        Err(Error::request(format!(
            "this handle is for `{}` alone: ask the client, or a handle of its own, about `{audience}`",
            self.audience()
        )))
    }
}
