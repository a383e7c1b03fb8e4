//! What a store announces: a session that another process has changed is loaded, and told to the cache.

use std::sync::{Arc, Weak};

use super::{OpenSession, Sessions, lock, state::State};
use crate::store::{StoreChange, StoreChanges};

/// The cache of the tokens of people's sessions.
pub(crate) trait CachedTokens: Send + Sync {
    /// Forgets every cached token of this session; requests that are under way publish nothing.
    fn forget(&self, open: &Arc<OpenSession>);
}

impl Sessions {
    /// Says once who has cached their tokens.
    pub(crate) fn are_cached_by(&self, cached: Weak<dyn CachedTokens>) {
        // There is one cache for all sessions of an application.
        let _is_second = self.cached.set(cached);
    }

    /// Follows what the store announces, from the first work on and for as long as there is a client.
    pub(super) fn follow_changes(self: &Arc<Self>) {
        if let Some(changes) = lock(&self.changes).take() {
            let sessions = Arc::downgrade(self);
            self.environment
                .spawn_daemon(Box::pin(follow(sessions, changes)));
        }
    }

    /// Loads a session that has changed; nothing of it is handed out if it has ended, or is another's.
    async fn load_again(self: &Arc<Self>, open: &Arc<OpenSession>) {
        let Ok((_, current)) = self.load_current(open).await else {
            return;
        };
        let serving = open.state(|state| state.serving());
        let has_ended = serving.is_some_and(|serving| serving != current.in_force());
        if has_ended {
            open.state(State::stop_serving);
            self.forget_cached(open);
        }
    }

    /// Has the cached tokens of a session forgotten.
    pub(super) fn forget_cached(&self, open: &Arc<OpenSession>) {
        if let Some(cached) = self.cached.get().and_then(Weak::upgrade) {
            cached.forget(open);
        }
    }
}

async fn follow(sessions: Weak<Sessions>, mut changes: StoreChanges) {
    while let Some(change) = changes.next().await {
        let Some(sessions) = sessions.upgrade() else {
            return;
        };
        let concerned = match &change {
            StoreChange::Session(digest) => sessions.open.with_digest(digest).into_iter().collect(),
            _ => sessions.open.all(),
        };
        for open in concerned {
            sessions.load_again(&open).await;
        }
    }
}
