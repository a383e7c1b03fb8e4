//! What the application of a process calls, what is told of it, and that it ends.

pub(super) mod people;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    executor::{Executor, Instant, ProcessId, TaskId},
    invariants::{
        handed_out::{self, HandedOut},
        redemptions::unwritten,
        yielding::{self, Asking},
    },
    issuer::Request,
    program::{Ask, Program},
    session_name,
    tokens::access_number,
    world::World,
};
use crate::{error::Error, time::Moment, token::TokenResponse};

/// Calls that have not ended yet.
#[derive(Default)]
pub(super) struct Calls {
    open: BTreeMap<usize, Call>,
    count: usize,
    /// The requests for access tokens that are not answered yet.
    asked: BTreeMap<usize, Asked>,
    /// The longest that one has taken, while its process ran.
    pub(super) longest: Duration,
}

/// One call of one process.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) process: ProcessId,
    pub(super) kind: &'static str,
    /// The session that a person acts on with it.
    pub(super) acts_on: Option<usize>,
    began: Instant,
    task: Option<TaskId>,
}

/// A request for an access token.
pub(super) struct Asked {
    process: ProcessId,
    session: usize,
    pub(super) request: Request,
    pub(super) is_forced: bool,
}

/// A process that calls.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) world: Arc<World>,
    pub(super) process: ProcessId,
    pub(super) program: Arc<Program>,
}

impl Calls {
    fn begin(&mut self, call: Call) -> usize {
        self.count += 1;
        self.open.insert(self.count, call);
        self.count
    }

    /// What this process was asked for and has not answered: the request, and whether a token is wanted that
    /// is requested from then on.
    pub(super) fn asked(&self, process: ProcessId, session: usize) -> impl Iterator<Item = &Asked> {
        let asked = self.asked.values();
        asked.filter(move |asked| asked.process == process && asked.session == session)
    }

    /// How many of this process are open.
    pub(super) fn count_of(&self, process: ProcessId) -> usize {
        self.open
            .values()
            .filter(|call| call.process == process)
            .count()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The numbers of those that have not ended, and what they are.
    pub(super) fn all(&self) -> Vec<(usize, Call)> {
        let all = self.open.iter();
        all.map(|(number, call)| (*number, call.clone())).collect()
    }

    pub(super) fn remove(&mut self, number: usize) -> Option<Call> {
        self.open.remove(&number)
    }
}

impl Call {
    /// For how long its process has been running since it began.
    pub(super) fn age(&self, executor: &Executor) -> Duration {
        let stopped = executor.stopped_since(self.process, self.began);
        executor.now().since(self.began).saturating_sub(stopped)
    }

    /// Its caller stops waiting.
    pub(super) fn give_up(&self, executor: &Executor) {
        if let Some(task) = self.task {
            executor.abort(task);
        }
    }
}

impl Caller {
    pub(super) fn access_token(&self, session: usize, ask: Ask) {
        let asking = self.asking(session, ask.audience);
        let what = format!("access token of s{session} for {}", ask.audience);
        self.world.note_of(self.process, || {
            let forced = if ask.is_forced { ", forced" } else { "" };
            format!("asks for {what} [{}]{forced}", ask.scopes)
        });
        let asked = Asked {
            process: self.process,
            session,
            request: Request::asked(ask.audience, &ask.scopes, ask.parameter),
            is_forced: ask.is_forced,
        };
        let outcome = Arc::clone(&self.program).access_token(session_name(session), ask);
        let caller = self.clone();
        let asked = self.world.with(|state| {
            state.calls.count += 1;
            state.calls.asked.insert(state.calls.count, asked);
            state.calls.count
        });
        self.call("access_token", None, async move {
            let outcome = outcome.await;
            caller.world.with(|state| state.calls.asked.remove(&asked));
            caller.hear(&asking, outcome);
        });
    }

    fn asking(&self, session: usize, audience: &str) -> Asking {
        let quiet_since = self.world.with(|state| state.people.quiet_since(session));
        Asking {
            process: self.process,
            session,
            began: self.world.now(),
            audience: audience.to_owned(),
            quiet_since,
        }
    }

    fn hear(&self, asking: &Asking, outcome: Result<TokenResponse, Error>) {
        let (world, process) = (&self.world, self.process);
        match outcome {
            // As a cache does with what arrives after its own end.
            Ok(token) if has_ended(&token, world.executor.clocks(process)) => {
                world.note_of(process, || "gets a token that has ended".to_owned());
            }
            Ok(token) => {
                world.note_of(process, || {
                    let text: String = token.access_token.expose().chars().take(12).collect();
                    format!("gets {text} for {}", asking.audience)
                });
                let handed_out = HandedOut {
                    process,
                    session: asking.session,
                    audience: &asking.audience,
                    access_token: token.access_token.expose(),
                    requested_at: token
                        .requested_at
                        .unwrap_or_else(|| world.executor.clocks(process)),
                    lifetime: token.lifetime.unwrap_or_default(),
                };
                handed_out::check(world, &handed_out);
                world.with(|state| {
                    let text = token.access_token.expose().to_owned();
                    state
                        .people
                        .handed_out
                        .push((process, asking.session, text));
                });
            }
            Err(error) => {
                world.note_of(process, || {
                    format!(
                        "gets no token for {}: {} ({error})",
                        asking.audience,
                        error.kind()
                    )
                });
                yielding::check_refused(world, asking, &error);
            }
        }
    }

    /// An API has refused this access token.
    pub(super) fn reject(&self, session: usize, access_token: &str) {
        let process = self.process;
        if let Some(number) = access_number(access_token) {
            self.world
                .with(|state| state.people.rejected.insert((process, number)));
        }
        self.world.note_of(process, || {
            let text: String = access_token.chars().take(12).collect();
            format!("hears that an API refuses {text}")
        });
        self.program.reject(&session_name(session), access_token);
    }

    pub(super) fn account(&self, session: usize) {
        let outcome = Arc::clone(&self.program).account(session_name(session));
        let looking = self.asking(session, "");
        let caller = self.clone();
        self.call("account", None, async move {
            let outcome = outcome.await;
            caller.world.note_of(caller.process, || {
                format!(
                    "account of s{session}: {:?}",
                    outcome.as_ref().map_err(Error::kind)
                )
            });
            yielding::check_account(&caller.world, &looking, &outcome);
        });
    }

    /// Waits for what is under way, and notes whether everything is written.
    pub(super) fn close(&self, limit: Duration) {
        let outcome = Arc::clone(&self.program).close(limit);
        let caller = self.clone();
        self.call("close", None, async move {
            let began = caller.world.now();
            let outcome = outcome.await;
            let (world, process) = (&caller.world, caller.process);
            world.note_of(process, || {
                format!("closed: {:?}", outcome.as_ref().map_err(Error::kind))
            });
            let wrong = world.with(|state| {
                let wrong = outcome.is_ok().then(|| unwritten(state, process, began));
                let facts = state.process(process);
                match outcome {
                    Ok(()) => facts.closed_at = Some(began),
                    Err(_) => facts.close_failed_at = Some(began),
                }
                wrong.flatten()
            });
            if let Some(name) = wrong {
                let what = format!(
                    "p{} says that it has written everything, but {name}",
                    process.number()
                );
                world.violate(what);
            }
        });
    }

    /// Makes a call in a task of its own, and notes when it ends.
    fn call(
        &self,
        kind: &'static str,
        acts_on: Option<usize>,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let (world, process) = (Arc::clone(&self.world), self.process);
        let began = world.now();
        let number = world.with(|state| {
            state.calls.begin(Call {
                process,
                kind,
                acts_on,
                began,
                task: None,
            })
        });
        let in_task = Arc::clone(&world);
        let task = world.executor.spawn(
            process,
            Box::pin(async move {
                work.await;
                in_task.call_ended(number);
            }),
        );
        world.with(|state| {
            if let Some(call) = state.calls.open.get_mut(&number) {
                call.task = Some(task);
            }
        });
    }
}

fn has_ended(token: &TokenResponse, now: Moment) -> bool {
    let lifetime = token.lifetime.unwrap_or_default();
    let requested_at = token.requested_at.unwrap_or(now);
    now.has_reached(requested_at.plus(lifetime))
}

impl World {
    fn call_ended(&self, number: usize) {
        let Some(call) = self.with(|state| state.calls.remove(number)) else {
            return;
        };
        let age = call.age(&self.executor);
        self.with(|state| state.calls.longest = state.calls.longest.max(age));
        if age > LONGEST_CALL {
            let what = format!("{} of p{} took {age:?}", call.kind, call.process.number());
            self.violate(what);
        }
    }
}

/// No call takes longer, while its process runs.
pub(super) const LONGEST_CALL: Duration = Duration::from_secs(180);
