//! The issuer's side: the emulator, and what it knows about each refresh token.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result};
use intelliauth::{AuthorizationCode, Client, TokenRequest};
use intelliauth_emulator::{
    Api, Application, AuditEntry, Config, Emulator, Endpoint, Fault, Outcome, Person,
    RefreshTokenRecord, User,
};

/// The application that all processes are.
pub(crate) const APPLICATION: &str = "app_torture";

const PERSON: &str = "usr_torture";
const REDIRECT: &str = "http://127.0.0.1/callback";
const ELSEWHERE: &str = "api.elsewhere.example";

/// The audience with this number.
pub(crate) fn audience(number: u16) -> String {
    format!("api.torture-{number}.example")
}

fn scope(number: u16) -> String {
    format!("read:torture-{number}")
}

/// The emulator, and the person at it.
pub(crate) struct Issuer {
    emulator: Emulator,
    person: Person,
    audiences: u16,
}

impl Issuer {
    pub(crate) async fn start(audiences: u16, lifetime: Duration) -> Result<Self> {
        let numbers = || 0..audiences;
        let identity = ["openid", "profile", "offline_access"].map(str::to_owned);
        let application = Application::native(APPLICATION)
            .allow_audiences(numbers().map(audience))
            .allow_scopes(numbers().map(scope).chain(identity))
            .redirect_uri(REDIRECT)
            .token_lifetime(lifetime);
        let apis = numbers().map(|number| {
            Api::new(audience(number)).scope(scope(number), "Read", "See what is there")
        });
        // The defaults are what is wanted: reuse ends the family, and there is no grace.
        let config = Config::new("torture", "cymmetri")
            .application(application)
            .user(User::new(
                PERSON,
                "somebody@cymmetri.example",
                "sample-password",
            ))
            .api(Api::new(ELSEWHERE));
        let config = apis.fold(config, Config::api);
        let emulator = Emulator::start(config)
            .await
            .context("the emulator did not start")?;
        let person = emulator.login_as(PERSON);
        Ok(Self {
            emulator,
            person,
            audiences,
        })
    }

    pub(crate) fn address(&self) -> &str {
        self.emulator.issuer()
    }

    /// Has the person sign in, for all audiences at once.
    pub(crate) async fn sign_in(&self, client: &Client) -> Result<()> {
        let login = (0..self.audiences)
            .fold(AuthorizationCode::redirect_to(REDIRECT), |login, number| {
                login.request(TokenRequest::new(audience(number)).scope(scope(number)))
            });
        let (url, pending) = client
            .start(login)
            .await
            .context("the sign-in did not start")?;
        let callback = self
            .person
            .approve(&url)
            .await
            .context("the pages failed")?;
        let finished = client.finish(&pending, callback.as_str()).await;
        finished.map(drop).context("the sign-in did not end")
    }

    /// The next redemption is done, and its answer does not arrive.
    pub(crate) fn lose_next_answer(&self, draw: &mut fastrand::Rng) {
        let fault = match draw.u8(0..3) {
            0 => Fault::drop_after(),
            1 => Fault::torn_body(),
            _ => Fault::truncated_json(),
        };
        self.arm(fault.times(1));
    }

    /// The answer to the next redemption takes a while.
    pub(crate) fn delay_next_answer(&self, draw: &mut fastrand::Rng) {
        let delay = Duration::from_millis(draw.u64(5..150));
        self.arm(Fault::delay_after(delay).times(1));
    }

    /// From now on tokens are for somebody else.
    pub(crate) fn mint_for_others(&self) {
        self.arm(Fault::wrong_audience(ELSEWHERE));
    }

    fn arm(&self, fault: Fault) {
        self.emulator
            .fault(fault.at(Endpoint::Token).grant("refresh_token"));
    }

    pub(crate) fn clear(&self) {
        self.emulator.clear_faults();
    }

    pub(crate) fn look_up(&self, refresh_token: &str) -> Option<RefreshTokenRecord> {
        self.emulator.refresh_token(refresh_token)
    }

    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::read(&self.emulator.audit())
    }

    pub(crate) fn rotations(&self) -> u64 {
        let families = self.emulator.families();
        families.iter().map(|family| family.rotations).sum()
    }

    pub(crate) fn is_alive(&self, family: &str) -> bool {
        let families = self.emulator.families();
        families
            .iter()
            .any(|known| known.id == family && known.is_alive)
    }
}

/// A refresh token: its family, and how many of the family came before it.
pub(crate) type Place = (String, u64);

/// What became of each refresh token at the issuer.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Redeemed, and whether a fault then spoilt the answer.
    redeemed: BTreeMap<Place, bool>,
    /// Redeemed more than once with success: that must never be.
    redeemed_again: u64,
    /// The token with which its family ended, because it had been used before.
    reused: BTreeSet<Place>,
}

impl Ledger {
    fn read(audit: &[AuditEntry]) -> Self {
        let mut ledger = Self::default();
        for entry in audit {
            let data = &entry.data;
            let place = data["family"]
                .as_str()
                .zip(data["refresh_token_number"].as_u64());
            let Some(place) = place.map(|(family, number)| (family.to_owned(), number)) else {
                continue;
            };
            let is_answered = matches!(entry.outcome, Outcome::Success | Outcome::Partial);
            match entry.kind.as_str() {
                "oauth.refresh_token_reused" => {
                    ledger.reused.insert(place);
                }
                "oauth.token_request" if is_answered => {
                    let is_lost = data["fault"]
                        .as_str()
                        .is_some_and(|fault| LOSES.contains(&fault));
                    let is_again = ledger.redeemed.insert(place, is_lost).is_some();
                    ledger.redeemed_again += u64::from(is_again);
                }
                _ => {}
            }
        }
        ledger
    }

    pub(crate) fn redemptions(&self) -> u64 {
        self.redeemed.len() as u64 + self.redeemed_again
    }

    pub(crate) fn dropped_replies(&self) -> u64 {
        self.redeemed.values().filter(|is_lost| **is_lost).count() as u64
    }

    pub(crate) fn is_redeemed(&self, place: &Place) -> bool {
        self.redeemed.contains_key(place)
    }

    /// Whether the answer to the redemption was spoilt on its way.
    pub(crate) fn is_dropped(&self, place: &Place) -> bool {
        self.redeemed.get(place).copied().unwrap_or(false)
    }

    pub(crate) fn reused(&self) -> impl Iterator<Item = &Place> {
        self.reused.iter()
    }

    /// The token that ended the family.
    pub(crate) fn reused_in(&self, family: &str) -> Option<&Place> {
        self.reused.iter().find(|(of, _)| of == family)
    }

    #[cfg(test)]
    pub(crate) fn of(redeemed: &[(u64, bool)], reused: &[u64]) -> Self {
        let place = |number: u64| ("fam".to_owned(), number);
        Self {
            redeemed: redeemed
                .iter()
                .map(|(number, lost)| (place(*number), *lost))
                .collect(),
            redeemed_again: 0,
            reused: reused.iter().map(|number| place(*number)).collect(),
        }
    }
}

/// Faults after which the issuer has done its part and the client knows nothing.
const LOSES: [&str; 3] = ["drop_after", "torn_body", "truncated_json"];
