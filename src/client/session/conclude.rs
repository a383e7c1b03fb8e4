//! From the prompt to the session that is kept, also if its caller stops waiting.

use std::sync::Arc;

use super::Session;
use crate::{
    account::Account,
    error::Error,
    login::{Authorization, LoginGrant, SignIn},
    session::PromptTurn,
};

impl Session {
    /// The prompt itself, by the call that has the turn.
    pub(super) async fn prompt(
        &self,
        how: SignIn,
        turn: PromptTurn,
        same_person: bool,
    ) -> Result<Account, Error> {
        // A store that refuses is noticed first: the person is not asked for what could not be kept.
        let prompted = match self.sessions.account(&self.open).await {
            Ok(_) => self.ask(how).await,
            Err(error) => Err(error),
        };
        match prompted {
            Ok(granted) => self.conclude(granted, Some(turn), same_person).await,
            Err(error) => {
                let outcome = Err(error);
                turn.end(&outcome);
                outcome
            }
        }
    }

    /// Has the person do their part, for as long as the caller waits.
    async fn ask(&self, how: SignIn) -> Result<LoginGrant, Error> {
        let session = self.clone();
        let prompted = async move {
            let cache = &session.client.cache;
            how.run(cache.endpoint(), session.name(), cache.clock())
                .await
        };
        self.sessions.run(prompted).await
    }

    /// Where the person is sent, by the issuer's metadata.
    pub(super) async fn authorization(&self) -> Result<Authorization, Error> {
        let endpoint = Arc::clone(self.client.cache.endpoint());
        let reading = async move { endpoint.authorization().await };
        self.sessions.run(reading).await
    }

    /// Redeems and writes what the person's part has brought, also if the caller stops waiting: the
    /// code is spent, and what it yields must not be lost. Those who wait for the turn hear of it.
    pub(super) async fn conclude(
        &self,
        mut granted: LoginGrant,
        turn: Option<PromptTurn>,
        same_person: bool,
    ) -> Result<Account, Error> {
        let session = self.clone();
        let page = granted.take_page();
        let work = async move {
            let outcome = session.keep(granted, same_person).await;
            if let Some(page) = page {
                page.show(is_signed_in(&outcome)).await;
            }
            if let Some(turn) = turn {
                turn.end(&outcome);
            }
            outcome
        };
        self.sessions.outlive(work).await
    }

    async fn keep(&self, granted: LoginGrant, same_person: bool) -> Result<Account, Error> {
        let cache = &self.client.cache;
        let tokens = granted.obtain(cache.endpoint(), cache.clock()).await?;
        self.sessions.sign_in(&self.open, tokens, same_person).await
    }
}

/// Whether the person is signed in here, kept or not.
pub(super) fn is_signed_in(outcome: &Result<Account, Error>) -> bool {
    match outcome {
        Ok(_) => true,
        Err(Error::Store(error)) => error.account().is_some(),
        Err(_) => false,
    }
}
