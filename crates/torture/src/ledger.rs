//! The issuer's books: what became of each refresh token.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use intelliauth_emulator::{AuditEntry, Outcome};

/// A refresh token: its family, and how many of the family came before it.
pub(crate) type Place = (String, u64);

/// What became of each refresh token at the issuer.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    redeemed: BTreeMap<Place, Redeemed>,
    reused: BTreeMap<Place, Reused>,
}

/// A refresh token that was answered with tokens.
#[derive(Clone, Copy, Debug)]
struct Redeemed {
    first: SystemTime,
    answers: u64,
    /// Those of them that a grace period allowed.
    replays: u64,
    /// Those of them that a fault then spoilt.
    dropped: u64,
}

/// A refresh token with which its family ended, because it had been used before.
#[derive(Clone, Copy, Debug)]
struct Reused {
    at: SystemTime,
    /// The grace period would have covered the request that spent it, and this was another one.
    is_other_request: bool,
}

impl Ledger {
    pub(crate) fn read(audit: &[AuditEntry]) -> Self {
        let mut ledger = Self::default();
        for entry in audit {
            let data = &entry.data;
            let place = data["family"]
                .as_str()
                .zip(data["refresh_token_number"].as_u64());
            let Some(place) = place.map(|(family, number)| (family.to_owned(), number)) else {
                continue;
            };
            let is_answered = matches!(entry.outcome, Outcome::Success | Outcome::Partial);
            match entry.kind.as_str() {
                "oauth.refresh_token_reused" => {
                    let reused = Reused {
                        at: entry.occurred_at,
                        is_other_request: data["differing"].is_array(),
                    };
                    ledger.reused.insert(place, reused);
                }
                "oauth.token_request" if is_answered => {
                    let fault = data["fault"].as_str();
                    let is_dropped = fault.is_some_and(|fault| LOSES.contains(&fault));
                    let is_replay = data["replay"] == true;
                    let redeemed = ledger.redeemed.entry(place);
                    let redeemed = redeemed.or_insert_with(|| Redeemed::at(entry.occurred_at));
                    redeemed.answers += 1;
                    redeemed.replays += u64::from(is_replay);
                    redeemed.dropped += u64::from(is_dropped);
                }
                _ => {}
            }
        }
        ledger
    }

    /// Answers that no grace period explains: one for each rotation, if all is well.
    pub(crate) fn redemptions(&self) -> u64 {
        let redeemed = self.redeemed.values();
        redeemed.map(|it| it.answers - it.replays).sum()
    }

    pub(crate) fn replays(&self) -> u64 {
        self.redeemed.values().map(|it| it.replays).sum()
    }

    pub(crate) fn dropped_replies(&self) -> u64 {
        self.redeemed.values().map(|it| it.dropped).sum()
    }

    /// The refresh tokens that were answered more than once, and how many more times.
    pub(crate) fn replayed(&self) -> impl Iterator<Item = (&Place, u64)> {
        let redeemed = self.redeemed.iter();
        let replayed = redeemed.filter(|(_, it)| it.replays > 0);
        replayed.map(|(place, it)| (place, it.replays))
    }

    /// How often the token was answered.
    pub(crate) fn answers(&self, place: &Place) -> u64 {
        self.redeemed.get(place).map_or(0, |it| it.answers)
    }

    /// How many of these answers were spoilt on their way.
    pub(crate) fn dropped(&self, place: &Place) -> u64 {
        self.redeemed.get(place).map_or(0, |it| it.dropped)
    }

    pub(crate) fn reused(&self) -> impl Iterator<Item = &Place> {
        self.reused.keys()
    }

    /// How many families ended because a grace period was used for another request.
    pub(crate) fn other_requests(&self) -> u64 {
        let reused = self.reused.values();
        reused.filter(|it| it.is_other_request).count() as u64
    }

    /// The token that ended the family.
    pub(crate) fn reused_in(&self, family: &str) -> Option<&Place> {
        self.reused().find(|(of, _)| of == family)
    }

    /// How long after its first answer the token came again and ended its family.
    pub(crate) fn reused_after(&self, place: &Place) -> Option<Duration> {
        let (redeemed, reused) = (self.redeemed.get(place)?, self.reused.get(place)?);
        // The emulator's clock is the machine's: set back, it shows no time in between.
        Some(reused.at.duration_since(redeemed.first).unwrap_or_default())
    }
}

impl Redeemed {
    fn at(first: SystemTime) -> Self {
        Self {
            first,
            answers: 0,
            replays: 0,
            dropped: 0,
        }
    }
}

/// Faults after which the issuer has done its part and the client knows nothing.
const LOSES: [&str; 3] = ["drop_after", "torn_body", "truncated_json"];

#[cfg(test)]
impl Ledger {
    /// Of the family `fam`: tokens that were answered, with how many replays and spoilt answers there
    /// are among that, and tokens that ended the family five seconds later.
    pub(crate) fn of(redeemed: &[(u64, u64, u64)], reused: &[u64]) -> Self {
        let place = |number: u64| ("fam".to_owned(), number);
        let first = SystemTime::UNIX_EPOCH;
        let redeemed = redeemed.iter().map(|(number, replays, dropped)| {
            let redeemed = Redeemed {
                first,
                answers: 1 + replays,
                replays: *replays,
                dropped: *dropped,
            };
            (place(*number), redeemed)
        });
        let reused = reused.iter().map(|number| {
            let reused = Reused {
                at: first + REUSED_AFTER,
                is_other_request: false,
            };
            (place(*number), reused)
        });
        Self {
            redeemed: redeemed.collect(),
            reused: reused.collect(),
        }
    }
}

#[cfg(test)]
pub(crate) const REUSED_AFTER: Duration = Duration::from_secs(5);
