//! The lines of the table.

use std::time::Duration;

use super::Figures;
use super::row::Row;
use crate::loss::{Fault, Kill, Lost, Ours, lost};

impl Figures {
    pub(super) fn rows(&self) -> Vec<Row> {
        let mut rows = self.must_not_be();
        rows.extend(self.must_be());
        rows.extend(self.losses_by_cause());
        rows.extend(self.redemptions());
        rows.extend(self.beside());
        rows
    }

    fn must_not_be(&self) -> Vec<Row> {
        let (used_twice, _) = self.reused();
        let redemptions = self.ledger.redemptions() + used_twice;
        let report = &self.report;
        let surprises = report.surprises.len() as u64;
        let torn = self.torn_reads + self.litter.damaged;
        let failed = self.failed + self.stuck;
        let ours = self.ours(None);
        vec![
            Row::none("logouts_our_fault", "logouts that are our fault", ours),
            Row::exactly_one(
                "redemptions_per_rotation",
                "redemptions per rotation",
                ratio(redemptions, self.rotations),
            ),
            Row::none("torn_files", "torn or damaged files", torn),
            Row::none(
                "wrong_audience",
                "tokens for another audience",
                report.wrong_audience,
            ),
            Row::none("expired", "tokens that had expired", report.expired),
            Row::none("surprises", "errors that nobody expects", surprises),
            Row::none(
                "failed_processes",
                "processes that failed or hung by themselves",
                failed,
            ),
        ]
    }

    fn must_be(&self) -> Vec<Row> {
        vec![
            Row::some("tokens", "tokens handed out", self.report.tokens),
            Row::some(
                "killed_inside",
                "processes killed inside a redemption",
                self.done.inside.len() as u64,
            ),
            Row::some(
                "dropped_replies",
                "replies torn after the issuer had done its part",
                self.ledger.dropped_replies(),
            ),
            Row::some(
                "left_in_window",
                "processes that ended right after a hit in the window",
                self.report.leaves_in_window,
            ),
            Row::some(
                "left_giving_up",
                "processes that ended right after giving up on a call",
                self.report.leaves_giving_up,
            ),
        ]
    }

    fn losses_by_cause(&self) -> Vec<Row> {
        let by = |lost| {
            self.losses
                .iter()
                .filter(|loss| **loss == Fault::Issuer(lost))
                .count() as u64
        };
        let mut rows = vec![
            Row::count(
                "lost_reply_torn",
                "sessions lost by a torn reply",
                by(Lost::Dropped),
            ),
            Row::count(
                "lost_killed",
                "sessions lost by a kill after the issuer had done its part",
                by(Lost::Killed),
            ),
        ];
        for why in Ours::ALL {
            let count = self.ours(Some(why));
            if count > 0 {
                rows.push(Row::count(key_of(why), &format!("our fault: {why}"), count));
            }
        }
        rows
    }

    fn redemptions(&self) -> Vec<Row> {
        let inside = &self.done.inside;
        let unprocessed = || inside.iter().filter(|kill| !kill.was_processed);
        let is_saved = |kill: &&Kill| {
            let is_lost = lost(&kill.place, &self.ledger, inside).is_some();
            self.ledger.is_redeemed(&kill.place) && !is_lost
        };
        let saved = unprocessed().filter(is_saved).count() as u64;
        let unprocessed = unprocessed().count() as u64;
        let repetitions = inside.iter().filter(|kill| kill.was_repetition);
        let repetitions = repetitions.count() as u64;
        let (_, replays) = self.reused();
        vec![
            Row::count("rotations", "rotations", self.rotations),
            Row::count(
                "replays",
                "repetitions after a lost answer, refused as reuse",
                replays,
            ),
            Row::count(
                "unprocessed",
                "killed inside, before the issuer had seen it",
                unprocessed,
            ),
            Row::count(
                "saved",
                "of those, the session saved by a repetition",
                saved,
            ),
            Row::count(
                "killed_repeating",
                "killed inside a repetition",
                repetitions,
            ),
        ]
    }

    fn beside(&self) -> Vec<Row> {
        let longest_wait = Duration::from_millis(self.report.longest_wait);
        vec![
            Row::count("processes_started", "processes started", self.started),
            Row::count("processes_killed", "processes killed", self.done.killed),
            Row::count(
                "killed_holding",
                "of those, holding the session's lock",
                self.done.holders,
            ),
            Row::count("reads", "looks at the session's file", self.reads),
            Row::count(
                "temporary_files",
                "files left behind by killed writers",
                self.litter.temporary,
            ),
            Row::measured("longest_wait_ms", "longest wait for a token", longest_wait),
            Row::measured(
                "longest_lock_ms",
                "longest time a lock outlived its holder",
                self.done.longest_lock,
            ),
        ]
    }

    /// Losses that are ours, for this reason or for any.
    pub(super) fn ours(&self, why: Option<Ours>) -> u64 {
        let is_meant = |loss: &&Fault| match loss {
            Fault::Ours(found) => why.is_none_or(|why| why == *found),
            Fault::Issuer(_) => false,
        };
        self.losses.iter().filter(is_meant).count() as u64
    }

    /// Refresh tokens that were used again: after their answer had arrived, and after it was lost.
    fn reused(&self) -> (u64, u64) {
        let is_replay = |place: &&_| lost(place, &self.ledger, &self.done.inside).is_some();
        let (replays, twice): (Vec<_>, Vec<_>) = self.ledger.reused().partition(is_replay);
        (twice.len() as u64, replays.len() as u64)
    }
}

fn key_of(why: Ours) -> &'static str {
    match why {
        Ours::UsedTwice => "ours_used_twice",
        Ours::ErasedGood => "ours_erased_good",
        Ours::GivenUpGood => "ours_given_up_good",
        Ours::NotKept => "ours_not_kept",
        Ours::RecordGone => "ours_record_gone",
        Ours::AskedInVain => "ours_asked_in_vain",
    }
}

/// Without a rotation nothing was shown, and no ratio is exactly one.
#[expect(clippy::cast_precision_loss, reason = "counts of one run are small")]
fn ratio(redemptions: u64, rotations: u64) -> f64 {
    if rotations == 0 {
        return 0.0;
    }
    redemptions as f64 / rotations as f64
}
