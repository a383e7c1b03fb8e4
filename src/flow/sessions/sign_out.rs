//! Signing out: the tombstone, also where the store does not take it, and what is revoked later.

use std::{sync::Arc, time::Duration};

use super::{Looked, OpenSession, Sessions};
use crate::{
    endpoint::Endpoint,
    error::Error,
    store::{Session, SignedIn},
};

impl Sessions {
    /// Whether nobody has ever signed in, as far as anybody knows.
    pub(crate) async fn is_unknown(&self, open: &OpenSession) -> bool {
        let is_empty = matches!(self.look(open).await, Ok(Looked::Nothing));
        if is_empty && !open.has_kept() {
            // A share that is not mounted looks like that as well: what was seen before stays buried.
            open.bury_unread();
            return true;
        }
        false
    }

    /// Writes the tombstone, after waiting `patience` for the guard; and what stood there before it,
    /// also where the store does not take it.
    pub(crate) async fn bury(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
        patience: Duration,
    ) -> (Option<SignedIn>, Result<(), Error>) {
        let guarded = async {
            let mut guard = self.guard(open).await?;
            let before = guard.read().await?;
            let buried = guard.bury().await;
            Ok::<_, Error>((before, buried))
        };
        if let Ok(Ok(outcome)) = tokio::time::timeout(patience, guarded).await {
            return outcome;
        }
        // Its holder takes too long, or the lock cannot be had: the person's word counts.
        match self.stored(open).await {
            Ok(before) => {
                let before = before.into_found();
                let of = |number: fn(&Session) -> u64| before.as_ref().map_or(0, number);
                let tombstone = Session::tombstone(of(|it| it.generation), of(|it| it.revision));
                let buried = self.save(open, &tombstone).await;
                match &buried {
                    _ if before.is_none() => {}
                    Ok(()) => open.is_at_rest(),
                    Err(_) => open.bury_over(of(|it| it.sign_in)),
                }
                (before.and_then(|session| session.signed_in), buried)
            }
            Err(error) => {
                open.bury_unread();
                (None, Err(error))
            }
        }
    }

    /// Writes a tombstone that the store did not take when the person signed out.
    pub(crate) async fn settle_sign_out(self: &Arc<Self>, open: &Arc<OpenSession>) {
        if open.has_unsaved() {
            self.catch_up(open).await;
        }
    }

    /// Revokes what a sign-out could not revoke, without anybody waiting for it.
    pub(crate) fn pay(self: &Arc<Self>, open: &OpenSession, endpoint: &Arc<Endpoint>) {
        let tokens = open.take_unrevoked();
        if tokens.is_empty() {
            return;
        }
        let (under_way, endpoint) = (self.begin(), Arc::clone(endpoint));
        self.ferry.embark(Box::pin(async move {
            for token in tokens {
                endpoint.revoke(&token).await;
            }
            drop(under_way);
        }));
    }
}
