//! The end of a sign-in: who it was, and what is kept of it.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    dialect::TokenFamily,
    endpoint::{Endpoint, TokenReply},
    error::{Asked, Error, Violation},
    flow::{OpenSession, Sessions, Written, granted, keep},
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
        let asked = obtained.asked.first().cloned();
        let mut guard = self.sessions.guard(self.open).await?;
        let before = guard.read().await?;
        let account = obtained.account.clone();
        let is_other = before
            .as_ref()
            .is_some_and(|before| before.account.is_other_than(&account));
        let refresh_token = obtained.reply.refresh_token.clone();
        if is_other && self.same_person {
            // Their token is forgotten, not revoked: RFC 7009 section 2.1 has the issuer end all that
            // came of the same grant, and this person may have a session of their own here.
            return Err(Error::protocol(asked.as_ref(), Violation::OtherAccount));
        }
        let kept = before.filter(|_| !is_other);
        let signed_in = self.signed_in(obtained, kept);
        let written = guard.write(Some(signed_in)).await;
        drop(guard);
        if written != Written::Superseded {
            return Ok(account);
        }
        if let Some(refresh_token) = refresh_token {
            self.endpoint.revoke(&refresh_token).await;
        }
        Err(Error::request("the person has signed out while signing in"))
    }

    fn signed_in(&self, obtained: Obtained, before: Option<SignedIn>) -> SignedIn {
        let is_apart = self.endpoint.dialect().token_family == TokenFamily::PerAudience;
        let covers = covers(&obtained);
        let (mut families, tokens) = match before {
            // One sign-in more, beside those for other APIs.
            Some(before) if is_apart => (before.families, before.tokens),
            _ => (Vec::new(), Vec::new()),
        };
        let first = obtained.asked.first();
        let audience = first
            .filter(|_| is_apart)
            .map(|asked| asked.audience.to_string());
        families.retain(|family| family.audience != audience);
        families.push(Family {
            audience,
            refresh_token: obtained.reply.refresh_token.clone(),
            covers,
            unanswered: 0,
        });
        let mut signed_in = SignedIn {
            account: obtained.account,
            identity_scopes: obtained.identity_scopes.to_string(),
            families,
            tokens,
        };
        if let Some(token) =
            first.and_then(|asked| keep(&obtained.reply, asked, &Parameters::none()))
        {
            signed_in.keep(token, self.sessions.now());
        }
        signed_in
    }
}

/// What the person has consented to, by audience.
///
/// The reply speaks of the first audience's token; some issuers list everything that was consented to.
fn covers(obtained: &Obtained) -> BTreeMap<String, Coverage> {
    let reported = granted(&obtained.reply);
    let lists_all = reported.as_ref().is_some_and(|reported| {
        let others = obtained.asked.iter().skip(1);
        others
            .flat_map(|asked| &asked.scopes)
            .any(|scope| reported.contains(scope.as_str()))
    });
    let mut covers = BTreeMap::new();
    for (position, asked) in obtained.asked.iter().enumerate() {
        let speaks_of_it = position == 0 || lists_all;
        let reported = reported.as_ref().filter(|_| speaks_of_it);
        let coverage = match reported {
            None => Coverage::new(&asked.scopes, &Scopes::none()),
            Some(reported) => {
                let identity = &obtained.identity_scopes;
                let own = if lists_all {
                    asked.scopes.difference(&asked.scopes.difference(reported))
                } else {
                    reported.difference(identity)
                };
                Coverage::new(&own, &asked.scopes.difference(reported))
            }
        };
        covers.insert(asked.audience.to_string(), coverage);
    }
    covers
}
