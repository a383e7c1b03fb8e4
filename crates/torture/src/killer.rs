//! `kill -9`: at random, and inside a redemption.
//!
//! A process is stopped first, looked at, and then killed where it stands. Stopped inside a redemption
//! it still holds the session's lock, so the file and the issuer show exactly how far it had come.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::clock;
use crate::issuer::Issuer;
use crate::ledger::Place;
use crate::loss::{Judge, Kill};
use crate::options::Options;
use crate::session::SessionFile;
use crate::workers::Workers;

/// Kills processes until it is over.
pub(crate) struct Killer<'a> {
    pub(crate) workers: &'a Workers,
    pub(crate) issuer: &'a Issuer,
    pub(crate) file: &'a SessionFile,
    /// Aims at repetitions too.
    is_merciless: bool,
    /// The grace period that the processes count on.
    pub(crate) grace: Option<Duration>,
    done: Mutex<Done>,
}

/// What has been done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Done {
    pub(crate) killed: u64,
    /// Those of them that held the session's lock.
    pub(crate) holders: u64,
    /// Those of them that were inside of a redemption.
    pub(crate) inside: Vec<Kill>,
    /// The longest time from a kill of a holder until the system had freed its lock.
    pub(crate) longest_lock: Duration,
}

/// A process, where it stands.
enum Caught {
    Elsewhere,
    Holder,
    Inside(Kill),
}

impl<'a> Killer<'a> {
    pub(crate) fn new(
        workers: &'a Workers,
        issuer: &'a Issuer,
        file: &'a SessionFile,
        options: &Options,
    ) -> Self {
        Self {
            workers,
            issuer,
            file,
            is_merciless: options.merciless,
            grace: options.grace().map(|grace| grace.period),
            done: Mutex::default(),
        }
    }

    pub(crate) fn run(&self, mut draw: fastrand::Rng) {
        let mut next_aimed = clock::now() + pause(&mut draw);
        while !self.workers.is_over() {
            let now = clock::now();
            for process in self.workers.due(now) {
                self.strike(process, false);
            }
            let is_hunting = self.is_merciless && self.is_repeated_soon();
            if (is_hunting || now >= next_aimed) && self.aim(&mut draw, is_hunting) {
                next_aimed = clock::now() + pause(&mut draw);
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    pub(crate) fn done(&self) -> Done {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.clone()
    }

    /// Whether a repetition is let through: where it is the last one, its loss is a known price.
    pub(crate) fn spares_repetitions(&self) -> bool {
        !self.is_merciless && self.grace.is_none()
    }

    /// Judges by what is known so far.
    pub(crate) fn judge<T>(&self, judge: impl FnOnce(&Judge<'_>) -> T) -> T {
        let (ledger, done) = (self.issuer.ledger(), self.done());
        judge(&Judge {
            ledger: &ledger,
            kills: &done.inside,
            grace: self.grace,
        })
    }

    /// Whether somebody was caught inside of a redemption.
    fn aim(&self, draw: &mut fastrand::Rng, at_once: bool) -> bool {
        let Some(holder) = self.file.holder() else {
            return false;
        };
        if !at_once {
            // Anywhere between the mark in the file and the new token in it.
            thread::sleep(Duration::from_micros(draw.u64(INTO_REDEMPTION)));
        }
        self.strike(holder, true)
    }

    /// What the last one was killed in is not repeated yet, and may be struck again.
    ///
    /// Without a grace period only if the issuer had not seen it: else the session is lost already.
    fn is_repeated_soon(&self) -> bool {
        let inside = self.done().inside;
        let Some(last) = inside.last() else {
            return false;
        };
        let may_strike = if self.grace.is_some() {
            let in_a_row = inside.iter().rev();
            in_a_row.take_while(|kill| kill.place == last.place).count() < MOST_IN_A_ROW
        } else {
            !last.was_processed && !last.was_repetition
        };
        may_strike && self.is_marked(&last.place)
    }

    fn is_marked(&self, place: &Place) -> bool {
        let standing = self
            .file
            .standing()
            .filter(|standing| standing.unanswered() > 0);
        let token = standing.and_then(|standing| self.issuer.look_up(&standing.refresh_token));
        token.is_some_and(|token| token.place == *place)
    }

    /// Kills a process of ours; with `only_inside`, only inside of a redemption.
    fn strike(&self, process: u32, only_inside: bool) -> bool {
        // Nobody waits for its end meanwhile: the number stays its own.
        let mut running = self.workers.running();
        let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
        let (Some(worker), Some(pid)) = (running.get_mut(&process), pid) else {
            return false;
        };
        if worker.was_struck || kill_process(pid, Signal::STOP).is_err() || !has_stopped(pid) {
            // It ends by itself just now.
            let _ = kill_process(pid, Signal::CONT);
            return false;
        }
        let caught = self.look(process);
        let is_meant = match &caught {
            Caught::Elsewhere | Caught::Holder => !only_inside,
            Caught::Inside(kill) => !(kill.was_repetition && self.spares_repetitions()),
        };
        if !is_meant {
            let _ = kill_process(pid, Signal::CONT);
            return false;
        }
        worker.was_struck = true;
        let is_holder = !matches!(caught, Caught::Elsewhere);
        // Before its end: once the lock is free, others act on what the kill has done.
        self.note(caught);
        let _ = kill_process(pid, Signal::KILL);
        if is_holder {
            self.note_lock(process);
        }
        true
    }

    fn look(&self, process: u32) -> Caught {
        if self.file.holder() != Some(process) {
            return Caught::Elsewhere;
        }
        let standing = self.file.standing();
        let Some(standing) = standing.filter(|standing| standing.unanswered() > 0) else {
            return Caught::Holder;
        };
        // What it has sent arrives meanwhile, and what it has not sent never will.
        thread::sleep(ARRIVAL);
        let Some(token) = self.issuer.look_up(&standing.refresh_token) else {
            return Caught::Holder;
        };
        let (is_its_own_mark, was_processed) = self.judge(|judge| {
            let known = judge.unanswered(&token.place);
            (standing.unanswered() > known, judge.is_processed(&token))
        });
        if !is_its_own_mark {
            return Caught::Holder;
        }
        Caught::Inside(Kill {
            place: token.place,
            was_processed,
            was_repetition: standing.unanswered() > 1,
        })
    }

    fn note(&self, caught: Caught) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.killed += 1;
        if matches!(caught, Caught::Elsewhere) {
            return;
        }
        done.holders += 1;
        if let Caught::Inside(kill) = caught {
            done.inside.push(kill);
        }
    }

    /// How long the lock outlives its holder.
    fn note_lock(&self, process: u32) {
        let since = clock::now();
        while self.file.holder() == Some(process) && since.elapsed() < LOCK_PATIENCE {
            thread::yield_now();
        }
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.longest_lock = done.longest_lock.max(since.elapsed());
    }
}

/// Whether all of its threads stand still. One that has ended does not.
fn has_stopped(pid: Pid) -> bool {
    let since = clock::now();
    // NOWAIT leaves its end to whoever waits for that.
    let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    while since.elapsed() < STOP_PATIENCE {
        match waitid(WaitId::Pid(pid), options) {
            Ok(Some(_stopped)) => return true,
            Ok(None) => thread::sleep(Duration::from_micros(200)),
            Err(_ended) => return false,
        }
    }
    false
}

fn pause(draw: &mut fastrand::Rng) -> Duration {
    Duration::from_millis(draw.u64(PAUSES))
}

/// When the next redemption is aimed at, in milliseconds after the one before: between them the others
/// get on with their work.
const PAUSES: std::ops::Range<u64> = 500..3000;

/// So often a redemption is aimed at that a grace period lets be repeated: every process that comes by
/// repeats it, and one has to come through.
const MOST_IN_A_ROW: usize = 4;

/// How far into what its holder does with the lock the aim is taken, in microseconds.
const INTO_REDEMPTION: std::ops::Range<u64> = 0..12_000;

const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What was sent on this machine has arrived after so long: the emulator answers in less than one
/// millisecond, and the rest is for a machine that is busy.
const ARRIVAL: Duration = Duration::from_millis(40);

const STOP_PATIENCE: Duration = Duration::from_millis(500);

/// The lock's patience is 15 s: one that stays longer than this would be noticed by people.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
