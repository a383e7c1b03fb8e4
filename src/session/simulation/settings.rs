//! What one schedule is about: each draws a few kinds of trouble out of all, so that each is met alone and
//! with others.

use std::time::Duration;

use super::{random::Random, weather::Trouble};
use crate::dialect::{Dialect, TokenFamily};

/// What is fixed for one schedule.
#[expect(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) hosts: usize,
    /// How many processes run at a time.
    pub(super) processes: usize,
    pub(super) sessions: usize,
    pub(super) events: usize,
    pub(super) store: StoreKind,
    /// The largest record that the store takes, in bytes.
    pub(super) record_limit: usize,
    /// Larger records find no space while the store is full, in bytes.
    pub(super) full_above: usize,
    /// Whether a share that is not mounted takes a record that then is in another place.
    pub(super) takes_while_away: bool,
    pub(super) grace: Grace,
    pub(super) grace_period: Duration,
    pub(super) dialect: Dialect,
    /// In how many of a hundred answers there is a new refresh token.
    pub(super) rotates: u32,
    /// Whether revoking a refresh token that was rotated away ends its family.
    pub(super) revokes_by_old_token: bool,
    pub(super) names_person: bool,
    pub(super) lifetime: Duration,
    /// How long the text of an access token is.
    pub(super) token_length: usize,
    pub(super) troubles: Vec<Trouble>,
    /// Whether wall clocks are set, and differ between hosts.
    pub(super) has_clock_steps: bool,
    pub(super) has_kills: bool,
    pub(super) has_pauses: bool,
    /// Whether records are wiped and damaged.
    pub(super) loses_records: bool,
    /// Whether the first session was written by an older version of this crate.
    pub(super) has_older_record: bool,
    /// Whether the last session was written by a newer one.
    pub(super) has_newer_record: bool,
}

/// How the store keeps its locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreKind {
    /// A lock is free as soon as its holder is dead; calls run in the process that makes them.
    File,
    /// A lock is a lease; calls run at a server.
    Database {
        lease: Duration,
        is_renewed: bool,
        announces: bool,
    },
}

/// What the issuer does with a refresh token that it has redeemed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grace {
    /// The family ends.
    None,
    /// Within the period, it is answered again.
    ForAll,
    /// Within the period, the identical request is answered again; for another one the family ends.
    ForIdentical,
}

impl Settings {
    pub(super) fn draw(random: &mut Random) -> Self {
        let grace = *random.choose(&[Grace::None, Grace::None, Grace::ForAll, Grace::ForIdentical]);
        let grace_period = *random.choose(&[30, 60, 120]);
        let is_small = random.once_in(5);
        Self {
            hosts: random.between(2, 3).try_into().unwrap_or(2),
            processes: random.between(3, 5).try_into().unwrap_or(3),
            sessions: random.between(1, 3).try_into().unwrap_or(1),
            events: random.between(50, 80).try_into().unwrap_or(50),
            store: StoreKind::draw(random),
            record_limit: if is_small { 2560 } else { 1 << 20 },
            full_above: *random.choose(&[0, 0, 1200, 2000]),
            takes_while_away: random.once_in(4),
            grace,
            grace_period: Duration::from_secs(grace_period),
            dialect: dialect(random, grace, grace_period),
            rotates: *random.choose(&[100, 100, 100, 60]),
            revokes_by_old_token: random.percent(50),
            names_person: random.percent(40),
            lifetime: random.seconds(60, 900),
            token_length: *random.choose(&[40, 40, 700, 1500]),
            troubles: troubles(random),
            has_clock_steps: random.percent(40),
            has_kills: random.percent(70),
            has_pauses: random.percent(50),
            loses_records: random.percent(15),
            has_older_record: random.percent(10),
            has_newer_record: random.percent(4),
        }
    }
}

impl StoreKind {
    fn draw(random: &mut Random) -> Self {
        if random.percent(55) {
            return Self::File;
        }
        let is_renewed = random.percent(60);
        // As long as the trait demands of a lease, where it is not renewed.
        let lease = if is_renewed {
            30
        } else {
            random.between(75, 120)
        };
        Self::Database {
            lease: Duration::from_secs(lease),
            is_renewed,
            announces: random.percent(60),
        }
    }
}

fn dialect(random: &mut Random, grace: Grace, grace_period: u64) -> Dialect {
    let mut dialect = Dialect::intelliauth();
    if random.percent(25) {
        dialect.token_family = TokenFamily::PerAudience;
    }
    dialect.narrows_per_token = random.percent(25);
    dialect.refresh_may_exceed = random.percent(10);
    // Half of it: a request may be on its way for as long as it may take.
    if grace != Grace::None && random.percent(75) {
        dialect.refresh_grace = Some(Duration::from_secs(grace_period / 2));
    }
    dialect
}

/// None in some schedules: what goes wrong then is not the world's fault.
fn troubles(random: &mut Random) -> Vec<Trouble> {
    let count = random.below(6);
    let mut drawn: Vec<_> = (0..count).map(|_| *random.choose(Trouble::ALL)).collect();
    drawn.sort_unstable();
    drawn.dedup();
    drawn
}
