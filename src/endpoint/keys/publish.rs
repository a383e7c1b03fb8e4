//! How a flight for the keys ends.

use std::sync::Arc;

use super::{FetchOutcome, Known, LIFE, REFRESH_AT, STALE_MAX, Shared, pause::pause};
use crate::{endpoint::flight::Flight, error::Error, jwt::KeySet, time::Moment};

impl Shared {
    /// Forgets a flight that will not end, so that the next call starts another.
    pub(super) fn abandon(&self, lost: &Flight<FetchOutcome>) {
        let mut state = self.state();
        let given_up = state.flight.take_if(|flight| flight.id() == lost.id());
        if given_up.is_some() {
            state.next_for_unknown = None;
        }
    }

    /// Publishes the keys of flight `id`, or remembers its failure; it began at `started`.
    pub(super) fn finish(
        &self,
        id: u64,
        started: Moment,
        fetched: Result<KeySet, Error>,
    ) -> FetchOutcome {
        let mut state = self.state();
        state.flight.take_if(|flight| flight.id() == id);
        match fetched {
            Ok(keys) => {
                if id > state.published {
                    state.published = id;
                    (state.failure, state.failures) = (None, 0);
                    self.publish(started, keys);
                }
                Ok(())
            }
            // Overdue, and a later flight was faster.
            Err(error) if id < state.published => Err(error),
            Err(error) => {
                // They may have moved, whatever answers at the old address or does not: the next try
                // begins with the metadata.
                state.location = None;
                let pause = pause(state.failures, &error);
                state.failures = state.failures.saturating_add(1);
                state.failure = Some((error.clone(), self.clock.now().plus(pause)));
                tracing::warn!(
                    issuer = self.discovery.issuer(), %error, ?pause,
                    has_old_keys = self.known.load().is_some(),
                    "the issuer's keys could not be fetched"
                );
                Err(error.with_wait_left(pause))
            }
        }
    }

    fn publish(&self, started: Moment, keys: KeySet) {
        tracing::debug!(
            issuer = self.discovery.issuer(),
            keys = keys.len(),
            skipped = keys.skipped(),
            "the issuer's keys were fetched"
        );
        // Equal keys stay the same object, so that tokens verified with them need not be verified again.
        let same = self.known.load_full().map(|known| Arc::clone(&known.keys));
        let same = same.filter(|known| **known == keys);
        self.known.store(Some(Arc::new(Known {
            keys: same.unwrap_or_else(|| Arc::new(keys)),
            refresh_from: started.plus(LIFE.mul_f64(REFRESH_AT)),
            until: started.plus(LIFE),
            stale_until: started.plus(STALE_MAX),
        })));
    }
}
