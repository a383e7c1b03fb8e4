//! [`SessionInfo`]: what a store holds of one session, without a token.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{Sessions, lock, record::Session};
use crate::{
    account::Account,
    error::Error,
    scope::{Audience, Scopes},
    store::SessionRecord,
};

/// What a store holds of one session in which a person is signed in; never a token.
///
/// From [`People::sessions`](crate::People::sessions).
#[derive(Clone)]
pub struct SessionInfo {
    name: String,
    account: Account,
    covered: Vec<(Audience, Scopes)>,
    can_be_refreshed: bool,
    tokens_end: Vec<(Audience, SystemTime)>,
}

impl SessionInfo {
    /// The name that the application gave the session.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who is signed in.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The APIs that the sign-in covers, with the scopes that are known to be granted for each.
    pub fn covered(&self) -> impl Iterator<Item = (&Audience, &Scopes)> {
        self.covered
            .iter()
            .map(|(audience, scopes)| (audience, scopes))
    }

    /// Whether it has a refresh token: else it ends with its access tokens.
    pub fn can_be_refreshed(&self) -> bool {
        self.can_be_refreshed
    }

    /// When the access tokens end that are kept with it, by API and the wall clock; ended ones included.
    pub fn tokens_end(&self) -> impl Iterator<Item = (&Audience, SystemTime)> {
        self.tokens_end
            .iter()
            .map(|(audience, end)| (audience, *end))
    }

    fn of(name: &str, session: Session) -> Option<Self> {
        let signed_in = session.signed_in?;
        let tokens_end = signed_in.tokens.iter().filter_map(|kept| {
            // A record may say anything, and not every system knows every date.
            let end = UNIX_EPOCH.checked_add(Duration::from_millis(kept.ends_at()))?;
            Some((Audience::from(kept.audience.as_str()), end))
        });
        Some(Self {
            name: name.to_owned(),
            covered: signed_in.covered().collect(),
            can_be_refreshed: signed_in
                .families
                .iter()
                .any(|it| it.refresh_token.is_some()),
            tokens_end: tokens_end.collect(),
            account: signed_in.account,
        })
    }
}

impl fmt::Debug for SessionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionInfo")
            .field("name", &self.name)
            .field("account", &self.account)
            .field("covered", &self.covered)
            .finish_non_exhaustive()
    }
}

impl Sessions {
    /// The sessions of this issuer and application in which a person is signed in, as the store has them.
    pub(crate) async fn list(self: &Arc<Self>) -> Result<Vec<SessionInfo>, Error> {
        let sessions = Arc::clone(self);
        self.outlive(async move {
            // By name: a record that was copied beside itself is shown once.
            let found = Mutex::new(BTreeMap::new());
            let mut visit = |record: SessionRecord| {
                let key = Session::key_in(&record).filter(|key| sessions.is_own(key));
                let info = key.and_then(|key| {
                    let session = Session::read(&record, &key).ok()?;
                    SessionInfo::of(key.session(), session)
                });
                lock(&found).extend(info.map(|info| (info.name.clone(), info)));
            };
            let listing = sessions.store.list(&mut visit);
            let limit = sessions.store_timeout.saturating_mul(12);
            sessions
                .limited_to(limit, listing)
                .await
                .map_err(Error::Store)?;
            let found = found.into_inner().unwrap_or_default();
            Ok(found.into_values().collect())
        })
        .await
    }
}
