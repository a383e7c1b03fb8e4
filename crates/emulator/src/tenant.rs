//! The live tenant: what the server serves and the handle changes.

mod change;
mod people;
mod registry;
mod tokens;
mod update;

use std::cmp::Reverse;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use percent_encoding::percent_decode_str;

pub(crate) use self::change::By;
pub use self::change::ChangeError;
use self::registry::Registry;
pub(crate) use self::registry::{Authenticated, Registration};
use self::tokens::Tokens;
pub(crate) use self::tokens::{IssuedToken, TokenOwner};
pub(crate) use self::update::{Lifetime, Update};
use crate::audit::{AuditLog, Event};
use crate::clock::Clock;
use crate::config::{Api, Config, Switches, User};
use crate::fault::Faults;
use crate::keys::{KeyRing, SigningKey};
use crate::person::People;
use crate::random;
use crate::redact::{blank_secret, blank_tokens, redact_value};
use crate::requests::RequestLog;
use crate::secret::Secret;

/// Everything that one emulator holds, shared between its server and its handle.
#[derive(Debug)]
pub(crate) struct Tenant {
    pub(crate) issuer: String,
    pub(crate) admin_token: Secret,
    pub(crate) clock: Clock,
    pub(crate) keys: KeyRing,
    pub(crate) requests: RequestLog,
    pub(crate) audit: AuditLog,
    pub(crate) faults: Faults,
    tokens_issued: AtomicUsize,
    /// The name of the tenant on the pages.
    title: String,
    seed: Config,
    live: Mutex<Live>,
}

/// What changes at run time, under one lock that is never held over an `await`.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) switches: Switches,
    pub(crate) apis: Vec<Api>,
    pub(crate) registry: Registry,
    pub(crate) tokens: Tokens,
    pub(crate) users: Vec<User>,
    pub(crate) people: People,
    /// When everything here was made.
    pub(crate) seeded_at: SystemTime,
    recent: Vec<SystemTime>,
}

impl Tenant {
    pub(crate) fn new(seed: Config, issuer: String, admin_token: Secret, key: SigningKey) -> Self {
        let clock = Clock::default();
        let live = Mutex::new(Live::of(&seed, clock.now()));
        Self {
            issuer,
            admin_token,
            clock,
            keys: KeyRing::new(key),
            requests: RequestLog::default(),
            audit: AuditLog::default(),
            faults: Faults::default(),
            tokens_issued: AtomicUsize::new(0),
            title: title(&seed),
            seed,
            live,
        }
    }

    /// Everything as it was at the start, except for the keys and the address.
    pub(crate) fn reset(&self) {
        self.clock.reset();
        self.faults.clear();
        self.clear_requests();
        *self.live() = Live::of(&self.seed, self.clock.now());
        self.audit.clear();
    }

    pub(crate) fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    pub(crate) fn slug(&self) -> String {
        self.seed.slug()
    }

    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// Scheme, host and port of the issuer, without its path.
    pub(crate) fn issuer_authority(&self) -> &str {
        let whole = self.issuer.as_str();
        whole.strip_suffix(self.issuer_path()).unwrap_or(whole)
    }

    pub(crate) fn issuer_path(&self) -> &str {
        &self.seed.issuer_path
    }

    /// Appends to the audit log, redacted: the one way into it.
    ///
    /// The caller redacts the ids of actor and target: most of them are made here or public.
    pub(crate) fn record(&self, mut event: Event) {
        let now = self.now();
        event.data = redact_value(event.data, &|text| self.redact(text));
        let agent = event.context.user_agent.take();
        event.context.user_agent = agent.map(|agent| self.redact(&agent));
        self.audit.append(random::id("evt_", now), now, event);
    }

    pub(crate) fn clear_requests(&self) {
        self.requests.clear();
        self.tokens_issued.store(0, Ordering::Relaxed);
    }

    pub(crate) fn tokens_issued(&self) -> usize {
        self.tokens_issued.load(Ordering::Relaxed)
    }

    /// Remembers a token for introspection and revocation, and counts it.
    pub(crate) fn issue(&self, token: &str, issued: IssuedToken) {
        let now = self.now();
        self.live().tokens.insert(token, issued, now);
        self.tokens_issued.fetch_add(1, Ordering::Relaxed);
    }

    /// Blanks every secret of this tenant, every token that it issued, and everything that looks like
    /// a token, for the logs: a client may send them in the wrong place.
    pub(crate) fn redact(&self, text: &str) -> String {
        let live = self.live();
        // The id of an application is public, even if it is spelled like a secret.
        if live.registry.find(text).is_some() {
            return text.to_owned();
        }
        let text = blank_tokens(text, |word| live.knows(word));
        let secrets = live.registry.secrets().chain([&self.admin_token]);
        let users = self.seed.users.iter();
        let theirs = users.flat_map(|user| user.second_factor.iter().chain([&user.password]));
        let mut secrets: Vec<&str> = secrets.chain(theirs).map(Secret::expose).collect();
        // The longest first, so that a secret which is a part of another leaves nothing of it.
        secrets.sort_unstable_by_key(|secret| Reverse(secret.len()));
        secrets
            .into_iter()
            .fold(text, |text, secret| blank_secret(&text, secret))
    }

    /// A path, redacted; as it was sent, unless only decoding it shows a secret.
    pub(crate) fn redact_path(&self, path: &str) -> String {
        let decoded = percent_decode_str(path).decode_utf8_lossy();
        let redacted = self.redact(&decoded);
        if redacted == decoded {
            self.redact(path)
        } else {
            redacted
        }
    }

    /// Counts a request against the tenant's limit. Returns how long to wait if the limit is reached.
    ///
    /// A sliding window of a minute, as the platform describes it.
    pub(crate) fn over_limit(&self) -> Option<Duration> {
        let now = self.now();
        let mut live = self.live();
        let limit = usize::try_from(live.switches.requests_per_minute?).unwrap_or(usize::MAX);
        live.recent.retain(|at| *at + MINUTE > now);
        if live.recent.len() < limit {
            live.recent.push(now);
            return None;
        }
        let oldest = live.recent.first().copied().unwrap_or(now);
        Some((oldest + MINUTE).duration_since(now).unwrap_or(MINUTE))
    }
}

impl Live {
    fn of(seed: &Config, now: SystemTime) -> Self {
        Self {
            switches: seed.switches.clone(),
            apis: seed.apis.clone(),
            registry: Registry::new(&seed.applications, now),
            tokens: Tokens::default(),
            users: seed.users.clone(),
            people: People::default(),
            seeded_at: now,
            recent: Vec::new(),
        }
    }

    pub(crate) fn user(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    /// Whether this value was issued as a secret: a token, a code, a cookie, a ticket.
    fn knows(&self, word: &str) -> bool {
        self.tokens.find(word).is_some() || self.people.issued_secrets.contains(word)
    }
}

/// `Cymmetri banking`, of the tenant `banking` of `cymmetri`.
fn title(seed: &Config) -> String {
    let mut organisation = seed.organisation.chars();
    let first = organisation
        .next()
        .map(|first| first.to_uppercase().to_string());
    let first = first.unwrap_or_default();
    format!("{first}{} {}", organisation.as_str(), seed.tenant)
}

const MINUTE: Duration = Duration::from_secs(60);
