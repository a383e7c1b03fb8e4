//! One redemption of a refresh token, from the guard to the store.

mod refused;

use std::sync::{Arc, Mutex};

use refused::{in_other_words, is_refused, is_unknown};

use super::{Wanted, covers, kept, signed_out};
use crate::{
    endpoint::{Endpoint, Grant, GrantKind, TokenReply},
    error::{Error, UnavailableReason, Violation},
    flow::{
        TokenResponse,
        sessions::{Change, OpenSession, SessionGuard, Sessions, Written},
    },
    jwt::UnverifiedClaims,
    scope::{Audience, Scopes},
    secret::Secret,
    store::{Account, Family, SignedIn},
};

/// Everything that one redemption needs: it runs to its end, whoever has stopped waiting for it.
pub(super) struct Redemption {
    pub(super) sessions: Arc<Sessions>,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) open: Arc<OpenSession>,
    pub(super) wanted: Wanted,
}

impl Redemption {
    /// Redeems, or takes what somebody else has brought while this one waited for its turn.
    pub(super) async fn run(self) -> Result<TokenResponse, Error> {
        // Before the guard: an issuer that is slow to be found must not hold up other processes.
        self.endpoint.reach(self.wanted.in_background).await?;
        let mut guard = self.sessions.guard(&self.open).await?;
        let mut outcome = self.turn(&mut guard).await;
        if matches!(outcome, Turn::Overtaken) {
            // Somebody without regard for the guard has put another token there: that is the one.
            outcome = self.turn(&mut guard).await;
        }
        // Whoever acts from now on writes another one.
        let revision = guard.revision();
        drop(guard);
        match outcome {
            Turn::Done(outcome) => outcome.map_err(|error| error.found_in(revision)),
            Turn::SignedOut(unwanted) => {
                if let Some(refresh_token) = unwanted {
                    self.endpoint.revoke(&refresh_token).await;
                }
                Err(signed_out(&self.wanted).found_in(revision))
            }
            Turn::Overtaken => Err(Error::unavailable(UnavailableReason::Abandoned)),
        }
    }

    async fn turn(&self, guard: &mut SessionGuard) -> Turn {
        match self.prepare(guard).await {
            Ok(Prepared::Adopted(response)) => Turn::Done(Ok(response)),
            Ok(Prepared::Marked(signed_in, refresh_token)) => {
                let rotated = Mutex::new(None);
                let reply = self.ask(&refresh_token, &rotated).await;
                let rotated = rotated.into_inner().unwrap_or_default();
                match (reply, rotated) {
                    (Err(error), Some(rotated)) => {
                        Turn::Done(Err(self.salvage(guard, signed_in, rotated, error).await))
                    }
                    (reply, _) => self.conclude(guard, signed_in, &refresh_token, reply).await,
                }
            }
            Err(error) => Turn::Done(Err(error)),
        }
    }

    /// Re-reads the session, takes what is there, or else marks the token as about to be redeemed.
    async fn prepare(&self, guard: &mut SessionGuard) -> Result<Prepared, Error> {
        let wanted = &self.wanted;
        let mut signed_in = guard.read().await?.ok_or_else(|| signed_out(wanted))?;
        if let Some(response) = kept::adopt(&signed_in, wanted, &self.open, self.sessions.now()) {
            return Ok(Prepared::Adopted(response));
        }
        covers(
            &signed_in,
            wanted,
            self.endpoint.dialect().refresh_may_exceed,
        )?;
        let audience = &wanted.asked.audience;
        let Some((family, refresh_token)) = redeemable(&mut signed_in, audience) else {
            return Err(Error::login_required(&wanted.asked));
        };
        if family.unanswered > REPLAYS {
            tracing::warn!(%audience, "the answers to the refresh token were lost: a sign-in is needed");
            return Err(Error::login_required(&wanted.asked));
        }
        if family.unanswered > 0 {
            // The one repetition there is: not into the same trouble that has swallowed the first.
            self.endpoint.is_there().await?;
            tracing::warn!(%audience, "the answer to the refresh token was lost, sent once more");
        }
        family.unanswered += 1;
        match guard.mark(&signed_in).await? {
            Written::Superseded => Err(signed_out(wanted)),
            Written::Saved | Written::Kept => Ok(Prepared::Marked(signed_in, refresh_token)),
        }
    }

    async fn ask(
        &self,
        refresh_token: &Secret,
        rotated: &Mutex<Option<Secret>>,
    ) -> Result<TokenReply, Error> {
        let narrows = self.endpoint.dialect().narrows_per_token;
        let grant = Grant {
            kind: GrantKind::RefreshToken {
                refresh_token,
                narrows,
                rotated,
            },
            asked: &self.wanted.asked,
            parameters: &self.wanted.parameters,
            in_background: self.wanted.in_background,
            is_forced: self.wanted.is_forced,
        };
        self.endpoint.token(&grant).await
    }

    async fn conclude(
        &self,
        guard: &mut SessionGuard,
        signed_in: SignedIn,
        used: &Secret,
        reply: Result<TokenReply, Error>,
    ) -> Turn {
        match reply {
            Ok(reply) => self.persist(guard, signed_in, reply).await,
            Err(error) if is_refused(&error) => self.erase(guard, used, error).await,
            // It may have arrived: the mark stays, and counts.
            Err(error) if is_unknown(&error) => Turn::Done(Err(error)),
            Err(error) => {
                let mut signed_in = signed_in;
                if let Some(family) = signed_in.family_mut(&self.wanted.asked.audience) {
                    family.unanswered -= 1;
                }
                guard.write(signed_in, Change::Tokens).await;
                Turn::Done(Err(in_other_words(error, &self.wanted.asked)))
            }
        }
    }

    /// Keeps the new refresh token of an answer that is unusable otherwise.
    async fn salvage(
        &self,
        guard: &mut SessionGuard,
        mut signed_in: SignedIn,
        rotated: Secret,
        error: Error,
    ) -> Error {
        if let Some(family) = signed_in.family_mut(&self.wanted.asked.audience) {
            family.refresh_token = Some(rotated);
            family.unanswered = 0;
        }
        guard.write(signed_in, Change::Tokens).await;
        error
    }

    /// Writes the new refresh token before anything is handed up.
    async fn persist(
        &self,
        guard: &mut SessionGuard,
        mut signed_in: SignedIn,
        reply: TokenReply,
    ) -> Turn {
        let wanted = &self.wanted;
        let audience = &wanted.asked.audience;
        if let Err(error) = self.check_account(&signed_in.account, reply.id_token.as_ref()) {
            // Whose tokens these are nobody knows, and the old one is spent: a sign-in is needed.
            signed_in.end_family(audience);
            guard.write(signed_in, Change::Ended).await;
            return Turn::Done(Err(error));
        }
        let identity = Scopes::from_reply(&signed_in.identity_scopes);
        if let Some(family) = signed_in.family_mut(audience) {
            let granted = kept::granted(&reply).unwrap_or_else(Scopes::none);
            family.rotate(
                audience,
                &granted.difference(&identity),
                reply.refresh_token.as_ref(),
            );
        }
        let rule = self.endpoint.audiences();
        if let Some(token) = kept::keep(&reply, &wanted.asked, &wanted.parameters, rule) {
            signed_in.keep(token, self.sessions.now());
        }
        let account = signed_in.account.clone();
        if guard.write(signed_in, Change::Tokens).await == Written::Superseded {
            return Turn::SignedOut(reply.refresh_token);
        }
        let mut response = TokenResponse::from(reply);
        response.account = Some(account);
        Turn::Done(Ok(response))
    }

    /// OpenID Connect Core section 12.2: the `sub` of a refreshed ID token is that of the first.
    fn check_account(&self, known: &Account, id_token: Option<&Secret>) -> Result<(), Error> {
        let claims = id_token.and_then(|token| UnverifiedClaims::read(token.expose()));
        let subject = claims.as_ref().and_then(UnverifiedClaims::subject);
        let named = Account::new(subject.map(str::to_owned), None, None);
        if known.is_other_than(&named) {
            return Err(Error::protocol(
                Some(&self.wanted.asked),
                Violation::OtherAccount,
            ));
        }
        Ok(())
    }

    /// The issuer knows the token no more: the session ends, if the store still holds that very token.
    async fn erase(&self, guard: &mut SessionGuard, used: &Secret, error: Error) -> Turn {
        let audience = &self.wanted.asked.audience;
        let Ok(Some(mut signed_in)) = guard.read().await else {
            return Turn::Done(Err(error));
        };
        let stored = redeemable(&mut signed_in, audience).map(|(_, stored)| stored);
        if stored.is_none_or(|stored| stored.expose() != used.expose()) {
            return Turn::Overtaken;
        }
        tracing::warn!(%audience, "the issuer refused the refresh token, a sign-in is needed");
        signed_in.end_family(audience);
        guard.write(signed_in, Change::Ended).await;
        Turn::Done(Err(error))
    }
}

/// The family that serves `audience`, and its refresh token, if it has one.
fn redeemable<'a>(
    signed_in: &'a mut SignedIn,
    audience: &Audience,
) -> Option<(&'a mut Family, Secret)> {
    let family = signed_in.family_mut(audience)?;
    let refresh_token = family.refresh_token.clone()?;
    Some((family, refresh_token))
}

enum Turn {
    Done(Result<TokenResponse, Error>),
    /// The person has signed out meanwhile: nobody wants the new refresh token.
    SignedOut(Option<Secret>),
    /// Another token stands in the store than the one that was refused.
    Overtaken,
}

enum Prepared {
    Adopted(TokenResponse),
    Marked(SignedIn, Secret),
}

/// How often a redemption is repeated whose answer was lost, ever: RFC 9700 section 4.14.2 has the
/// issuer revoke the whole family when a token is used twice, so a second repetition can only harm.
const REPLAYS: u32 = 1;
