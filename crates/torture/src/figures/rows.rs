//! The lines of the table.

use std::time::Duration;

use super::Figures;
use super::row::{Goal, Number, Row};
use crate::loss::{Fault, Kill, Lost, Ours, lost};

impl Figures {
    pub(super) fn rows(&self) -> Vec<Row> {
        let mut rows = self.goals();
        rows.extend(self.losses_by_cause());
        rows.extend(self.beside());
        rows
    }

    fn goals(&self) -> Vec<Row> {
        let (used_twice, _) = self.reused();
        let torn = self.torn_reads + self.litter.damaged;
        let inside = self.done.inside.len() as u64;
        let dropped = self.ledger.dropped_replies();
        let report = &self.report;
        let none =
            |key, label: &str, count| Row::goal(key, label, Number::Count(count), Goal::None);
        let some =
            |key, label: &str, count| Row::goal(key, label, Number::Count(count), Goal::Some);
        vec![
            none(
                "logouts_our_fault",
                "logouts that are our fault",
                self.ours(None),
            ),
            Row::goal(
                "redemptions_per_rotation",
                "redemptions per rotation",
                Number::Ratio(ratio(
                    self.ledger.redemptions() + used_twice,
                    self.rotations,
                )),
                Goal::ExactlyOne,
            ),
            none("torn_files", "torn or damaged files", torn),
            none(
                "wrong_audience",
                "tokens for another audience",
                report.wrong_audience,
            ),
            none("expired", "tokens that had expired", report.expired),
            none(
                "surprises",
                "errors that nobody expects",
                report.surprises.len() as u64,
            ),
            none(
                "failed_processes",
                "processes that failed or hung by themselves",
                self.failed + self.stuck,
            ),
            // A run that strikes nobody shows nothing.
            some("tokens", "tokens handed out", report.tokens),
            some(
                "killed_inside",
                "processes killed inside a redemption",
                inside,
            ),
            some(
                "dropped_replies",
                "replies torn after the issuer had done its part",
                dropped,
            ),
            some(
                "left_in_window",
                "processes that ended right after a hit in the window",
                report.leaves_in_window,
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

    fn beside(&self) -> Vec<Row> {
        let inside = &self.done.inside;
        let unprocessed = || inside.iter().filter(|kill| !kill.was_processed);
        let is_saved = |kill: &&Kill| {
            let is_lost = lost(&kill.place, &self.ledger, inside).is_some();
            self.ledger.is_redeemed(&kill.place) && !is_lost
        };
        let saved = unprocessed().filter(is_saved);
        let repetitions = inside.iter().filter(|kill| kill.was_repetition);
        let (_, replays) = self.reused();
        let lock = self.done.longest_lock.as_secs_f64() * 1000.0;
        let wait = Duration::from_millis(self.report.longest_wait).as_secs_f64() * 1000.0;
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
                unprocessed().count() as u64,
            ),
            Row::count(
                "saved",
                "of those, the session saved by a repetition",
                saved.count() as u64,
            ),
            Row::count(
                "killed_repeating",
                "killed inside a repetition",
                repetitions.count() as u64,
            ),
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
            Row::measured("longest_wait_ms", "longest wait for a token", wait),
            Row::measured(
                "longest_lock_ms",
                "longest time a lock outlived its holder",
                lock,
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
