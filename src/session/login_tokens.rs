//! What the issuer answered at the end of a sign-in, and what of it the person has consented to.

use std::collections::BTreeMap;

use super::record::{Coverage, granted};
use crate::{account::Account, endpoint::TokenReply, error::Asked, scope::Scopes};

/// What the issuer answered at the end of a sign-in, and what was asked for.
pub(crate) struct LoginTokens {
    pub(crate) reply: TokenReply,
    /// What the prompt asked for; the reply's token is for the first.
    pub(crate) asked: Vec<Asked>,
    pub(crate) identity_scopes: Scopes,
    pub(crate) account: Account,
}

impl LoginTokens {
    /// What the person has consented to, by audience.
    ///
    /// The reply speaks of the first audience's token; some issuers list everything that was consented to.
    pub(super) fn covers(&self) -> BTreeMap<String, Coverage> {
        let identity = &self.identity_scopes;
        let reported = granted(&self.reply).map(|reported| reported.difference(identity));
        let first = self.asked.first();
        // Only a scope that the first audience did not ask for tells that others are listed too.
        let lists_all = reported.as_ref().is_some_and(|reported| {
            let beyond =
                first.map_or_else(Scopes::none, |first| reported.difference(&first.scopes));
            let others = self.asked.iter().skip(1);
            others
                .flat_map(|asked| &asked.scopes)
                .any(|scope| beyond.contains(scope.as_str()))
        });
        let mut covers = BTreeMap::new();
        for (position, asked) in self.asked.iter().enumerate() {
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
}
