//! An issuer that rotates refresh tokens and ends a family whose token comes twice, behind a network that
//! loses what is sent.

mod answers;
mod families;

use std::{sync::Arc, time::Duration};

pub(super) use answers::{asked, login_reply, scopes_of, subject};
pub(super) use families::{
    Access, Attempt, Death, Families, NewFamily, Origin, Outcome, Request, Told,
};
use tokio::sync::oneshot;

use super::{
    executor::{ProcessId, WORLD},
    invariants::{causes::is_without_lock, redemptions},
    tokens::TokenName,
    weather::Trouble,
    world::World,
};
use crate::{
    dialect::{AudienceRule, Dialect},
    endpoint::Revocation,
    error::{Error, UnavailableReason},
    secret::Secret,
    session::environment::{Boxed, Issuer, Redeemed, RefreshRequest},
};
use answers::{Answer, Loss};

/// The issuer, as one process reaches it.
#[derive(Debug)]
pub(super) struct ModelIssuer {
    world: Arc<World>,
    process: ProcessId,
    audiences: AudienceRule,
}

impl ModelIssuer {
    pub(super) fn new(world: &Arc<World>, process: ProcessId) -> Self {
        Self {
            world: Arc::clone(world),
            process,
            audiences: AudienceRule::default(),
        }
    }

    /// Waits for as long as a part of the way takes.
    async fn travel(&self) {
        let (world, process) = (&self.world, self.process);
        let time = world.executor.draw(|random| random.milliseconds(5, 150));
        world.executor.sleep(process, time).await;
    }

    async fn redeem(&self, name: TokenName, request: &RefreshRequest) -> Redeemed {
        let world = &self.world;
        let requested_at = world.executor.clocks(self.process);
        if world.meets(Trouble::ConnectFails) {
            self.travel().await;
            world.note_of(self.process, || format!("no connection to redeem {name}"));
            return Redeemed::failed(UnavailableReason::Connect);
        }
        let sent = Sent::new(self, name, request);
        let loss = Loss::draw(world);
        let (sender, receiver) = oneshot::channel();
        let work = arrive(Arc::clone(world), sent.attempt, loss, sender);
        world.executor.spawn(WORLD, Box::pin(work));
        let limit = world.executor.sleep(self.process, REQUEST_TIMEOUT);
        let answer = tokio::select! {
            biased;
            answer = receiver => answer.unwrap_or(Answer::Silence),
            () = limit => Answer::Silence,
        };
        sent.told(&answer);
        if let Some(number) = answer.access() {
            let end = requested_at.plus(world.settings.lifetime);
            let known = (self.process, number);
            world.with(|state| state.people.ends.entry(known).or_default().push(end));
        }
        answer.into_redeemed(request, requested_at)
    }
}

/// Carries one request to the issuer, and its answer back.
async fn arrive(world: Arc<World>, attempt: usize, loss: Loss, answers: oneshot::Sender<Answer>) {
    let executor = &world.executor;
    executor.sleep(WORLD, loss.before).await;
    let answer = if loss.request_is_lost {
        Answer::Silence
    } else if let Some(refusal) = loss.refusal {
        Answer::Status(refusal)
    } else {
        answers::process(&world, attempt, loss)
    };
    executor.sleep(WORLD, loss.after).await;
    if let Some(answer) = loss.what_arrives(answer) {
        let _ = answers.send(answer);
    } else {
        std::future::pending::<()>().await;
    }
}

impl Issuer for ModelIssuer {
    fn redeem<'a>(
        &'a self,
        refresh_token: &'a Secret,
        request: &'a RefreshRequest,
    ) -> Boxed<'a, Redeemed> {
        Box::pin(async move {
            match TokenName::read(refresh_token.expose()) {
                Some(name) => self.redeem(name, request).await,
                None => Answer::Refused.into_redeemed(request, self.world.executor.clocks(WORLD)),
            }
        })
    }

    /// The metadata is known already.
    fn reach(&self, _in_background: bool) -> Boxed<'_, Result<(), Error>> {
        Box::pin(async {
            let is_fetched = self.world.executor.draw(|random| random.once_in(20));
            if !is_fetched {
                return Ok(());
            }
            self.travel().await;
            if self.world.meets(Trouble::ConnectFails) {
                return Err(Error::unavailable(UnavailableReason::Connect));
            }
            Ok(())
        })
    }

    fn is_there(&self) -> Boxed<'_, Result<(), Error>> {
        Box::pin(async {
            self.travel().await;
            let world = &self.world;
            if world.meets(Trouble::Outage) {
                world.executor.sleep(self.process, CONNECT_TIMEOUT).await;
                return Err(Error::unavailable(UnavailableReason::Timeout));
            }
            if world.meets(Trouble::ConnectFails) {
                return Err(Error::unavailable(UnavailableReason::Connect));
            }
            let now = world.now();
            world.with(|state| state.process(self.process).probed_at = Some(now));
            Ok(())
        })
    }

    fn revoke<'a>(&'a self, refresh_token: &'a Secret) -> Boxed<'a, Revocation> {
        Box::pin(async move {
            let (world, process) = (Arc::clone(&self.world), self.process);
            let Some(name) = TokenName::read(refresh_token.expose()) else {
                return Revocation::NotOffered;
            };
            let is_lost = world.meets(Trouble::RevocationsLost)
                || world.meets(Trouble::Outage)
                || world.meets(Trouble::ConnectFails);
            world.note_of(process, || {
                format!("revokes {name}{}", if is_lost { ", in vain" } else { "" })
            });
            self.travel().await;
            let now = world.now();
            world.with(|state| {
                if is_lost {
                    state.families.lose_revocation(name);
                } else {
                    state.families.revoke(name, process, &world.settings, now);
                }
            });
            redemptions::check_revoked(&world, name);
            self.travel().await;
            Revocation::Revoked
        })
    }

    fn dialect(&self) -> &Dialect {
        &self.world.settings.dialect
    }

    fn audiences(&self) -> &AudienceRule {
        &self.audiences
    }
}

impl Redeemed {
    fn failed(reason: UnavailableReason) -> Self {
        Self {
            reply: Err(Error::unavailable(reason)),
            rotated: None,
        }
    }
}

/// A redemption that is under way: dropped before it is answered, its answer is lost.
struct Sent {
    world: Arc<World>,
    attempt: usize,
}

impl Sent {
    fn new(issuer: &ModelIssuer, name: TokenName, request: &RefreshRequest) -> Self {
        let world = Arc::clone(&issuer.world);
        let (now, process) = (world.now(), issuer.process);
        let asked = Request::of(request, true);
        let request = Request::of(request, world.settings.dialect.narrows_per_token);
        world.note_of(process, || {
            format!("redeems {name} for {}", request.audience)
        });
        let mut attempt = Attempt {
            process,
            name,
            request,
            asked,
            sent: now,
            is_in_outage: world.with(|state| is_in_outage(&world, state, process)),
            processed: None,
            told: None,
            given_up: None,
            excuse: None,
            is_without_lock: false,
        };
        attempt.is_without_lock = world.with(|state| is_without_lock(&world, state, &attempt));
        redemptions::check_sent(&world, &attempt);
        let attempt = world.with(|state| {
            state.families.attempts.push(attempt);
            state.families.attempts.len() - 1
        });
        Self { world, attempt }
    }

    fn told(&self, answer: &Answer) {
        let (now, told) = (self.world.now(), answer.told());
        self.world.with(|state| {
            state.families.attempts[self.attempt].told = Some((now, told));
        });
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        let (now, attempt) = (self.world.now(), self.attempt);
        self.world.with(|state| {
            let attempt = &mut state.families.attempts[attempt];
            attempt.given_up.get_or_insert(now);
        });
    }
}

/// Whether nothing had arrived for so long that this process could have known it.
fn is_in_outage(world: &World, state: &mut super::world::State, process: ProcessId) -> bool {
    let now = world.now();
    let since = state.weather.since(Trouble::Outage);
    let probed = state.process(process).probed_at;
    // It may have begun right after the process had found that the issuer answers.
    let has_probed = probed.is_some_and(|probed| {
        now.since(probed) < PROBED || world.executor.has_stopped_since(process, probed)
    });
    since.is_some_and(|since| since < now) && !has_probed
}

/// A redemption is sent so soon after the issuer was found to answer.
const PROBED: Duration = Duration::from_secs(25);

/// How long one request may take, as the endpoint has it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
