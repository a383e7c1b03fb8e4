//! A person's access token: taken from the session, or redeemed for, one redemption at a time.

use std::{sync::Arc, time::Duration};

use super::{
    OpenSession, Sessions, Wanted,
    attempt::Round,
    decision::{Adopted, Decision},
    driver::contended,
    environment::within,
    loaded::Loaded,
    record::SignInId,
    rules::{Rule, holds},
    state::State,
    transition::{Transition, took},
};
use crate::{
    error::{Error, UnavailableReason},
    scope::{Audience, Scopes},
    store::{FamilyKey, SessionLock},
    token::{Source, TokenResponse},
};

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
        let (loaded, current) = self.load_current(open).await?;
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
        let began = self.now();
        let turn = within(&*self.environment, LOCK_PATIENCE, queue.lock()).await;
        // A task that waits longer than its flight would redeem for no caller.
        let Some(_turn) = turn else {
            return Err(Error::unavailable(UnavailableReason::Timeout));
        };
        let family = FamilyKey::new(self.key(open), family);
        let left = LOCK_PATIENCE.saturating_sub(self.now().since(began));
        let lock = self.lock_family(&family, left).await?;
        let outcome = self
            .rounds(open, wanted, (&family, lock.as_ref()), first)
            .await;
        if let Some(lock) = lock {
            let _ = within(&*self.environment, self.store_timeout, lock.release()).await;
        }
        // Asked after the release: a sign-out may have come in between.
        Ok(outcome?.and_then(|(token, sign_in)| hand_out(open, token, sign_in)))
    }

    async fn lock_family(
        &self,
        family: &FamilyKey,
        patience: Duration,
    ) -> Result<Option<SessionLock>, Error> {
        if !holds(Rule::LockFamily) {
            return Ok(None);
        }
        let locking = self.store.lock(family, patience);
        let limit = patience.saturating_add(self.store_timeout);
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
                // Another process has changed what this one found: it may hold the lock by now.
                Some(Round::Again) => self.ensure_held(locked.1).await?,
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

/// How often a token is looked for because another sign-in came in between.
const ATTEMPTS: usize = 3;

/// How often a redemption looks again because what it found has changed: each time another process has
/// rotated the token, or a repetition has come first.
const ROUNDS: usize = 4;

/// How long one redemption waits for those of other tasks and processes, in both queues together.
///
/// With the time of a call into the store (5 s) it ends 3 s before the flight (20 s): so a store whose lock
/// hangs is what the error names, and not an issuer that was never asked.
const LOCK_PATIENCE: Duration = Duration::from_secs(12);
