//! What the issuer answers, and what of it arrives.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Access, Origin, Outcome, Told};
use crate::{
    endpoint::TokenReply,
    error::{Asked, Error, IssuerAnswer, Refusal, UnavailableReason, Violation},
    scope::Scopes,
    secret::Secret,
    session::{
        environment::{Redeemed, RefreshRequest},
        simulation::{
            executor::Instant,
            invariants::redemptions,
            tokens::{TokenName, access_token},
            weather::Trouble,
            world::World,
        },
    },
    time::Moment,
};

/// What comes back for a redemption.
#[derive(Clone)]
pub(super) enum Answer {
    Tokens(Tokens),
    /// A body that breaks a rule, whose refresh token can be read.
    Unusable(Option<TokenName>),
    Refused,
    /// 429, 502, 503: it says that nothing was redeemed.
    Status(u16),
    /// The connection ended in the middle, or the body is torn.
    BrokenOff(UnavailableReason),
    Silence,
}

/// What a good answer holds.
#[derive(Clone)]
pub(super) struct Tokens {
    access: usize,
    length: usize,
    lifetime: Duration,
    scopes: String,
    refresh: Option<TokenName>,
    /// The person whom the ID token names, if there is one.
    subject: Option<usize>,
}

/// What becomes of a request and its answer on their way.
#[expect(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Loss {
    pub(super) before: Duration,
    pub(super) after: Duration,
    pub(super) request_is_lost: bool,
    /// The issuer does nothing and says so.
    pub(super) refusal: Option<u16>,
    is_silent: bool,
    breaks_off: Option<UnavailableReason>,
    gateway_fails: bool,
    is_unusable: bool,
    is_mixed_up: bool,
}

impl Loss {
    pub(super) fn draw(world: &World) -> Self {
        let (before, after) = world
            .executor
            .draw(|random| (random.milliseconds(5, 150), random.milliseconds(5, 150)));
        let mut loss = Self {
            before,
            after,
            ..Self::default()
        };
        let is_in_outage = world.meets(Trouble::Outage);
        if is_in_outage || world.meets(Trouble::RequestsLost) {
            loss.request_is_lost = true;
        } else if world.meets(Trouble::Busy) {
            loss.refusal = Some(503);
        } else if world.meets(Trouble::RateLimited) {
            loss.refusal = Some(429);
        } else if world.meets(Trouble::GatewayFails) {
            loss.gateway_fails = true;
        } else if world.meets(Trouble::AnswersLost) {
            let how = world.executor.draw(|random| random.below(3));
            loss.breaks_off = match how {
                0 => Some(UnavailableReason::Interrupted),
                1 => Some(UnavailableReason::UnusableBody),
                _ => None,
            };
            loss.is_silent = how == 2;
        } else if world.meets(Trouble::IssuerSlow) {
            loss.before = world
                .executor
                .draw(|random| random.milliseconds(200, 18_000));
        }
        loss.is_unusable = world.meets(Trouble::AnswersUnusable);
        loss.is_mixed_up = world.settings.names_person && world.meets(Trouble::AnswersMixedUp);
        loss
    }

    /// What arrives of the answer; nothing if there is silence.
    pub(super) fn what_arrives(self, answer: Answer) -> Option<Answer> {
        if self.is_silent || matches!(answer, Answer::Silence) {
            return None;
        }
        let is_done = matches!(answer, Answer::Tokens(_) | Answer::Unusable(_));
        match self.breaks_off {
            Some(reason) => Some(Answer::BrokenOff(reason)),
            None if self.gateway_fails && is_done => Some(Answer::Status(502)),
            None => Some(answer),
        }
    }
}

/// The issuer's own part, in one step.
pub(super) fn process(world: &Arc<World>, attempt: usize, loss: Loss) -> Answer {
    let (now, settings) = (world.now(), &world.settings);
    let rotates = world
        .executor
        .draw(|random| random.percent(settings.rotates));
    let (outcome, name) = world.with(|state| {
        let outcome = state.families.redeem(attempt, settings, rotates, now);
        (outcome, state.families.attempts[attempt].name)
    });
    world.note(|| format!("issuer: {name} {outcome:?}"));
    let refresh = |serial| TokenName { serial, ..name };
    let refresh = match outcome {
        Outcome::Rotated(serial) | Outcome::Replayed(serial) => Some(refresh(serial)),
        Outcome::Stays => None,
        Outcome::Reused => {
            redemptions::check_reuse(world, attempt);
            return Answer::Refused;
        }
        Outcome::Refused => return Answer::Refused,
    };
    if loss.is_unusable {
        return Answer::Unusable(refresh);
    }
    Answer::Tokens(give(world, attempt, refresh, loss.is_mixed_up, now))
}

fn give(
    world: &World,
    attempt: usize,
    refresh: Option<TokenName>,
    is_mixed_up: bool,
    now: Instant,
) -> Tokens {
    let settings = &world.settings;
    world.with(|state| {
        let sent = &state.families.attempts[attempt];
        let (number, request) = (sent.name.family, sent.asked.clone());
        let family = &mut state.families.all[number];
        let person = family.person + if is_mixed_up { STRANGER } else { 0 };
        family.is_mixed_up |= is_mixed_up;
        let access = Access {
            session: family.session,
            audience: request.audience.clone(),
            redemption: Some((attempt, request)),
            origin: Origin::Family(number),
            issued: now,
            lifetime: settings.lifetime,
            is_mixed_up,
        };
        let scopes = scopes_of(&access.audience);
        Tokens {
            access: state.families.give(access),
            length: settings.token_length,
            lifetime: settings.lifetime,
            scopes,
            refresh,
            subject: settings.names_person.then_some(person),
        }
    })
}

impl Answer {
    /// The number of the access token that it brings.
    pub(super) fn access(&self) -> Option<usize> {
        match self {
            Self::Tokens(tokens) => Some(tokens.access),
            _ => None,
        }
    }

    /// What the process can know by it.
    pub(super) fn told(&self) -> Told {
        match self {
            Self::Tokens(tokens) => Told::Tokens(tokens.refresh),
            Self::Unusable(refresh) => Told::Tokens(*refresh),
            Self::Refused => Told::Refused,
            Self::Status(_) => Told::NotRedeemed,
            Self::BrokenOff(_) | Self::Silence => Told::Unknown,
        }
    }

    pub(super) fn into_redeemed(self, request: &RefreshRequest, requested_at: Moment) -> Redeemed {
        let answered = |status: u16, code: Option<&str>| {
            let answer = IssuerAnswer::new(status).with_code(code.map(str::to_owned));
            Error::from_answer(&request.target.asked, answer, Refusal::default())
        };
        let (reply, rotated) = match self {
            Self::Tokens(tokens) => (Ok(tokens.into_reply(requested_at)), None),
            Self::Unusable(refresh) => {
                let violation = Violation::Reply("no access token".to_owned());
                let refresh = refresh.map(|name| Secret::from(name.to_string()));
                (
                    Err(Error::protocol(Some(&request.target.asked), violation)),
                    refresh,
                )
            }
            Self::Refused => (Err(answered(400, Some("invalid_grant"))), None),
            Self::Status(status) => (Err(answered(status, None)), None),
            Self::BrokenOff(reason) => (Err(Error::unavailable(reason)), None),
            Self::Silence => (Err(Error::unavailable(UnavailableReason::Timeout)), None),
        };
        Redeemed { reply, rotated }
    }
}

impl Tokens {
    fn into_reply(self, requested_at: Moment) -> TokenReply {
        TokenReply {
            access_token: Secret::from(access_token(self.access, self.length)),
            lifetime: Some(self.lifetime),
            scopes: Some(Scopes::from_reply(&self.scopes)),
            refresh_token: self.refresh.map(|name| Secret::from(name.to_string())),
            id_token: self.subject.map(id_token),
            requested_at,
        }
    }
}

/// What a sign-in brings: an access token for the first audience, and a refresh token if there is one.
pub(crate) fn login_reply(
    world: &World,
    access: usize,
    refresh: Option<TokenName>,
    requested_at: Moment,
) -> TokenReply {
    let (audience, lifetime) = world.with(|state| {
        let access = &state.families.access[access];
        (access.audience.clone(), access.lifetime)
    });
    let tokens = Tokens {
        access,
        length: world.settings.token_length,
        lifetime,
        scopes: scopes_of(&audience),
        refresh,
        subject: None,
    };
    tokens.into_reply(requested_at)
}

/// Far from every person of a schedule.
const STRANGER: usize = 1000;

/// The scopes that there are for an audience.
pub(crate) fn scopes_of(audience: &str) -> String {
    format!("read:{audience} write:{audience}")
}

pub(crate) fn asked(audience: &str, scopes: &str) -> Asked {
    Asked {
        audience: audience.into(),
        scopes: Scopes::from_reply(scopes),
    }
}

pub(crate) fn subject(person: usize) -> String {
    format!("person-{person}")
}

fn id_token(person: usize) -> Secret {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#);
    let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"sub":"{}"}}"#, subject(person)));
    Secret::from(format!("{header}.{claims}.c2ln"))
}
