//! The lines of the table.

use std::time::Duration;

use super::Figures;
use super::row::Row;
use crate::loss::{Fault, Kill, Lost, Ours};

impl Figures {
    pub(super) fn rows(&self) -> Vec<Row> {
        let mut rows = self.must_not_be();
        rows.extend(self.must_be());
        rows.extend(self.losses_by_cause());
        rows.extend(self.redemptions());
        rows.extend(self.misused_grace());
        rows.extend(self.beside());
        rows
    }

    fn must_not_be(&self) -> Vec<Row> {
        let redemptions = self.ledger.redemptions() + self.used_twice();
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
        let mut rows = self.must_be_struck();
        if self.run.grace.is_some() {
            rows.push(Row::some(
                "answered_again",
                "repetitions that the grace period answered",
                self.ledger.replays(),
            ));
        }
        rows
    }

    fn must_be_struck(&self) -> Vec<Row> {
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
        // In a grace period they would be ours.
        let (torn, killed) = match self.run.grace {
            None => (
                "sessions lost by a torn reply",
                "sessions lost by a kill after the issuer had done its part",
            ),
            Some(_) => (
                "sessions lost by a torn reply, after the grace period",
                "sessions lost by a kill, after the grace period",
            ),
        };
        let mut rows = vec![
            Row::count("lost_reply_torn", torn, by(Lost::Dropped)),
            Row::count("lost_killed", killed, by(Lost::Killed)),
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
        // With a grace period also after answers that were lost.
        let is_saved = |kill: &&Kill| self.judge().has_arrived(&kill.place);
        let saved = unprocessed().filter(is_saved).count() as u64;
        let unprocessed = unprocessed().count() as u64;
        let repetitions = inside.iter().filter(|kill| kill.was_repetition);
        let repetitions = repetitions.count() as u64;
        vec![
            Row::count("rotations", "rotations", self.rotations),
            Row::count(
                "replays",
                "repetitions after a lost answer, refused as reuse",
                self.refused_repetitions(),
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

    fn misused_grace(&self) -> Option<Row> {
        self.run.grace.map(|_| {
            Row::count(
                "other_requests",
                "reuse by another request within the grace period",
                self.ledger.other_requests(),
            )
        })
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

    /// How often a refresh token was used again although its answer had arrived.
    fn used_twice(&self) -> u64 {
        let judge = self.judge();
        let spent = self.ledger.reused();
        let refused = spent.filter(|place| judge.lost(place).is_none()).count() as u64;
        // A grace period answers each time: no more often than an answer was lost, if all is well.
        let replayed = self.ledger.replayed();
        let answered: u64 = replayed
            .map(|(place, replays)| replays.saturating_sub(judge.lost_answers(place)))
            .sum();
        refused + answered
    }

    /// Refresh tokens that were used again after their answer was lost, to no avail.
    fn refused_repetitions(&self) -> u64 {
        let judge = self.judge();
        let spent = self.ledger.reused();
        spent.filter(|place| judge.lost(place).is_some()).count() as u64
    }
}

fn key_of(why: Ours) -> &'static str {
    match why {
        Ours::UsedTwice => "ours_used_twice",
        Ours::ErasedGood => "ours_erased_good",
        Ours::GivenUpGood => "ours_given_up_good",
        Ours::LostInGrace => "ours_lost_in_grace",
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
