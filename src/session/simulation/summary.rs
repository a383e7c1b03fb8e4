//! What the schedules of a run have met, in numbers.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{invariants::causes::Cause, issuer::Death, world::World};
use crate::session::transition::{self, Transition};

/// What one schedule, or many, have met.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    pub(super) schedules: u64,
    pub(super) events: u64,
    polls: u64,
    redemptions: u64,
    repetitions: u64,
    sign_ins: u64,
    sign_outs: u64,
    deaths: BTreeMap<Cause, u64>,
    /// The longest call, in milliseconds while its process ran.
    longest_call: u64,
    taken: BTreeSet<Transition>,
}

impl Summary {
    pub(super) fn of(world: &World, events: u64) -> Self {
        world.with(|state| {
            let mut deaths = BTreeMap::new();
            for family in &state.families.all {
                let cause = match family.death {
                    Some(Death::Revoked { .. }) => Some(Cause::Ended),
                    Some(_) => family.cause,
                    None => None,
                };
                if let Some(cause) = cause {
                    *deaths.entry(cause).or_default() += 1;
                }
            }
            let longest = state.calls.longest.as_millis();
            Self {
                schedules: 1,
                events,
                polls: world.executor.polls(),
                redemptions: state.families.attempts.len() as u64,
                repetitions: state.families.repetitions,
                sign_ins: state.people.sign_ins.len() as u64,
                sign_outs: state.people.sign_outs.len() as u64,
                deaths,
                longest_call: u64::try_from(longest).unwrap_or(u64::MAX),
                taken: transition::take(),
            }
        })
    }

    pub(super) fn add(&mut self, other: Self) {
        self.schedules += other.schedules;
        self.events += other.events;
        self.polls += other.polls;
        self.redemptions += other.redemptions;
        self.repetitions += other.repetitions;
        self.sign_ins += other.sign_ins;
        self.sign_outs += other.sign_outs;
        self.longest_call = self.longest_call.max(other.longest_call);
        self.taken.extend(other.taken);
        for (cause, count) in other.deaths {
            *self.deaths.entry(cause).or_default() += count;
        }
    }

    /// The lines of the table that no schedule took.
    pub(super) fn never_taken(&self) -> Vec<Transition> {
        let all = Transition::ALL.iter();
        all.filter(|line| !self.taken.contains(line))
            .copied()
            .collect()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "schedules        {:>12}", self.schedules)?;
        writeln!(f, "events           {:>12}", self.events)?;
        writeln!(f, "steps            {:>12}", self.polls)?;
        writeln!(f, "sign-ins         {:>12}", self.sign_ins)?;
        writeln!(f, "sign-outs        {:>12}", self.sign_outs)?;
        writeln!(f, "redemptions      {:>12}", self.redemptions)?;
        writeln!(f, "sent once more   {:>12}", self.repetitions)?;
        writeln!(f, "longest call     {:>10} s", self.longest_call / 1000)?;
        writeln!(f, "families that ended:")?;
        for (cause, count) in &self.deaths {
            writeln!(f, "  {:<14} {count:>12}", format!("{cause:?}"))?;
        }
        let taken = Transition::ALL.len() - self.never_taken().len();
        writeln!(
            f,
            "lines of the table taken: {taken} of {}",
            Transition::ALL.len()
        )
    }
}
