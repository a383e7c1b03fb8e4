//! [`AudienceRule`]: what a token has to name as its audience.

use std::collections::HashMap;

use crate::scope::Audience;

/// What a token has to name as its audience: what was asked for, unless this client was told otherwise.
#[derive(Clone, Debug, Default)]
pub(crate) struct AudienceRule {
    renamed: HashMap<Audience, Audience>,
    is_skipped: bool,
}

impl AudienceRule {
    /// The issuer calls `audience` by another name in the token than in the request.
    pub(crate) fn rename(&mut self, audience: Audience, in_token: Audience) {
        self.renamed.insert(audience, in_token);
    }

    /// Any name will do.
    pub(crate) fn skip(&mut self) {
        self.is_skipped = true;
    }

    /// What a token for `asked` has to name; nothing if any name will do.
    pub(crate) fn expected<'a>(&'a self, asked: &'a Audience) -> Option<&'a Audience> {
        let expected = self.renamed.get(asked).unwrap_or(asked);
        (!self.is_skipped).then_some(expected)
    }
}
