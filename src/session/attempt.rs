//! One attempt to redeem a refresh token, under its family's lock: marked, sent, and what comes of it is kept.

use std::sync::Arc;

use super::{
    OpenSession, Sessions, Wanted,
    change::{Applied, Change, LateWrite, MarkAttempt, Unmark},
    decision::Plan,
    driver::{Committed, SaveOutcome},
    environment::{Redeemed, RefreshRequest, within},
    loaded::Loaded,
    record::{Attempt, KeptToken, MarkedRequest, SignInId, granted},
    refused::{in_other_words, is_refused, is_success, is_unknown},
    rotation::Rotation,
    rules::{Rule, holds},
    transition::{Transition, took},
};
use crate::{
    account::Account,
    endpoint::TokenReply,
    error::{Error, StoreError, StoreErrorKind, Violation},
    jwt::UnverifiedClaims,
    scope::Scopes,
    secret::Secret,
    store::SessionLock,
    token::TokenResponse,
};

/// What one round under the lock came to.
pub(super) enum Round {
    /// The token, and the sign-in that it is of.
    Token(TokenResponse, SignInId),
    /// What is in the session now is another's doing: look again.
    Again,
}

/// A redemption that is marked, and may be sent.
struct Marked {
    id: u64,
    loaded: Arc<Loaded>,
}

impl Sessions {
    /// Marks, sends and takes in what comes of it. Nothing if another sign-in has come.
    pub(super) async fn carry_out(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
        wanted: &Wanted,
        lock: Option<&SessionLock>,
        plan: &Plan,
        loaded: Arc<Loaded>,
    ) -> Result<Option<Round>, Error> {
        if plan.is_repetition() && holds(Rule::ProbeBeforeRepeating) {
            // Not into the same trouble that has swallowed the first.
            self.issuer.is_there().await?;
            let audience = &wanted.target.asked.audience;
            tracing::warn!(%audience, "the answer to the refresh token was lost, sent once more");
        }
        let Some(marked) = self.mark(open, plan, loaded).await? else {
            return Ok(Some(Round::Again));
        };
        if let Err(lost) = self.ensure_held(lock).await {
            self.unmark(open, plan, marked, false).await;
            return Err(lost);
        }
        // Nothing is awaited from here on until it is sent.
        if !plan.is_timely(self.issuer.dialect(), self.now()) {
            self.unmark(open, plan, marked, false).await;
            return Ok(Some(Round::Again));
        }
        self.send(open, wanted, plan, marked).await
    }

    /// Asks whether the lock is held at this moment: then no other process has redeemed since it was taken.
    pub(super) async fn ensure_held(&self, lock: Option<&SessionLock>) -> Result<(), Error> {
        let Some(lock) = lock.filter(|_| holds(Rule::CheckLock)) else {
            return Ok(());
        };
        let asking = lock.is_held();
        let held = within(&*self.environment, self.store_timeout, asking).await;
        if held == Some(true) {
            return Ok(());
        }
        took(Transition::LockLost);
        Err(lock_lost())
    }

    /// Marks the token as about to be redeemed; nothing if the session has changed meanwhile.
    ///
    /// What the issuer would answer could not be kept either where the mark cannot.
    async fn mark(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
        plan: &Plan,
        loaded: Arc<Loaded>,
    ) -> Result<Option<Marked>, Error> {
        let (id, now) = (self.environment.random(), self.now());
        if !holds(Rule::MarkBeforeRedeeming) {
            return Ok(Some(Marked { id, loaded }));
        }
        let at = now.wall_milliseconds();
        let mut change = Change::Mark(MarkAttempt {
            redeemed: plan.refresh_token.clone(),
            attempt: Attempt { id, at },
            request: plan.request.clone(),
        });
        let (current, applied) = open.state(|state| state.current_with(&mut change, &loaded, now));
        if !applied.is_entered() {
            return Ok(None);
        }
        let saved = self.save(open, &loaded, &current).await;
        // A mark that was written and never sent would use up the repetition.
        let late_write = match &saved {
            Ok(SaveOutcome::InDoubt(_)) => Some(LateWrite::Impossible),
            Err(_) => Some(LateWrite::Over(loaded.version)),
            Ok(_) => None,
        };
        if let Some(late_write) = late_write
            && holds(Rule::UnmarkUnsent)
            && holds(Rule::NoMarkNoRedemption)
        {
            self.hold(open, plan.unmark(id, false, late_write), &loaded);
        }
        match saved {
            Ok(SaveOutcome::Saved(loaded)) => Ok(Some(Marked { id, loaded })),
            Ok(SaveOutcome::Superseded | SaveOutcome::InDoubt(_)) => Ok(None),
            Err(_) if !holds(Rule::NoMarkNoRedemption) => Ok(Some(Marked { id, loaded })),
            Err(error) => Err(error),
        }
    }

    /// Sends it, and takes in what comes of it.
    async fn send(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
        wanted: &Wanted,
        plan: &Plan,
        marked: Marked,
    ) -> Result<Option<Round>, Error> {
        let request = RefreshRequest {
            target: plan.request.target(),
            urgency: wanted.urgency,
        };
        took(plan.transition());
        let redeemed = self.issuer.redeem(&plan.refresh_token, &request);
        let Redeemed { reply, rotated } = redeemed.await;
        let error = match reply {
            Ok(reply) => {
                took(Transition::Answered);
                return self.answered(open, wanted, plan, marked, reply).await;
            }
            Err(error) => error,
        };
        if let Some(rotated) = rotated.filter(|_| holds(Rule::SalvageRotated)) {
            took(Transition::Salvaged);
            let rotation = Rotation {
                redeemed: plan.refresh_token.clone(),
                attempt: marked.id,
                sign_in: plan.sign_in,
                family: plan.id.clone(),
                rotated: Some(rotated),
                granted: None,
                token: None,
            };
            let change = Change::Rotation(Box::new(rotation));
            self.commit(open, marked.loaded, change).await;
            return Err(error);
        }
        if is_refused(&error) {
            return self.refused(open, wanted, plan, marked, error).await;
        }
        if is_unknown(&error) && holds(Rule::MarkStaysInDoubt) {
            // It may have arrived: the mark stays, and counts.
            took(Transition::AnswerLost);
            return Err(error);
        }
        took(Transition::SurelyNotRedeemed);
        if holds(Rule::UnmarkUnredeemed) {
            // RFC 6749 section 6: an answer that brings no new refresh token leaves the old one good.
            self.unmark(open, plan, marked, is_success(&error)).await;
        }
        let is_of_other = !plan.is_for(wanted) && !error.is_retryable();
        if is_of_other {
            // The repetition was refused for what it asked for, which this caller does not.
            return Ok(Some(Round::Again));
        }
        Err(in_other_words(error, &wanted.target.asked))
    }

    /// Keeps what a redemption has brought before anything is handed up.
    async fn answered(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
        wanted: &Wanted,
        plan: &Plan,
        marked: Marked,
        reply: TokenReply,
    ) -> Result<Option<Round>, Error> {
        let signed_in = marked.loaded.signed_in();
        if let Some(known) = signed_in.map(|signed_in| &signed_in.account)
            && let Err(error) = check_account(wanted, known, reply.id_token.as_ref())
        {
            took(Transition::OtherPerson);
            // Whose tokens these are is not known, and the old one is spent: a sign-in is needed.
            let refused = plan.refresh_token.clone();
            let change = Change::End { refused };
            self.commit(open, marked.loaded, change).await;
            return Err(error);
        }
        let identity = signed_in.map_or_else(Scopes::none, |signed_in| {
            Scopes::from_reply(&signed_in.identity_scopes)
        });
        let target = plan.request.target();
        let granted = granted(&reply).unwrap_or_else(Scopes::none);
        let token = KeptToken::of(&reply, &target, self.issuer.audiences());
        if let Some(token) = &token {
            open.state(|state| state.access_tokens.requested(token, reply.requested_at));
        }
        let rotation = Rotation {
            redeemed: plan.refresh_token.clone(),
            attempt: marked.id,
            sign_in: plan.sign_in,
            family: plan.id.clone(),
            rotated: reply.refresh_token.clone(),
            granted: Some((target.asked.audience, granted.difference(&identity))),
            token,
        };
        let change = Change::Rotation(Box::new(rotation));
        let committed = self.keep_rotation(open, marked.loaded, change).await;
        match committed.applied {
            Applied::Entered | Applied::Found if plan.is_for(wanted) => {
                let token = TokenResponse::from(reply);
                Ok(Some(Round::Token(token, committed.sign_in)))
            }
            Applied::SignedOut => Err(Error::signed_out(&wanted.target.asked)),
            _ => Ok(Some(Round::Again)),
        }
    }

    async fn keep_rotation(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
        loaded: Arc<Loaded>,
        change: Change,
    ) -> Committed {
        if holds(Rule::PersistBeforeHandingUp) {
            return self.commit(open, loaded, change).await;
        }
        self.hold(open, change, &loaded);
        self.settle_later(open);
        Committed {
            applied: Applied::Entered,
            sign_in: open.state(|state| state.in_force()),
            unsaved: None,
        }
    }

    /// The issuer knows the token no more: its family ends, if the store still holds that very token.
    async fn refused(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
        wanted: &Wanted,
        plan: &Plan,
        marked: Marked,
        error: Error,
    ) -> Result<Option<Round>, Error> {
        let refused = plan.refresh_token.clone();
        let change = Change::End { refused };
        let committed = self.commit(open, marked.loaded, change).await;
        if !committed.applied.is_entered() {
            // Another process has put another token there: that is the one.
            took(Transition::RefusedOther);
            return Ok(Some(Round::Again));
        }
        took(Transition::Refused);
        let audience = &wanted.target.asked.audience;
        tracing::warn!(%audience, "the issuer refused the refresh token, a sign-in is needed");
        let error = if plan.is_for(wanted) {
            error
        } else {
            Error::login_required(&wanted.target.asked)
        };
        Err(error)
    }

    /// Takes the mark back of what was surely not redeemed.
    async fn unmark(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
        plan: &Plan,
        marked: Marked,
        is_answered: bool,
    ) {
        let change = plan.unmark(marked.id, is_answered, LateWrite::Impossible);
        // What the store does not take is pending, and settled later.
        let _ = self.commit(open, marked.loaded, change).await;
    }
}

impl Plan {
    fn unmark(&self, id: u64, is_answered: bool, late_write: LateWrite) -> Change {
        Change::Unmark(Unmark {
            redeemed: self.refresh_token.clone(),
            id,
            is_answered,
            late_write,
        })
    }

    /// Whether it asks for what is wanted, and not for what was wanted when the last answer was lost.
    fn is_for(&self, wanted: &Wanted) -> bool {
        self.request == MarkedRequest::new(&wanted.target)
    }
}

/// OpenID Connect Core section 12.2: the `sub` of a refreshed ID token is that of the first.
fn check_account(wanted: &Wanted, known: &Account, id_token: Option<&Secret>) -> Result<(), Error> {
    let claims = id_token.and_then(|token| UnverifiedClaims::read(token.expose()));
    let subject = claims.as_ref().and_then(UnverifiedClaims::subject);
    let named = Account::new(subject.map(str::to_owned), None, None);
    if known.is_other_than(&named) && holds(Rule::SamePersonWhenRefreshed) {
        let asked = Some(&wanted.target.asked);
        return Err(Error::protocol(asked, Violation::OtherAccount));
    }
    Ok(())
}

fn lock_lost() -> Error {
    let what = "the lock of the session's family was lost before its refresh token could be sent";
    Error::Store(StoreError::new(StoreErrorKind::Locked, what))
}
