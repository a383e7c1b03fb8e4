//! Watches the one session while it is used.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use intelliauth::Session;
use tokio::runtime::Runtime;

use crate::clock;
use crate::issuer::Issuer;
use crate::killer::Killer;
use crate::loss::{Fault, Ours};
use crate::options::complain;
use crate::session::{Seen, SessionFile, Standing};
use crate::workers::Workers;

/// Watches the one session.
pub(super) struct Watch<'a> {
    runtime: &'a Runtime,
    pub(super) issuer: &'a Issuer,
    session: &'a Session,
    pub(super) file: &'a SessionFile,
    pub(super) workers: &'a Workers,
    pub(super) killer: &'a Killer<'a>,
    is_sabotaged: bool,
    pub(super) seen: Watched,
}

/// What has been seen so far.
#[derive(Debug, Default)]
pub(super) struct Watched {
    pub(super) reads: u64,
    pub(super) torn_reads: u64,
    pub(super) losses: Vec<Fault>,
    /// The family of the last sign-in, and when that was, since the Unix epoch.
    family: String,
    signed_in: Duration,
    /// When processes were told that the person must sign in, while it is not known yet why.
    asked: Vec<Duration>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(
        runtime: &'a Runtime,
        session: &'a Session,
        killer: &'a Killer<'a>,
        is_sabotaged: bool,
    ) -> Self {
        Self {
            runtime,
            session,
            issuer: killer.issuer,
            file: killer.file,
            workers: killer.workers,
            killer,
            is_sabotaged,
            seen: Watched::default(),
        }
    }

    pub(super) fn run(&mut self, time: Duration, draw: &mut fastrand::Rng) -> Result<()> {
        let start = clock::now();
        let mut drop_at = start + drawn(draw, DROPS);
        let mut delay_at = start + drawn(draw, DELAYS);
        let mut progress_at = start + PROGRESS;
        while start.elapsed() < time {
            self.look()?;
            let now = clock::now();
            if now >= drop_at && self.may_drop() {
                self.issuer.lose_next_answer(draw);
                drop_at = now + drawn(draw, DROPS);
            }
            if now >= delay_at {
                self.issuer.delay_next_answer(draw);
                delay_at = now + drawn(draw, DELAYS);
            }
            if now >= progress_at {
                self.tell_progress(start);
                progress_at = now + PROGRESS;
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Whether the next answer may be lost: that of a repetition only where those are not spared.
    fn may_drop(&self) -> bool {
        let standing = self.file.standing();
        let is_first = standing.is_some_and(|standing| standing.unanswered() == 0);
        is_first || !self.killer.spares_repetitions()
    }

    /// Looks at the session, and has the person sign in again if it is lost.
    fn look(&mut self) -> Result<()> {
        // First: whatever made a process say so stands in the file by now.
        self.seen.asked.extend(self.workers.take_login_asked());
        self.seen.reads += 1;
        let fault = match self.file.see() {
            Seen::Torn => {
                self.seen.torn_reads += 1;
                return Ok(());
            }
            Seen::Missing | Seen::SignedOut => Fault::Ours(Ours::RecordGone),
            Seen::Erased => self.erased(),
            Seen::Standing(standing) if self.is_given_up(&standing) => {
                if !self.is_at_rest(&standing) {
                    return Ok(());
                }
                self.given_up(&standing)
            }
            Seen::Standing(standing)
                if standing.unanswered() > 0 && !self.is_explained(&standing) =>
            {
                Fault::Ours(Ours::NotKept)
            }
            Seen::Standing(_) => {
                self.check_asked();
                return Ok(());
            }
        };
        self.lose(fault);
        self.sign_in()
    }

    /// The session is fine: whoever is told to sign in now is told so in vain.
    fn check_asked(&mut self) {
        // Others remember what they were told, and look for something new once a second.
        let known_to_all = self.seen.signed_in + NEWS;
        let in_vain = self.seen.asked.drain(..).filter(|at| *at > known_to_all);
        if in_vain.count() > 0 {
            self.lose(Fault::Ours(Ours::AskedInVain));
            // One loss, however many hear of it.
            self.seen.signed_in = clock::since_epoch();
        }
    }

    fn erased(&self) -> Fault {
        let family = &self.seen.family;
        let is_alive = self.issuer.is_alive(family);
        self.killer.judge(|judge| judge.erased(family, is_alive))
    }

    fn is_given_up(&self, standing: &Standing) -> bool {
        standing.is_given_up(self.killer.grace, clock::since_epoch())
    }

    /// Whether nobody is at it: else a repetition may be under way.
    fn is_at_rest(&self, standing: &Standing) -> bool {
        self.file.holder().is_none() && self.file.standing().as_ref() == Some(standing)
    }

    /// Whether it is known how the answer was lost, if one was: else somebody had it, and did not keep it.
    fn is_explained(&self, standing: &Standing) -> bool {
        let Some(token) = self.issuer.look_up(&standing.refresh_token) else {
            return true;
        };
        // In this order: more answers than these cannot be missing while it is at rest, nor more be lost.
        let answers = self.issuer.ledger().answers(&token.place);
        if !self.is_at_rest(standing) {
            return true;
        }
        answers <= self.killer.judge(|judge| judge.lost_answers(&token.place))
    }

    fn given_up(&self, standing: &Standing) -> Fault {
        let Some(token) = self.issuer.look_up(&standing.refresh_token) else {
            return Fault::Ours(Ours::RecordGone);
        };
        self.killer.judge(|judge| judge.given_up(&token))
    }

    fn lose(&mut self, fault: Fault) {
        if let Fault::Ours(why) = fault {
            complain(&format!("logged out by us: {why}"));
        }
        self.seen.losses.push(fault);
    }

    pub(super) fn sign_in(&mut self) -> Result<()> {
        let mut attempts = 1;
        while let Err(error) = self.runtime.block_on(self.issuer.sign_in(self.session)) {
            // Whoever writes without the lock also gets in the way of a sign-in.
            if !self.is_sabotaged || attempts == SIGN_INS {
                return Err(error);
            }
            attempts += 1;
        }
        self.seen.signed_in = clock::since_epoch();
        self.seen.asked.clear();
        let standing = self.file.standing();
        let token = standing.and_then(|standing| self.issuer.look_up(&standing.refresh_token));
        // Without one, the next look finds out why.
        self.seen.family = token.map(|token| token.place.0).unwrap_or_default();
        Ok(())
    }

    /// Everybody is gone: what stands in the file must be what the issuer takes.
    pub(super) fn conclude(&mut self) {
        self.issuer.clear();
        self.seen.reads += 1;
        let fault = match self.file.see() {
            Seen::Torn => {
                self.seen.torn_reads += 1;
                return;
            }
            Seen::Missing | Seen::SignedOut => Fault::Ours(Ours::RecordGone),
            Seen::Erased => self.erased(),
            Seen::Standing(standing) => match self.left(&standing) {
                Some(fault) => fault,
                None => return,
            },
        };
        self.lose(fault);
    }

    /// What is wrong with a session that nobody uses any more.
    fn left(&self, standing: &Standing) -> Option<Fault> {
        let Some(token) = self.issuer.look_up(&standing.refresh_token) else {
            return Some(Fault::Ours(Ours::RecordGone));
        };
        let is_given_up = self.is_given_up(standing);
        self.killer.judge(|judge| {
            let is_fine = judge.is_good(&token) && !is_given_up;
            (!is_fine).then(|| judge.left(&token))
        })
    }

    fn tell_progress(&self, start: Instant) {
        let (done, sum) = (self.killer.done(), self.workers.sum());
        let ours = |loss: &&Fault| matches!(loss, Fault::Ours(_));
        complain(&format!(
            "{:>5} s  {} processes started, {} killed ({} inside a redemption); {} tokens; \
             {} rotations; session lost {} times, {} by us",
            start.elapsed().as_secs(),
            self.workers.started(),
            done.killed,
            done.inside.len(),
            sum.tokens,
            self.issuer.rotations(),
            self.seen.losses.len(),
            self.seen.losses.iter().filter(ours).count(),
        ));
    }
}

fn drawn(draw: &mut fastrand::Rng, milliseconds: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(draw.u64(milliseconds))
}

/// When the next answer is lost, in milliseconds after the one before.
const DROPS: std::ops::Range<u64> = 1500..5000;

/// When the next answer is delayed.
const DELAYS: std::ops::Range<u64> = 300..1500;

/// How often a sign-in is tried where a rule is broken on purpose.
const SIGN_INS: u32 = 20;

const LOOK_EVERY: Duration = Duration::from_millis(5);

const PROGRESS: Duration = Duration::from_secs(5);

/// Processes look for news of the session once a second; the rest is for a machine that is busy.
const NEWS: Duration = Duration::from_secs(3);
