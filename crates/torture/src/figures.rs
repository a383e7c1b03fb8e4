//! What came of a run, and whether its goals were met.

mod row;
mod rows;
mod run;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use self::row::{LABEL, NUMBER, Row};
pub(crate) use self::run::Run;
use crate::killer::Done;
use crate::ledger::Ledger;
use crate::loss::{Fault, Judge, Ours};
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

impl Figures {
    fn judge(&self) -> Judge<'_> {
        Judge {
            ledger: &self.ledger,
            kills: &self.done.inside,
            grace: self.run.grace.map(|grace| grace.period),
        }
    }

    pub(crate) fn is_good(&self) -> bool {
        self.rows().iter().all(Row::is_met)
    }

    /// The table, with the goals first.
    pub(crate) fn table(&self) -> String {
        let rows = self.rows();
        let mut text = format!("\n{}\n\n", self.run.headline());
        for row in rows.iter().filter(|row| row.is_goal()) {
            row.write(&mut text);
        }
        text.push('\n');
        for row in rows.iter().filter(|row| !row.is_goal()) {
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
            .map(|row| (row.key.to_owned(), row.json()))
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
            "grace": self.run.grace.map(|it| format!("{:?}", it.kind)),
            "grace_seconds": self.run.grace.map(|it| it.period.as_secs()),
            "sabotage": self.run.sabotage.map(|it| format!("{it:?}")),
            "goals_met": self.is_good(),
            "goals_missed": missed,
            "figures": figures,
            "our_fault_by_cause": ours,
            "calls_failed": self.report.failed,
        })
    }
}

/// So many of them are shown; they tend to be all the same.
const SURPRISES: usize = 5;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::loss::{Kill, Lost};
    use crate::options::{Grace, GraceKind};

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
                grace: None,
                sabotage: None,
            },
            losses: vec![Fault::Issuer(Lost::Killed)],
            ledger: Ledger::of(&[(0, 0, 0), (1, 0, 1), (2, 0, 0)], &[2]),
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
                leaves_giving_up: 1,
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

    /// With a grace period, and a lost answer that was had again.
    fn good_in_grace() -> Figures {
        let mut figures = good();
        figures.run.grace = Some(Grace {
            kind: GraceKind::Identical,
            period: Duration::from_secs(60),
        });
        figures.ledger = Ledger::of(&[(0, 0, 0), (1, 1, 1), (2, 1, 0)], &[]);
        figures.losses.clear();
        figures
    }

    #[test]
    fn a_grace_period_makes_good_for_lost_answers() {
        let figures = good_in_grace();
        assert!(figures.is_good(), "{}", figures.table());
        assert_eq!(figures.json()["figures"]["answered_again"], 2);
        assert_eq!(figures.json()["figures"]["replays"], 0);
        assert_eq!(figures.json()["grace"], "Identical");
    }

    #[test]
    fn each_goal_of_a_grace_period_can_be_missed() {
        let spoil: [fn(&mut Figures); 4] = [
            |it| it.losses.push(Fault::Ours(Ours::LostInGrace)),
            // Nothing was repeated.
            |it| it.ledger = Ledger::of(&[(0, 0, 0), (1, 0, 1), (2, 0, 0)], &[]),
            // Repeated, although the answer had arrived.
            |it| it.ledger = Ledger::of(&[(0, 1, 0), (1, 1, 1), (2, 1, 0)], &[]),
            // Repeated more often than answers were lost.
            |it| it.ledger = Ledger::of(&[(0, 0, 0), (1, 2, 1), (2, 1, 0)], &[]),
        ];
        for (number, spoil) in spoil.iter().enumerate() {
            let mut figures = good_in_grace();
            spoil(&mut figures);
            assert!(!figures.is_good(), "{number}");
            assert!(figures.table().contains("MISSED"), "{number}");
        }
    }

    #[test]
    fn each_goal_can_be_missed() {
        let spoil: [fn(&mut Figures); 10] = [
            |it| it.losses.push(Fault::Ours(Ours::GivenUpGood)),
            |it| it.ledger = Ledger::of(&[(0, 0, 0), (1, 0, 1), (2, 0, 0)], &[0]),
            |it| it.torn_reads = 1,
            |it| it.litter.damaged = 1,
            |it| it.report.wrong_audience = 1,
            |it| it.report.expired = 1,
            |it| it.failed = 1,
            |it| it.done.inside.clear(),
            |it| it.report.leaves_giving_up = 0,
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
