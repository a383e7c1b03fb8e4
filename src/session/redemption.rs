//! A person's access token: taken from the session, or redeemed for, one redemption at a time.

use std::{sync::Arc, time::Duration};

use super::{
    OpenSession, Sessions, Wanted,
    change::{Applied, Change, LateWrite, MarkAttempt, Rotation, Unmark},
    decision::{Adopted, Decision, Plan},
    driver::{Committed, SaveOutcome, contended},
    environment::{Redeemed, RefreshRequest, within},
    record::{Attempt, KeptToken, MarkedRequest, SignInId, granted},
    refused::{in_other_words, is_refused, is_success, is_unknown},
    rules::{Rule, holds},
    state::{Loaded, State},
    transition::{Transition, took},
};
use crate::{
    account::Account,
    endpoint::TokenReply,
    error::{Error, StoreError, StoreErrorKind, UnavailableReason, Violation},
    jwt::UnverifiedClaims,
    scope::{Audience, Scopes},
    secret::Secret,
    store::{FamilyKey, SessionLock},
    token::{Source, TokenResponse},
};

/// What one round under the lock came to.
enum Round {
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
    /// The access token for `wanted`: what the session holds, or what a redemption brings.
    pub(crate) async fn access_token(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
        wanted: Wanted,
    ) -> Result<TokenResponse, Error> {
        let (sessions, own) = (Arc::clone(self), Arc::clone(open));
        self.outlive(async move {
            for _ in 0..ATTEMPTS {
                let outcome = sessions.try_access_token(&own, &wanted).await;
                sessions.revoke_queued(&own);
                if let Some(token) = outcome? {
                    return Ok(token);
                }
            }
            Err(Error::unavailable(UnavailableReason::Abandoned))
        })
        .await
    }

    /// Nothing if another sign-in came while this was looked for.
    async fn try_access_token(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
        wanted: &Wanted,
    ) -> Result<Option<TokenResponse>, Error> {
        // Without the lock first: what another process has left needs none.
        let (loaded, current) = self.look(open).await?;
        if current.is_ahead() {
            self.settle_later(open);
        }
        let (now, dialect) = (self.now(), self.issuer.dialect());
        match open.state(|state| state.decide(&current, wanted, dialect, now)) {
            Decision::Adopt(adopted) => {
                let (token, sign_in) = adopted.into_token();
                Ok(hand_out(open, token, sign_in))
            }
            // Another sign-in has come since this was read: what it says is looked at.
            Decision::Refuse(_) if !open.state(|state| state.may_hand_out(current.in_force())) => {
                Ok(None)
            }
            Decision::Refuse(error) => {
                if current.signed_in().is_none() {
                    open.state(State::stop_serving);
                }
                Err(error.found_in(current.in_force().0))
            }
            Decision::Redeem(plan) => self.redeem(open, wanted, plan.family, loaded).await,
            Decision::Lost { family } => self.redeem(open, wanted, family, loaded).await,
        }
    }

    /// Redeems, or takes what another task or process has left while this one waited for its turn.
    async fn redeem(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
        wanted: &Wanted,
        family: Option<Audience>,
        first: Arc<Loaded>,
    ) -> Result<Option<TokenResponse>, Error> {
        // Before the lock: an issuer that is slow to be found must not hold up other processes.
        self.issuer.reach(wanted.urgency.in_background).await?;
        let queue = open.queue(family.as_ref());
        let turn = within(&*self.environment, LOCK_PATIENCE, queue.lock()).await;
        // A task that waits longer than its flight would redeem for nobody.
        let Some(_turn) = turn else {
            return Err(Error::unavailable(UnavailableReason::Timeout));
        };
        let family = FamilyKey::new(self.key(open), family);
        let lock = self.lock_family(&family).await?;
        let outcome = self
            .rounds(open, wanted, (&family, lock.as_ref()), first)
            .await;
        if let Some(lock) = lock {
            let _ = within(&*self.environment, self.store_timeout, lock.release()).await;
        }
        // Asked after the release: a sign-out may have come in between.
        Ok(outcome?.and_then(|(token, sign_in)| hand_out(open, token, sign_in)))
    }

    async fn lock_family(&self, family: &FamilyKey) -> Result<Option<SessionLock>, Error> {
        if !holds(Rule::LockFamily) {
            return Ok(None);
        }
        let locking = self.store.lock(family, LOCK_PATIENCE);
        let limit = LOCK_PATIENCE.saturating_add(self.store_timeout);
        let lock = self.limited_to(limit, locking).await;
        lock.map(Some).map_err(Error::Store)
    }

    async fn rounds(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
        wanted: &Wanted,
        locked: (&FamilyKey, Option<&SessionLock>),
        first: Arc<Loaded>,
    ) -> Result<Option<(TokenResponse, SignInId)>, Error> {
        let mut next = (!holds(Rule::LoadUnderLock)).then_some(first);
        for _ in 0..ROUNDS {
            let loaded = match next.take() {
                Some(loaded) => loaded,
                None => self.load_or_base(open).await?,
            };
            match self.round(open, wanted, locked, loaded).await? {
                Some(Round::Token(token, sign_in)) => return Ok(Some((token, sign_in))),
                Some(Round::Again) => {}
                None => return Ok(None),
            }
        }
        Err(contended())
    }

    /// One redemption, or what makes it needless. Nothing if another sign-in has come.
    async fn round(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
        wanted: &Wanted,
        (family, lock): (&FamilyKey, Option<&SessionLock>),
        loaded: Arc<Loaded>,
    ) -> Result<Option<Round>, Error> {
        let (now, dialect) = (self.now(), self.issuer.dialect());
        let current = open.state(|state| state.current(&loaded, now));
        let plan = match open.state(|state| state.decide(&current, wanted, dialect, now)) {
            Decision::Adopt(adopted) => {
                let (token, sign_in) = adopted.into_token();
                return Ok(Some(Round::Token(token, sign_in)));
            }
            Decision::Refuse(error) => return Err(error.found_in(current.in_force().0)),
            Decision::Lost { .. } => {
                // Once the lock is lost, one of them may be on its way to the process that holds it now.
                self.ensure_held(lock).await?;
                took(Transition::AnswersLost);
                let audience = &wanted.target.asked.audience;
                tracing::warn!(%audience, "the answers to the refresh token were lost, a sign-in is needed");
                let error = Error::login_required(&wanted.target.asked);
                return Err(error.found_in(current.in_force().0));
            }
            // The person has signed in for this API alone meanwhile: that family has another lock.
            Decision::Redeem(plan) if plan.family.as_ref() != family.audience() => return Ok(None),
            Decision::Redeem(plan) => plan,
        };
        let outcome = self.carry_out(open, wanted, lock, &plan, loaded).await;
        // What the person has to do is remembered with the sign-in that it was found in.
        outcome.map_err(|error| error.found_in(plan.sign_in.0))
    }

    /// Marks, sends and takes in what comes of it. Nothing if another sign-in has come.
    async fn carry_out(
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
    async fn ensure_held(&self, lock: Option<&SessionLock>) -> Result<(), Error> {
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
            open.state(|state| state.requested(token, reply.requested_at));
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
            Applied::SignedOut | Applied::Waits => Err(Error::signed_out(&wanted.target.asked)),
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

impl Adopted {
    fn into_token(self) -> (TokenResponse, SignInId) {
        let kept = self.token;
        tracing::debug!(
            audience = %kept.audience, scopes = %kept.asked,
            "token taken from the session"
        );
        let token = TokenResponse {
            lifetime: Some(kept.lifetime()),
            scopes: kept.granted.as_deref().map(Scopes::from_reply),
            access_token: kept.access_token,
            requested_at: Some(self.requested_at),
            resets: false,
            came_from: Source::Session,
        };
        (token, self.sign_in)
    }
}

/// The token, if its sign-in is still the one that was last seen.
fn hand_out(open: &OpenSession, token: TokenResponse, sign_in: SignInId) -> Option<TokenResponse> {
    open.state(|state| {
        state.may_hand_out(sign_in).then(|| TokenResponse {
            resets: state.serve(sign_in),
            ..token
        })
    })
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

/// How often a token is looked for because another sign-in came in between.
const ATTEMPTS: usize = 3;

/// How often a redemption looks again because what it found has changed: each time another process has
/// rotated the token, or a repetition has come first.
const ROUNDS: usize = 4;

/// How long one redemption waits for those of other tasks and processes: it must have time left for
/// its own within its flight (20 s).
const LOCK_PATIENCE: Duration = Duration::from_secs(15);
