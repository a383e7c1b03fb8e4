//! What came of a run, and whether its goals were met.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::issuer::Ledger;
use crate::killer::Done;
use crate::loss::{Fault, Kill, Lost, Ours, lost};
use crate::options::{Options, Sabotage};
use crate::report::Report;
use crate::session::Litter;

/// Everything that was counted.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) run: Run,
    pub(crate) losses: Vec<Fault>,
    pub(crate) ledger: Ledger,
    pub(crate) rotations: u64,
    pub(crate) done: Done,
    pub(crate) report: Report,
    /// How often the session's file was read, and how often it did not parse.
    pub(crate) reads: u64,
    pub(crate) torn_reads: u64,
    pub(crate) litter: Litter,
    pub(crate) started: u64,
    pub(crate) failed: u64,
    /// Processes that did not end when they were to.
    pub(crate) stuck: u64,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) processes: u16,
    pub(crate) audiences: u16,
    pub(crate) seconds: u64,
    pub(crate) lifetime: u64,
    pub(crate) seed: u64,
    pub(crate) is_merciless: bool,
    pub(crate) sabotage: Option<Sabotage>,
}

/// One line of the table.
#[derive(Debug)]
struct Row {
    /// In the JSON.
    key: &'static str,
    label: String,
    value: Number,
    goal: Option<Goal>,
}

#[derive(Clone, Copy, Debug)]
enum Number {
    Count(u64),
    Ratio(f64),
    Milliseconds(f64),
}

#[derive(Clone, Copy, Debug)]
enum Goal {
    None,
    ExactlyOne,
    Some,
}

impl Run {
    pub(crate) fn new(options: &Options, seed: u64) -> Self {
        Self {
            processes: options.processes,
            audiences: options.audiences,
            seconds: options.seconds,
            lifetime: options.lifetime,
            seed,
            is_merciless: options.merciless,
            sabotage: options.sabotage,
        }
    }

    pub(crate) fn headline(&self) -> String {
        let mut line = format!(
            "torture: {} processes, {} audiences, {} s, tokens live {} s, seed {}",
            self.processes, self.audiences, self.seconds, self.lifetime, self.seed
        );
        if self.is_merciless {
            line.push_str(", merciless");
        }
        if let Some(sabotage) = self.sabotage {
            let _ = write!(line, ", sabotage: {sabotage:?}");
        }
        line
    }
}

impl Figures {
    pub(crate) fn is_good(&self) -> bool {
        self.rows().iter().all(Row::is_met)
    }

    /// The table, with the goals first.
    pub(crate) fn table(&self) -> String {
        let rows = self.rows();
        let mut text = format!("\n{}\n\n", self.run.headline());
        for row in rows.iter().filter(|row| row.goal.is_some()) {
            row.write(&mut text);
        }
        text.push('\n');
        for row in rows.iter().filter(|row| row.goal.is_none()) {
            row.write(&mut text);
        }
        for (kind, count) in &self.report.failed {
            let label = format!("calls that failed: {kind}");
            let _ = writeln!(text, "  {label:<LABEL$} {count:>NUMBER$}");
        }
        for surprise in self.report.surprises.iter().take(SURPRISES) {
            let _ = writeln!(text, "  nobody expected: {surprise}");
        }
        let verdict = if self.is_good() {
            "every goal was met"
        } else {
            "NOT every goal was met"
        };
        let _ = writeln!(text, "\n  {verdict}");
        text
    }

    pub(crate) fn json(&self) -> Value {
        let figures: serde_json::Map<_, _> = self
            .rows()
            .iter()
            .map(|row| (row.key.to_owned(), row.value.json()))
            .collect();
        let missed: Vec<_> = self
            .rows()
            .iter()
            .filter(|row| !row.is_met())
            .map(|row| row.key)
            .collect();
        let ours: BTreeMap<_, _> = Ours::ALL
            .iter()
            .map(|why| (why.to_string(), self.ours(Some(*why))))
            .collect();
        json!({
            "processes": self.run.processes,
            "audiences": self.run.audiences,
            "seconds": self.run.seconds,
            "token_lifetime_seconds": self.run.lifetime,
            "seed": self.run.seed,
            "merciless": self.run.is_merciless,
            "sabotage": self.run.sabotage.map(|it| format!("{it:?}")),
            "goals_met": self.is_good(),
            "goals_missed": missed,
            "figures": figures,
            "our_fault_by_cause": ours,
            "calls_failed": self.report.failed,
        })
    }

    fn rows(&self) -> Vec<Row> {
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
    fn ours(&self, why: Option<Ours>) -> u64 {
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

impl Row {
    fn goal(key: &'static str, label: &str, value: Number, goal: Goal) -> Self {
        let label = label.to_owned();
        Self {
            key,
            label,
            value,
            goal: Some(goal),
        }
    }

    fn count(key: &'static str, label: &str, count: u64) -> Self {
        let (label, value) = (label.to_owned(), Number::Count(count));
        Self {
            key,
            label,
            value,
            goal: None,
        }
    }

    fn measured(key: &'static str, label: &str, milliseconds: f64) -> Self {
        let (label, value) = (label.to_owned(), Number::Milliseconds(milliseconds));
        Self {
            key,
            label,
            value,
            goal: None,
        }
    }

    fn is_met(&self) -> bool {
        match (self.goal, self.value) {
            (None, _) => true,
            (Some(Goal::None), Number::Count(count)) => count == 0,
            (Some(Goal::Some), Number::Count(count)) => count > 0,
            (Some(Goal::ExactlyOne), Number::Ratio(ratio)) => (ratio - 1.0).abs() < f64::EPSILON,
            (Some(_), _) => false,
        }
    }

    fn write(&self, text: &mut String) {
        let value = match self.value {
            Number::Count(count) => count.to_string(),
            Number::Ratio(ratio) => format!("{ratio:.3}"),
            Number::Milliseconds(milliseconds) => format!("{milliseconds:.1} ms"),
        };
        let goal = match self.goal {
            None => "",
            Some(Goal::None) => "goal 0",
            Some(Goal::ExactlyOne) => "goal 1",
            Some(Goal::Some) => "goal > 0",
        };
        let verdict = match self.goal {
            None => "",
            Some(_) if self.is_met() => "met",
            Some(_) => "MISSED",
        };
        // Writing into a `String` cannot fail.
        let line = format!(
            "  {:<LABEL$} {value:>NUMBER$}  {goal:<8} {verdict}",
            self.label
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

impl Number {
    fn json(self) -> Value {
        match self {
            Self::Count(count) => count.into(),
            Self::Ratio(number) | Self::Milliseconds(number) => number.into(),
        }
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

const LABEL: usize = 60;
const NUMBER: usize = 12;

/// So many of them are shown; they tend to be all the same.
const SURPRISES: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    /// A run in which everything went well, and enough was struck.
    fn good() -> Figures {
        let inside = vec![Kill {
            place: ("fam".to_owned(), 2),
            was_processed: true,
            was_repetition: false,
        }];
        Figures {
            run: Run {
                processes: 4,
                audiences: 3,
                seconds: 10,
                lifetime: 4,
                seed: 1,
                is_merciless: false,
                sabotage: None,
            },
            losses: vec![Fault::Issuer(Lost::Killed)],
            ledger: Ledger::of(&[(0, false), (1, true), (2, false)], &[2]),
            rotations: 3,
            done: Done {
                killed: 1,
                holders: 1,
                inside,
                longest_lock: Duration::ZERO,
            },
            report: Report {
                tokens: 9,
                leaves_in_window: 1,
                ..Report::default()
            },
            reads: 5,
            torn_reads: 0,
            litter: Litter::default(),
            started: 5,
            failed: 0,
            stuck: 0,
        }
    }

    #[test]
    fn losses_that_the_issuer_caused_are_told_and_fail_nothing() {
        let figures = good();
        assert!(figures.is_good(), "{}", figures.table());
        assert_eq!(figures.json()["figures"]["replays"], 1);
        assert_eq!(figures.json()["figures"]["lost_killed"], 1);
    }

    #[test]
    fn each_goal_can_be_missed() {
        let spoil: [fn(&mut Figures); 9] = [
            |it| it.losses.push(Fault::Ours(Ours::GivenUpGood)),
            |it| it.ledger = Ledger::of(&[(0, false), (1, true), (2, false)], &[0]),
            |it| it.torn_reads = 1,
            |it| it.litter.damaged = 1,
            |it| it.report.wrong_audience = 1,
            |it| it.report.expired = 1,
            |it| it.failed = 1,
            |it| it.done.inside.clear(),
            |it| it.rotations = 0,
        ];
        for (number, spoil) in spoil.iter().enumerate() {
            let mut figures = good();
            spoil(&mut figures);
            assert!(!figures.is_good(), "{number}");
            assert!(figures.table().contains("MISSED"), "{number}");
        }
    }
}
