//! The issuer's side: the emulator, and what it knows about each refresh token.

use std::time::Duration;

use anyhow::{Context as _, Result};
use intelliauth::{AuthorizationCode, Dialect, Session, TokenRequest};
use intelliauth_emulator::{
    Api, Application, Config, Emulator, Endpoint, Fault, GraceCoverage, Person, User,
};

use crate::ledger::Ledger;
use crate::loss::Witness;
use crate::options::{Grace, GraceKind};

/// The application that all processes are.
pub(crate) const APPLICATION: &str = "app_torture";

const PERSON: &str = "usr_torture";
const REDIRECT: &str = "http://127.0.0.1/callback";
const ELSEWHERE: &str = "api.elsewhere.example";

/// The audience with this number.
pub(crate) fn audience(number: u16) -> String {
    format!("api.torture-{number}.example")
}

/// What the processes know of the issuer.
pub(crate) fn dialect(grace: Option<Duration>) -> Dialect {
    let mut dialect = Dialect::intelliauth();
    dialect.refresh_grace = grace;
    dialect
}

fn scope(number: u16) -> String {
    format!("read:torture-{number}")
}

impl GraceKind {
    fn coverage(self) -> GraceCoverage {
        match self {
            Self::Identical => GraceCoverage::IdenticalRequest,
            Self::Any => GraceCoverage::AnyRequest,
        }
    }
}

/// The emulator, and the person at it.
pub(crate) struct Issuer {
    emulator: Emulator,
    person: Person,
    audiences: u16,
}

impl Issuer {
    /// Reuse ends the family, but for what a grace period covers.
    pub(crate) async fn start(
        audiences: u16,
        lifetime: Duration,
        grace: Option<Grace>,
    ) -> Result<Self> {
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
        let config = Config::new("torture", "cymmetri")
            .application(application)
            .user(User::new(
                PERSON,
                "somebody@cymmetri.example",
                "sample-password",
            ))
            .api(Api::new(ELSEWHERE))
            .switches(|switches| {
                if let Some(grace) = grace {
                    switches.refresh_grace = grace.period;
                    switches.refresh_grace_covers = grace.kind.coverage();
                }
            });
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
    pub(crate) async fn sign_in(&self, session: &Session) -> Result<()> {
        let login = (0..self.audiences)
            .fold(AuthorizationCode::redirect_to(REDIRECT), |login, number| {
                login.request(TokenRequest::new(audience(number)).scope(scope(number)))
            });
        let (url, pending) = session
            .begin_sign_in(login)
            .await
            .context("the sign-in did not start")?;
        let callback = self
            .person
            .approve(&url)
            .await
            .context("the pages failed")?;
        let finished = session.finish_sign_in(&pending, callback.as_str()).await;
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

    pub(crate) fn look_up(&self, refresh_token: &str) -> Option<Witness> {
        let token = self.emulator.refresh_token(refresh_token)?;
        Some(Witness {
            place: (token.family, token.number),
            state: token.state,
        })
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
