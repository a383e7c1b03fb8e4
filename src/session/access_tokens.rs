//! What this process knows of a session's access tokens beside the record: which were refused, and how old each is.

use std::collections::VecDeque;

use super::record::KeptToken;
use crate::{secret::Secret, time::Moment};

/// What this process knows of access tokens that no record says.
///
/// An access token that was refused here is never taken from a record again, and one whose age this process has
/// known once is never younger: both whatever the record says, for as many as are remembered.
#[derive(Default)]
pub(crate) struct AccessTokens {
    /// Those that an API has refused, or that are to be forgotten.
    rejected: VecDeque<Secret>,
    ages: VecDeque<Age>,
}

/// When a kept token was requested, on both clocks of this process.
///
/// The record knows the wall clock alone: set back, it would bring an ended token to life again.
struct Age {
    audience: String,
    requested_at: u64,
    on_both_clocks: Moment,
}

impl AccessTokens {
    /// Takes note of an access token that is not to be taken from the store again.
    pub(crate) fn reject(&mut self, access_token: &str) {
        if self.rejected.len() >= REJECTED {
            self.rejected.pop_front();
        }
        self.rejected.push_back(Secret::from(access_token));
    }

    pub(crate) fn has_rejected(&self, access_token: &Secret) -> bool {
        let mut rejected = self.rejected.iter();
        rejected.any(|one| one.expose() == access_token.expose())
    }

    /// When `kept` was requested, as this process has first read it; nothing if that is yet to come.
    pub(crate) fn requested_at(&mut self, kept: &KeptToken, now: Moment) -> Option<Moment> {
        let is_it =
            |age: &&Age| age.requested_at == kept.requested_at && age.audience == kept.audience;
        if let Some(known) = self.ages.iter().find(is_it) {
            return Some(known.on_both_clocks);
        }
        let on_both_clocks = kept.requested_at(now)?;
        self.requested(kept, on_both_clocks);
        Some(on_both_clocks)
    }

    /// Takes note of when `kept` was requested.
    pub(crate) fn requested(&mut self, kept: &KeptToken, on_both_clocks: Moment) {
        if self.ages.len() >= AGES {
            self.ages.pop_front();
        }
        self.ages.push_back(Age {
            audience: kept.audience.clone(),
            requested_at: kept.requested_at,
            on_both_clocks,
        });
    }
}

/// How many refused access tokens of a session are remembered.
const REJECTED: usize = 16;

/// How many ages are remembered: twice as many as a record has tokens.
const AGES: usize = 128;
