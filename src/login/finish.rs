//! The end of a sign-in: who it was, and what is kept of it.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    dialect::TokenFamily,
    endpoint::{Endpoint, TokenReply},
    error::{Asked, Error, Violation},
    flow::{Change, OpenSession, Sessions, Written, granted, keep},
    request::Parameters,
    scope::Scopes,
    store::{Account, Coverage, Family, SignedIn},
};

/// What a person's part has brought: a token reply, and what was asked for.
pub(crate) struct Obtained {
    pub(crate) reply: TokenReply,
    /// What the prompt asked for; the reply's token is for the first.
    pub(crate) asked: Vec<Asked>,
    pub(crate) identity_scopes: Scopes,
    pub(crate) account: Account,
}

/// Where a sign-in ends.
pub(crate) struct Finish<'a> {
    pub(crate) sessions: &'a Arc<Sessions>,
    pub(crate) endpoint: &'a Arc<Endpoint>,
    pub(crate) open: &'a Arc<OpenSession>,
    /// Whether the person has to be the one that the session is of already.
    pub(crate) same_person: bool,
}

impl Finish<'_> {
    /// Writes the session; nothing of it is handed up before.
    pub(crate) async fn write(self, obtained: Obtained) -> Result<Account, Error> {
        let refresh_token = obtained.reply.refresh_token.clone();
        let outcome = self.try_write(obtained).await;
        // Only what a sign-out overtook is revoked. RFC 7009 section 2.1 has the issuer end all that came
        // of the same grant, and that may be a good session: what the store holds if it cannot be
        // written now, or another person's own.
        let is_unwanted = matches!(outcome, Err(Error::Request(_)));
        if is_unwanted && let Some(refresh_token) = refresh_token {
            self.endpoint.revoke(&refresh_token).await;
        }
        outcome
    }

    async fn try_write(&self, obtained: Obtained) -> Result<Account, Error> {
        let mut guard = self.sessions.guard(self.open).await?;
        let before = guard.read().await?;
        let account = obtained.account.clone();
        let known = before.as_ref().map(|before| &before.account);
        let is_other = known.is_some_and(|known| known.is_other_than(&account));
        let is_unnamed =
            account.subject().is_none() && known.is_some_and(|known| known.subject().is_some());
        if (is_other || is_unnamed) && self.same_person {
            let asked = obtained.asked.first();
            return Err(Error::protocol(asked, Violation::OtherAccount));
        }
        let (signed_in, change) = self.signed_in(obtained, before.filter(|_| !is_other));
        match guard.write(signed_in, change).await {
            Written::Saved | Written::Kept => Ok(account),
            Written::Superseded => {
                Err(Error::request("the person has signed out while signing in"))
            }
        }
    }

    fn signed_in(&self, obtained: Obtained, before: Option<SignedIn>) -> (SignedIn, Change) {
        let is_apart = self.endpoint.dialect().token_family == TokenFamily::PerAudience;
        let mut covers = covers(&obtained);
        if let Some(before) = &before {
            carry_over(&mut covers, before, &obtained);
        }
        let first = obtained.asked.first();
        let audience = first
            .filter(|_| is_apart)
            .map(|asked| asked.audience.to_string());
        let family = Family {
            audience,
            refresh_token: obtained.reply.refresh_token.clone(),
            covers,
            unanswered: 0,
        };
        let stays = |kept: &Family| kept.outlives(&family);
        let outliving = before
            .as_ref()
            .filter(|before| before.account.is_surely(&obtained.account))
            .and_then(|before| before.families.iter().find(|kept| stays(kept)).cloned());
        let (mut families, tokens, change) = match before {
            // One sign-in more, beside those for other APIs; or one that changed no refresh token.
            Some(before) if is_apart || outliving.is_some() => {
                (before.families, before.tokens, Change::SignInBeside)
            }
            _ => (Vec::new(), Vec::new(), Change::SignIn),
        };
        families.retain(|kept| kept.audience != family.audience);
        families.push(match outliving {
            Some(kept) => kept.with_withheld(&family),
            None => family,
        });
        let mut signed_in = SignedIn {
            account: obtained.account,
            identity_scopes: obtained.identity_scopes.to_string(),
            families,
            tokens,
        };
        let rule = self.endpoint.audiences();
        let kept = |asked| keep(&obtained.reply, asked, &Parameters::none(), rule);
        if let Some(token) = first.and_then(kept) {
            signed_in.keep(token, self.sessions.now());
        }
        (signed_in, change)
    }
}

/// What the person has consented to, by audience.
///
/// The reply speaks of the first audience's token; some issuers list everything that was consented to.
fn covers(obtained: &Obtained) -> BTreeMap<String, Coverage> {
    let identity = &obtained.identity_scopes;
    let reported = granted(&obtained.reply).map(|reported| reported.difference(identity));
    let first = obtained.asked.first();
    // Only a scope that the first audience did not ask for tells that others are listed too.
    let lists_all = reported.as_ref().is_some_and(|reported| {
        let beyond = first.map_or_else(Scopes::none, |first| reported.difference(&first.scopes));
        let others = obtained.asked.iter().skip(1);
        others
            .flat_map(|asked| &asked.scopes)
            .any(|scope| beyond.contains(scope.as_str()))
    });
    let mut covers = BTreeMap::new();
    for (position, asked) in obtained.asked.iter().enumerate() {
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

/// What was withheld before and not asked for again is withheld still: otherwise two gaps in the
/// allowlist would prompt in turn, for ever.
fn carry_over(covers: &mut BTreeMap<String, Coverage>, before: &SignedIn, obtained: &Obtained) {
    for (audience, old) in before.families.iter().flat_map(|family| &family.covers) {
        let asked = obtained
            .asked
            .iter()
            .find(|asked| asked.audience.as_str() == audience)
            .map_or_else(Scopes::none, |asked| asked.scopes.clone());
        let still = old.withheld().difference(&asked);
        if let Some(coverage) = covers.get_mut(audience) {
            let withheld = coverage
                .withheld()
                .union(&still.difference(&coverage.granted()));
            *coverage = Coverage::new(&coverage.granted(), &withheld);
        }
    }
}
