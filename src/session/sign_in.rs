//! A sign-in as a change of the session: what it replaces, and what of the session before it stays.

use std::collections::BTreeMap;

use super::{
    change::{Applied, Target},
    record::{Coverage, Family, KeptToken, Session, SignInId, SignedIn, granted},
    rules::{Rule, holds},
    transition::{Transition, took},
};
use crate::{
    account::Account,
    dialect::{AudienceRule, TokenFamily},
    endpoint::TokenReply,
    error::Asked,
    request::Parameters,
    scope::Scopes,
    secret::Secret,
    time::Moment,
};

/// What the issuer answered at the end of a sign-in, and what was asked for.
pub(crate) struct LoginTokens {
    pub(crate) reply: TokenReply,
    /// What the prompt asked for; the reply's token is for the first.
    pub(crate) asked: Vec<Asked>,
    pub(crate) identity_scopes: Scopes,
    pub(crate) account: Account,
}

/// A person has signed in.
#[derive(Clone)]
pub(crate) struct SignIn {
    pub(crate) id: SignInId,
    /// The sign-in that was there when the person signed in, once that is known.
    pub(crate) over: Option<SignInId>,
    /// Whether the store could not be read then: what is found there first may have come before or after.
    pub(crate) is_unread: bool,
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
        let kept = |asked| KeptToken::of(&login.reply, asked, &Parameters::none(), rule);
        Self {
            id,
            over: None,
            is_unread: false,
            since: login.reply.requested_at.wall_milliseconds(),
            same_person,
            is_beside,
            token: first.and_then(kept),
            family: Family::new(audience, login.reply.refresh_token.clone(), covers(&login)),
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

    pub(super) fn apply(&mut self, session: &mut Option<Session>, target: &Target<'_>) -> Applied {
        let found = session.as_ref();
        if let Some(found) = found.filter(|found| found.sign_in == self.id) {
            took(Transition::SignInFound);
            return match found.signed_in {
                Some(_) => Applied::Found,
                None => Applied::SignedOut,
            };
        }
        let known = found.and_then(|found| found.signed_in.as_ref());
        let is_other = known.is_some_and(|known| self.account.may_be_other_than(&known.account));
        if is_other && self.same_person && holds(Rule::SamePersonSignsIn) {
            took(Transition::SignInOfOther);
            return Applied::Overtaken;
        }
        if !self.is_later_than(found) && holds(Rule::LaterSignInWins) {
            took(Transition::SignInOvertaken);
            return Applied::Overtaken;
        }
        took(match found.map(|found| found.signed_in.is_some()) {
            None => Transition::SignInOverNothing,
            Some(false) => Transition::SignInOverTombstone,
            Some(true) => Transition::SignInOverOlder,
        });
        let before = session.take().and_then(|session| session.signed_in);
        *session = Some(Session {
            sign_in: self.id,
            since: self.since,
            signed_in: Some(self.replacing(before, target.now)),
        });
        Applied::Entered
    }

    /// Whether this sign-in came after what is found.
    fn is_later_than(&mut self, found: Option<&Session>) -> bool {
        let there = found.map_or(SignInId::UNKNOWN, |found| found.sign_in);
        if there == SignInId::UNKNOWN && self.is_unread {
            return true;
        }
        if self.is_unread {
            // Two machines' clocks decide, where nothing else can.
            self.is_unread = false;
            let is_older = found.is_none_or(|found| found.since <= self.since);
            self.over = Some(if is_older { there } else { SignInId::UNKNOWN });
        }
        let over = *self.over.get_or_insert(there);
        there == over || there == SignInId::UNKNOWN
    }

    /// What the session is with this sign-in, where `before` was there.
    fn replacing(&self, before: Option<SignedIn>, now: Moment) -> SignedIn {
        let mut signed_in = SignedIn {
            account: self.account.clone(),
            id_token: self.id_token.clone(),
            identity_scopes: self.identity_scopes.to_string(),
            families: Vec::new(),
            replaced: Vec::new(),
            lineage: Vec::new(),
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
        signed_in.descend(self.id);
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
            signed_in.lineage.clone_from(&before.lineage);
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

/// What the person has consented to, by audience.
///
/// The reply speaks of the first audience's token; some issuers list everything that was consented to.
fn covers(login: &LoginTokens) -> BTreeMap<String, Coverage> {
    let identity = &login.identity_scopes;
    let reported = granted(&login.reply).map(|reported| reported.difference(identity));
    let first = login.asked.first();
    // Only a scope that the first audience did not ask for tells that others are listed too.
    let lists_all = reported.as_ref().is_some_and(|reported| {
        let beyond = first.map_or_else(Scopes::none, |first| reported.difference(&first.scopes));
        let others = login.asked.iter().skip(1);
        others
            .flat_map(|asked| &asked.scopes)
            .any(|scope| beyond.contains(scope.as_str()))
    });
    let mut covers = BTreeMap::new();
    for (position, asked) in login.asked.iter().enumerate() {
        let missing = |reported: &Scopes| asked.scopes.difference(reported);
        let coverage = match &reported {
            Some(reported) if position == 0 => {
                let own = if lists_all {
                    asked.scopes.difference(&missing(reported))
                } else {
                    reported.clone()
                };
                Coverage::new(&own, &missing(reported))
            }
            Some(reported) if lists_all => {
                let own = asked.scopes.difference(&missing(reported));
                Coverage::new(&own, &Scopes::none())
            }
            _ => Coverage::new(&asked.scopes, &Scopes::none()),
        };
        covers.insert(asked.audience.to_string(), coverage);
    }
    covers
}
