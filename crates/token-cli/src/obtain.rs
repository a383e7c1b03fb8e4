//! One token for `token`, `exec` and `curl`: from the session, or else by asking.

use std::time::Duration;

use intelliauth::{AccessToken, CacheMode, Error, Source, TokenRequest};

use crate::{
    arguments::Prompting,
    failure::{Exit, Failure},
    identity::Identity,
    moment,
    settings::Settings,
    shell, sign_in,
    surroundings::Surroundings,
};

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) audience: String,
    pub(crate) scopes: Vec<String>,
    /// How long the token has to be valid at least.
    pub(crate) min_ttl: Duration,
    /// Whether a new one is fetched in any case.
    pub(crate) is_forced: bool,
}

impl Wanted {
    /// The request for it.
    pub(crate) fn request(&self) -> TokenRequest<'_> {
        TokenRequest::new(&*self.audience).scopes(&self.scopes)
    }

    /// As [`obtain`](Self::obtain), where it is the last that this program wants: nothing is under way after it.
    pub(crate) async fn obtain_last(
        &self,
        settings: &Settings,
        identity: &Identity,
        prompting: &Prompting,
        surroundings: &Surroundings,
    ) -> Result<AccessToken, Failure> {
        let token = self
            .obtain(settings, identity, prompting, surroundings)
            .await;
        let closed = identity.close().await;
        let token = token?;
        closed.map(|()| token)
    }

    /// The token, after asking a person if need be and possible.
    pub(crate) async fn obtain(
        &self,
        settings: &Settings,
        identity: &Identity,
        prompting: &Prompting,
        surroundings: &Surroundings,
    ) -> Result<AccessToken, Failure> {
        let mode = if self.is_forced {
            CacheMode::Refresh
        } else {
            CacheMode::Prefer
        };
        let first = identity.get(&self.request().cache_mode(mode)).await;
        let token = match (first, identity) {
            (Err(error), Identity::Person { session, .. })
                if needs_person(&error) && may_ask(prompting, surroundings) =>
            {
                let resolved = sign_in::resolve(session, error, prompting, surroundings).await;
                resolved.map_err(|error| self.failure(&error, settings, true))?
            }
            (outcome, _) => outcome.map_err(|error| self.failure(&error, settings, false))?,
        };
        self.long_enough(token, settings, identity).await
    }

    /// The token itself if it lives long enough, else a new one.
    async fn long_enough(
        &self,
        token: AccessToken,
        settings: &Settings,
        identity: &Identity,
    ) -> Result<AccessToken, Failure> {
        if moment::left(token.expires_at()) >= self.min_ttl {
            return Ok(token);
        }
        // A new one would not live longer: the issuer is not asked in vain, at every call.
        if token.lifetime() < self.min_ttl {
            return Err(self.too_short(token.lifetime()));
        }
        if token.source() == Source::Issuer {
            return Ok(token);
        }
        let request = self.request().cache_mode(CacheMode::Refresh);
        let token = identity.get(&request).await;
        let token = token.map_err(|error| self.failure(&error, settings, false))?;
        if token.lifetime() < self.min_ttl {
            return Err(self.too_short(token.lifetime()));
        }
        Ok(token)
    }

    fn too_short(&self, lifetime: Duration) -> Failure {
        Failure::new(
            Exit::Refused,
            "lifetime_too_short",
            format!(
                "the issuer's tokens for `{}` live {}, which is less than the {} that --min-ttl asks for",
                self.audience,
                moment::spoken(lifetime),
                moment::spoken(self.min_ttl)
            ),
        )
        .advising("ask for less")
    }

    fn failure(&self, error: &Error, settings: &Settings, has_prompted: bool) -> Failure {
        let failure = Failure::of(error, has_prompted);
        match error {
            error if needs_person(error) => failure.then(self.login_command(error, settings)),
            Error::Unavailable(_) => failure.then(shell::line(std::env::args())),
            Error::Store(_) => failure.then(settings.command(["doctor"])),
            _ => failure,
        }
    }

    /// The sign-in that would help.
    pub(crate) fn login_command(&self, error: &Error, settings: &Settings) -> String {
        let mut words = vec!["login", "--audience", &self.audience];
        for scope in &self.scopes {
            words.extend(["--scope", scope]);
        }
        if matches!(error, Error::StepUp(_)) {
            words.push("--fresh");
        }
        settings.command(words)
    }
}

/// Whether a person's next move would help.
pub(crate) fn needs_person(error: &Error) -> bool {
    matches!(
        error,
        Error::Login(_) | Error::Consent(_) | Error::StepUp(_)
    )
}

fn may_ask(prompting: &Prompting, surroundings: &Surroundings) -> bool {
    !prompting.no_interactive && surroundings.may_prompt()
}
