//! What people did, and what each session has to be because of it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    executor::{Instant, ProcessId},
    tokens::{Mentions, TokenName},
};
use crate::time::Moment;

/// The people of one schedule, and what the processes have read of their sessions.
pub(super) struct People {
    sessions: Vec<Session>,
    pub(super) sign_ins: Vec<SignIn>,
    pub(super) sign_outs: Vec<SignOut>,
    loads: BTreeMap<(ProcessId, usize), Load>,
    /// The last refresh token of each family that a process has read.
    read: BTreeMap<(ProcessId, usize), usize>,
    /// Refresh token families that a process has read of, or signed in with.
    known: BTreeMap<(ProcessId, usize), Vec<usize>>,
    /// When an access token ends, each time that a process has handed it out.
    pub(super) ends: BTreeMap<(ProcessId, usize), Vec<Moment>>,
    /// Access tokens that an API of this process has refused.
    pub(super) rejected: BTreeSet<(ProcessId, usize)>,
    /// By whom, of which session, and its text.
    pub(super) handed_out: Vec<(ProcessId, usize, String)>,
}

/// What one session has to be.
#[derive(Default)]
struct Session {
    expected: Expected,
    /// How often anything that a person does has begun or ended.
    changes: u64,
    under_way: usize,
    /// Whether what is under way overlaps: then its order is not known.
    is_muddled: bool,
    /// Calls that were given up, and may be carried out still.
    lingering: Vec<(ProcessId, Instant)>,
    /// Sign-ins that count in their process alone, and may be written later.
    unwritten: Vec<(ProcessId, Instant)>,
    /// Those that a later one counts for more than, as long as the store has that.
    overruled: Vec<(ProcessId, Instant)>,
    /// Whether a newer version of this crate has written it: nothing can be done with it here.
    is_of_newer: bool,
}

/// What has to be found of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Expected {
    #[default]
    SignedOut,
    /// A person is signed in, and these sign-ins have to yield tokens.
    SignedIn(Vec<usize>),
    Unclear,
}

/// A person signs in.
#[derive(Clone, Debug)]
pub(super) struct SignIn {
    pub(super) session: usize,
    pub(super) person: usize,
    pub(super) process: ProcessId,
    /// Nothing if it brings no refresh token.
    pub(super) family: Option<usize>,
    pub(super) audiences: Vec<String>,
    /// The families that its process knew of.
    pub(super) known: Vec<usize>,
    /// Whether it was told who it is.
    pub(super) is_named: bool,
    /// Whether another person was to be refused.
    pub(super) same_person: bool,
    pub(super) began: Instant,
    pub(super) ended: Option<(Instant, SignInEnd)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignInEnd {
    Kept,
    /// The store did not take it: it counts in its process.
    OnlyHere,
    /// It was refused, and nothing has changed.
    Refused,
    Unclear,
}

impl SignIn {
    /// Whether it came to nothing.
    pub(super) fn has_failed(&self) -> bool {
        let ended = self.ended.map(|(_, how)| how);
        matches!(ended, Some(SignInEnd::Refused | SignInEnd::Unclear))
    }
}

/// A person signs out.
#[derive(Clone, Debug)]
pub(super) struct SignOut {
    pub(super) session: usize,
    pub(super) process: ProcessId,
    pub(super) began: Instant,
    /// And whether it was said to be done.
    pub(super) ended: Option<(Instant, bool)>,
    /// What its process knew by then.
    pub(super) known: Vec<usize>,
    /// Whether the store looked empty to it and was not.
    pub(super) was_lied_to: bool,
}

/// A load whose answer has arrived.
#[derive(Clone, Debug)]
pub(super) struct Load {
    pub(super) session: usize,
    pub(super) begun: Instant,
    pub(super) delivered: Instant,
    /// Nothing if there was no record.
    pub(super) mentions: Option<Mentions>,
    /// Whether the share was not mounted.
    pub(super) is_lie: bool,
}

impl People {
    pub(super) fn new(sessions: usize) -> Self {
        Self {
            sessions: (0..sessions).map(|_| Session::default()).collect(),
            sign_ins: Vec::new(),
            sign_outs: Vec::new(),
            loads: BTreeMap::new(),
            read: BTreeMap::new(),
            known: BTreeMap::new(),
            ends: BTreeMap::new(),
            rejected: BTreeSet::new(),
            handed_out: Vec::new(),
        }
    }

    pub(super) fn expected(&self, session: usize) -> &Expected {
        &self.sessions[session].expected
    }

    /// Changes whenever a person begins or ends something; nothing while anything is under way.
    pub(super) fn quiet_since(&self, session: usize) -> Option<u64> {
        let session = &self.sessions[session];
        let is_quiet = session.under_way == 0 && session.lingering.is_empty();
        is_quiet.then_some(session.changes)
    }

    /// Whether what is expected does not hang on the order of what is under way.
    pub(super) fn is_clear(&self, session: usize) -> bool {
        !self.sessions[session].is_muddled
    }

    /// Whether a sign-in since then counts in another process, and may be written later.
    pub(super) fn has_unwritten(&self, session: usize, since: Instant) -> bool {
        let session = &self.sessions[session];
        let mut all = session.unwritten.iter().chain(&session.overruled);
        all.any(|(_, at)| *at >= since)
    }

    /// The store has lost something: what has to be found is not known.
    pub(super) fn lost(&mut self, session: usize) {
        let session = &mut self.sessions[session];
        session.changes += 1;
        session.is_muddled |= session.under_way > 0;
        session.unwritten.append(&mut session.overruled);
        session.expected = Expected::Unclear;
    }

    /// What was found meanwhile may have been a lie.
    pub(super) fn disturb(&mut self) {
        for session in &mut self.sessions {
            session.changes += 1;
        }
    }

    /// A newer version of this crate has written it.
    pub(super) fn is_of_newer(&mut self, session: usize) {
        let session = &mut self.sessions[session];
        (session.is_of_newer, session.expected) = (true, Expected::Unclear);
    }

    /// Whether something else has to be left as it is.
    pub(super) fn has_to_be_left(&self, session: usize) -> bool {
        self.sessions[session].is_of_newer
    }

    /// Something begins that a person does.
    pub(super) fn begin(&mut self, session: usize) {
        let session = &mut self.sessions[session];
        session.changes += 1;
        session.is_muddled |= session.under_way > 0 || !session.lingering.is_empty();
        session.under_way += 1;
    }

    /// A sign-in of `process` ends, and this has to be found afterwards if nothing else was under way.
    pub(super) fn end_sign_in(
        &mut self,
        session: usize,
        (process, how, now): (ProcessId, SignInEnd, Instant),
        next: impl FnOnce(&Expected) -> Expected,
    ) {
        let entry = &mut self.sessions[session];
        match how {
            // It counts for more than those before it.
            SignInEnd::Kept => entry.overruled.append(&mut entry.unwritten),
            SignInEnd::OnlyHere | SignInEnd::Unclear => entry.unwritten.push((process, now)),
            SignInEnd::Refused => {}
        }
        self.end(session, next);
    }

    /// A sign-out of `process` ends.
    pub(super) fn end_sign_out(
        &mut self,
        session: usize,
        (process, began): (ProcessId, Instant),
        is_done: bool,
    ) {
        let unwritten = &mut self.sessions[session].unwritten;
        unwritten.retain(|(by, at)| *by != process || *at >= began);
        // What it could not know of it did not end.
        let is_sure = is_done && unwritten.is_empty();
        self.end(session, |_| {
            if is_sure {
                Expected::SignedOut
            } else {
                Expected::Unclear
            }
        });
    }

    fn end(&mut self, session: usize, next: impl FnOnce(&Expected) -> Expected) {
        let session = &mut self.sessions[session];
        session.changes += 1;
        session.under_way -= 1;
        session.expected = if session.is_muddled || session.is_of_newer {
            Expected::Unclear
        } else {
            next(&session.expected)
        };
        if session.under_way == 0 && session.lingering.is_empty() {
            session.is_muddled = false;
        }
    }

    /// Its caller has gone: it may be carried out still.
    pub(super) fn give_up(&mut self, session: usize, process: ProcessId, now: Instant) {
        let session = &mut self.sessions[session];
        session.under_way -= 1;
        session.lingering.push((process, now));
        session.is_muddled = true;
        session.changes += 1;
        session.expected = Expected::Unclear;
    }

    /// Forgets what was given up so long ago that it has been carried out.
    pub(super) fn settle(
        &mut self,
        is_over: impl Fn(ProcessId, Instant) -> bool,
        is_written: impl Fn(ProcessId, Instant) -> bool,
    ) {
        for session in &mut self.sessions {
            session
                .lingering
                .retain(|(process, since)| !is_over(*process, *since));
            for unwritten in [&mut session.unwritten, &mut session.overruled] {
                unwritten.retain(|(process, since)| !is_written(*process, *since));
            }
            if session.under_way == 0 && session.lingering.is_empty() {
                session.is_muddled = false;
            }
        }
    }

    /// What a process has read last of a session.
    pub(super) fn last_load(&self, process: ProcessId, session: usize) -> Option<&Load> {
        self.loads.get(&(process, session))
    }

    pub(super) fn loaded(&mut self, process: ProcessId, load: Load) {
        let known = self.known.entry((process, load.session)).or_default();
        for name in load.mentions.iter().flat_map(|it| &it.refresh) {
            let serial = self.read.entry((process, name.family)).or_default();
            *serial = name.serial.max(*serial);
        }
        if let Some(mentions) = &load.mentions {
            known.extend(mentions.refresh.iter().map(|name| name.family));
            known.sort_unstable();
            known.dedup();
        }
        for sign_out in &mut self.sign_outs {
            let is_its_own = sign_out.process == process && sign_out.session == load.session;
            if is_its_own && sign_out.ended.is_none() && load.is_lie {
                sign_out.was_lied_to = true;
            }
        }
        self.loads.insert((process, load.session), load);
    }

    /// Whether a process has read of this refresh token, or of one after it.
    pub(super) fn has_read(&self, process: ProcessId, name: TokenName) -> bool {
        let read = self.read.get(&(process, name.family));
        read.is_some_and(|serial| *serial >= name.serial)
    }

    /// Whether a sign-out was asked of this process that may not be written yet.
    pub(super) fn signs_out(&self, process: ProcessId, session: usize) -> bool {
        let mut sign_outs = self.sign_outs.iter();
        sign_outs.any(|one| one.process == process && one.session == session)
    }

    /// How many sign-ins of this process the store may not have taken yet.
    pub(super) fn unkept(&self, process: ProcessId, session: usize) -> usize {
        let unkept = |one: &&SignIn| {
            let is_kept = one.ended.is_some_and(|(_, how)| how == SignInEnd::Kept);
            one.process == process && one.session == session && !is_kept
        };
        self.sign_ins.iter().filter(unkept).count()
    }

    /// Whether a caller has stopped waiting for a sign-in, which may be written still.
    pub(super) fn was_given_up(&self, session: usize) -> bool {
        let mut own = self.sign_ins.iter().filter(|it| it.session == session);
        own.any(|sign_in| sign_in.ended.is_none())
    }

    /// When a person has ended doing something last.
    pub(super) fn changed_at(&self, session: usize) -> Option<Instant> {
        let sign_ins = self.sign_ins.iter().filter(|it| it.session == session);
        let sign_outs = self.sign_outs.iter().filter(|it| it.session == session);
        let ended = sign_ins.filter_map(|it| it.ended.map(|(at, _)| at));
        ended
            .chain(sign_outs.filter_map(|it| it.ended.map(|(at, _)| at)))
            .max()
    }

    /// Whether a person has begun to sign in since then.
    pub(super) fn has_signed_in_since(&self, session: usize, since: Instant) -> bool {
        let mut own = self.sign_ins.iter().filter(|it| it.session == session);
        own.any(|sign_in| sign_in.began >= since)
    }

    /// The families that a process knows of.
    pub(super) fn known(&self, process: ProcessId, session: usize) -> Vec<usize> {
        let known = self.known.get(&(process, session));
        known.cloned().unwrap_or_default()
    }

    pub(super) fn knows(&mut self, process: ProcessId, session: usize, family: usize) {
        let known = self.known.entry((process, session)).or_default();
        known.push(family);
    }
}
