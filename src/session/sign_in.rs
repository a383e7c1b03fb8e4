//! A sign-in as a change of the session: what it replaces, and what of the session before it stays.

use super::{
    change::{Applied, Target},
    login_tokens::LoginTokens,
    record::{Coverage, Family, KeptToken, Session, SignInId, SignedIn},
    rules::{Rule, holds},
    transition::{Transition, took},
};
use crate::{
    account::Account,
    dialect::{AudienceRule, TokenFamily},
    error::Asked,
    scope::Scopes,
    secret::Secret,
    time::Moment,
};

/// When a sign-in came, beside what is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Later,
    /// Earlier, and for an API that what is found says nothing of.
    Beside,
    Earlier,
}

/// How far a sign-in has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The person signs in right now: whatever is there is older.
    ActsNow,
    /// The store was asked to take it and has not said yes.
    MayHaveEntered,
    /// A later one was found: it is never in force again, whatever becomes of the record.
    HasGivenWay,
}

/// A person has signed in.
#[derive(Clone)]
pub(crate) struct SignIn {
    pub(crate) id: SignInId,
    /// The sign-ins that were there before it: what the process had seen when the person signed in.
    pub(crate) after: Vec<SignInId>,
    stage: Stage,
    /// When the person signed in, by the wall clock.
    since: u64,
    pub(crate) account: Account,
    id_token: Option<Secret>,
    identity_scopes: Scopes,
    asked: Vec<Asked>,
    /// Whether the person has to be the one that the session is of.
    same_person: bool,
    /// Whether each API has a refresh token of its own: then those of other APIs stay.
    is_beside: bool,
    family: Family,
    token: Option<KeptToken>,
}

impl SignIn {
    pub(crate) fn new(
        id: SignInId,
        login: LoginTokens,
        same_person: bool,
        (families, rule): (TokenFamily, &AudienceRule),
    ) -> Self {
        let is_beside = families == TokenFamily::PerAudience;
        let first = login.asked.first();
        let audience = first
            .filter(|_| is_beside)
            .map(|asked| asked.audience.to_string());
        let kept = |asked: &Asked| KeptToken::of(&login.reply, &asked.clone().into(), rule);
        Self {
            id,
            after: Vec::new(),
            stage: Stage::ActsNow,
            since: login.reply.requested_at.wall_milliseconds(),
            same_person,
            is_beside,
            token: first.and_then(kept),
            family: Family::new(audience, login.reply.refresh_token.clone(), login.covers()),
            id_token: login.reply.id_token.filter(Self::is_kept),
            account: login.account,
            identity_scopes: login.identity_scopes,
            asked: login.asked,
        }
    }

    /// It goes into a URL: a longer one fits none.
    fn is_kept(id_token: &Secret) -> bool {
        id_token.expose().len() <= ID_TOKEN_MAX
    }

    /// The access token that came with it.
    pub(super) fn token(&self) -> Option<&KeptToken> {
        self.token.as_ref()
    }

    pub(super) fn refresh_token(&self) -> Option<&Secret> {
        self.family.refresh_token.as_ref()
    }

    pub(super) fn apply(
        &mut self,
        session: &mut Option<Session>,
        target: &mut Target<'_>,
    ) -> Applied {
        let found = session.as_ref();
        if found.is_some_and(|found| found.sign_in == self.id) {
            took(Transition::SignInSignedOut);
            target.to_revoke.extend(self.refresh_token().cloned());
            return Applied::SignedOut;
        }
        let known = found.and_then(|found| found.signed_in.as_ref());
        let is_other = known.is_some_and(|known| self.account.may_be_other_than(&known.account));
        if is_other && self.same_person && holds(Rule::SamePersonSignsIn) {
            took(Transition::SignInOfOther);
            return Applied::OtherPerson;
        }
        let order = self.order(found);
        if order == Order::Earlier {
            self.stage = Stage::HasGivenWay;
        }
        if self.stage == Stage::HasGivenWay && holds(Rule::LaterSignInWins) {
            return self.give_way(session, target);
        }
        took(match found.map(|found| found.signed_in.is_some()) {
            None => Transition::SignInOverNothing,
            Some(false) => Transition::SignInOverTombstone,
            Some(true) => Transition::SignInOverOlder,
        });
        let before = session.take();
        let since = before.as_ref().map_or(0, |before| before.since);
        let ended = before.as_ref().map_or(0, |before| self.ended(before));
        let sign_in = before.as_ref().filter(|_| order == Order::Beside);
        let sign_in = sign_in.map_or(self.id, |before| before.sign_in);
        let before = before.and_then(|before| before.signed_in);
        *session = Some(Session {
            sign_in,
            since: self.since.max(since),
            ended,
            signed_in: Some(self.replacing(before, target.now)),
        });
        Applied::Entered
    }

    /// Whether it is a part of the session that `record` is.
    pub(super) fn has_entered(&self, record: &Session) -> bool {
        let is_own = |family: &Family| family.sign_in == self.id;
        record.signed_in.as_ref().is_some_and(|signed_in| {
            record.sign_in == self.id || signed_in.families.iter().any(is_own)
        })
    }

    /// The store was asked to take it and has not said yes: what is found from now on may have come later.
    pub(super) fn may_have_entered(&mut self) {
        if self.stage == Stage::ActsNow {
            self.stage = Stage::MayHaveEntered;
        }
    }

    /// It is dated after what was seen before it, also where another machine's clock is ahead.
    pub(super) fn comes_after(&mut self, since: u64) {
        self.since = self.since.max(since.saturating_add(1));
    }

    /// When it came, as [`Session::since`].
    pub(super) fn since(&self) -> u64 {
        self.since
    }

    /// Whether this sign-in came after what is found: what this process had seen before is older, and between
    /// this sign-in and others the clocks decide.
    fn order(&mut self, found: Option<&Session>) -> Order {
        let Some(found) = found.filter(|found| found.sign_in != SignInId::UNKNOWN) else {
            return Order::Later;
        };
        if self.stage == Stage::ActsNow {
            self.after.push(found.sign_in);
            self.comes_after(found.since);
        }
        let is_seen = found.signed_in.is_some() && self.after.contains(&found.sign_in);
        if is_seen || found.since < self.since {
            Order::Later
        } else if self.stands_beside(found) {
            Order::Beside
        } else {
            Order::Earlier
        }
    }

    /// Whether both count: the same person has signed in for other APIs, which have refresh tokens of their own.
    fn stands_beside(&self, found: &Session) -> bool {
        let is_over = self.since <= found.ended;
        let may_stand = self.is_beside && !is_over;
        let Some(found) = found.signed_in.as_ref().filter(|_| may_stand) else {
            return false;
        };
        let own = |family: &&Family| family.audience == self.family.audience;
        let is_older = |family: &Family| self.after.contains(&family.sign_in);
        let is_newest = found.families.iter().filter(own).all(is_older);
        found.account.is_surely(&self.account) && is_newest
    }

    /// When the session before this person's ended, where `before` is there, as [`Session::ended`].
    fn ended(&self, before: &Session) -> u64 {
        let signed_in = before.signed_in.as_ref();
        let is_same = signed_in.is_some_and(|known| !known.account.is_other_than(&self.account));
        if is_same { before.ended } else { before.since }
    }

    /// Another sign-in or a sign-out came later. The refresh token is of no use: what a sign-out has overtaken is
    /// revoked, and the rest has to be known to the next sign-out. RFC 7009 section 2.1 has the issuer end all that
    /// came of the same grant, and that may be a good session.
    fn give_way(&self, session: &mut Option<Session>, target: &mut Target<'_>) -> Applied {
        let refresh_token = self.refresh_token().cloned();
        let Some(found) = session else {
            took(Transition::RecordGone);
            return Applied::Waits;
        };
        took(Transition::SignInOvertaken);
        let Some(signed_in) = &mut found.signed_in else {
            target.to_revoke.extend(refresh_token);
            return Applied::SignedOut;
        };
        if refresh_token.is_some_and(|token| signed_in.replace(token)) {
            Applied::EnteredAside
        } else {
            Applied::Overtaken
        }
    }

    /// What the session is with this sign-in, where `before` was there.
    fn replacing(&self, before: Option<SignedIn>, now: Moment) -> SignedIn {
        let mut signed_in = SignedIn {
            account: self.account.clone(),
            id_token: self.id_token.clone(),
            identity_scopes: self.identity_scopes.to_string(),
            families: Vec::new(),
            replaced: Vec::new(),
            tokens: Vec::new(),
        };
        let mut family = self.family.clone();
        family.sign_in = self.id;
        if let Some(before) = before {
            let is_other = before.account.is_other_than(&self.account);
            signed_in.replaced.clone_from(&before.replaced);
            let ended = if is_other {
                before.families
            } else {
                self.carry_over(&mut family, &before);
                self.stay(&mut signed_in, &mut family, before)
            };
            for token in ended.into_iter().filter_map(|ended| ended.refresh_token) {
                let is_in_use = family.holds(&token);
                if !is_in_use {
                    signed_in.replace(token);
                }
            }
        }
        signed_in.families.push(family);
        if let Some(token) = &self.token {
            signed_in.keep(token.clone(), now);
        }
        signed_in
    }

    /// Moves into `signed_in` what stays of the same person's session; the families that end.
    fn stay(&self, signed_in: &mut SignedIn, family: &mut Family, before: SignedIn) -> Vec<Family> {
        let is_surely_same = before.account.is_surely(&self.account);
        let (own, others): (Vec<_>, Vec<_>) = before
            .families
            .into_iter()
            .partition(|kept| kept.audience == family.audience);
        let outliving = own
            .iter()
            .find(|kept| is_surely_same && kept.outlives(family));
        if let Some(kept) = outliving {
            took(Transition::SignInOutliving);
            *family = kept.clone().with_withheld(family);
        }
        // One sign-in more, beside those for other APIs; or one that changed no refresh token.
        let stays = self.is_beside || outliving.is_some();
        let mut ended = own;
        if stays {
            took(Transition::SignInBeside);
            signed_in.families = others;
        } else {
            ended.extend(others);
        }
        // What the person proves anew is proven by new tokens alone.
        let is_dropped = |token: &KeptToken| !stays || self.replaces(token);
        signed_in.tokens = before.tokens;
        signed_in
            .tokens
            .retain(|token| !is_dropped(token) || !holds(Rule::SignInDropsTokens));
        ended
    }

    fn replaces(&self, token: &KeptToken) -> bool {
        self.family.serves(&token.audience())
    }

    /// What was withheld before and not asked for again is withheld still: otherwise two gaps in the
    /// allowlist would prompt in turn, for ever.
    fn carry_over(&self, family: &mut Family, before: &SignedIn) {
        for (audience, old) in before.families.iter().flat_map(|family| &family.covers) {
            let asked = self
                .asked
                .iter()
                .find(|asked| asked.audience.as_str() == audience)
                .map_or_else(Scopes::none, |asked| asked.scopes.clone());
            let still = old.withheld().difference(&asked);
            if let Some(coverage) = family.covers.get_mut(audience) {
                let withheld = coverage
                    .withheld()
                    .union(&still.difference(&coverage.granted()));
                *coverage = Coverage::new(&coverage.granted(), &withheld);
            }
        }
    }
}

/// In bytes: with the rest of the URL that it goes into, what usual servers take.
const ID_TOKEN_MAX: usize = 4096;
