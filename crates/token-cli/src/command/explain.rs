//! `explain`: what the next call for a token would do, without doing it.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use clap::Args;
use intelliauth::SessionInfo;
use serde_json::json;

use crate::{
    arguments::Report,
    context::Context,
    failure::Failure,
    identity, moment,
    output::{print, print_json},
    settings::Settings,
};

/// Say what the next call for a token would do, and why, without doing it.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Explain {
    /// The API, exactly as the tenant knows it.
    audience: String,

    /// A scope that the token must have; may be repeated.
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,

    #[command(flatten)]
    pub(crate) report: Report,
}

const EXAMPLES: &str = "\
Examples:
  intelliauth-token explain api.banking.cymmetri.com
  intelliauth-token explain api.banking.cymmetri.com --scope write:transactions --format json";

/// What the next call would do.
#[derive(Debug, PartialEq, Eq)]
struct Forecast {
    /// `hit`, `refresh`, `request` or `ask`.
    outcome: &'static str,
    reason: String,
}

/// What is known of a session, as far as it matters here.
struct Known<'a> {
    covered: Option<BTreeSet<&'a str>>,
    token_ends: Option<SystemTime>,
    can_be_refreshed: bool,
    /// Other APIs that it covers: an exact name is easily mistyped.
    others: Vec<&'a str>,
}

impl Explain {
    pub(crate) async fn run(&self, context: &Context) -> Result<(), Failure> {
        let settings = context.settings()?;
        let forecast = if settings.is_person() {
            let people = identity::people(&settings)?;
            let info = identity::info(&people, &settings).await?;
            let known = info.as_ref().map(|info| Known::of(info, &self.audience));
            self.forecast(known, moment::now())
        } else {
            Forecast {
                outcome: "request",
                reason: "an application acts for itself here, and its tokens are not kept: each command asks the issuer once".to_owned(),
            }
        };
        self.report(&forecast, &settings)
    }

    fn forecast(&self, known: Option<Known<'_>>, now: SystemTime) -> Forecast {
        let ask = |reason: String| Forecast {
            outcome: "ask",
            reason,
        };
        let Some(known) = known else {
            return ask("no person is signed in under this account".to_owned());
        };
        let Some(covered) = &known.covered else {
            return ask(not_covered(&known.others));
        };
        let missing: Vec<&str> = self
            .scope
            .iter()
            .map(String::as_str)
            .filter(|scope| !covered.contains(scope))
            .collect();
        if !missing.is_empty() {
            return ask(format!(
                "the person has not consented to {} there, as far as is known",
                missing.join(", ")
            ));
        }
        let left = known
            .token_ends
            .and_then(|end| end.duration_since(now).ok())
            .unwrap_or_default();
        if left > RESERVE {
            return Forecast {
                outcome: "hit",
                reason: format!(
                    "a token is kept that is valid for {}; in the last part of its life the call would refresh it",
                    moment::spoken(left)
                ),
            };
        }
        let state = match known.token_ends {
            Some(_) => "the token that is kept has ended, or is about to",
            None => "no token is kept for this API",
        };
        if known.can_be_refreshed {
            return Forecast {
                outcome: "refresh",
                reason: format!("{state}, and the session has a refresh token"),
            };
        }
        ask(format!("{state}, and the session has no refresh token"))
    }

    fn report(&self, forecast: &Forecast, settings: &Settings) -> Result<(), Failure> {
        let command = (forecast.outcome == "ask").then(|| {
            let mut words = vec!["login", "--audience", &self.audience];
            for scope in &self.scope {
                words.extend(["--scope", scope]);
            }
            settings.command(words)
        });
        if self.report.is_json() {
            return print_json(&json!({
                "audience": self.audience,
                "outcome": forecast.outcome,
                "reason": forecast.reason,
                "next_command": command,
            }));
        }
        let does = match forecast.outcome {
            "hit" => "be answered from the session, without a request",
            "refresh" => "refresh the session, with one request",
            "request" => "ask the issuer",
            _ => "need the person",
        };
        let run = command.map_or_else(String::new, |command| format!("run: {command}\n"));
        print(&format!(
            "The next call for {} would {does}: {}.\n{run}",
            self.audience, forecast.reason
        ))
    }
}

impl<'a> Known<'a> {
    fn of(info: &'a SessionInfo, audience: &str) -> Self {
        let covered = info
            .covered()
            .find(|(api, _)| api.as_str() == audience)
            .map(|(_, scopes)| scopes.iter().map(intelliauth::Scope::as_str).collect());
        Self {
            covered,
            token_ends: info
                .tokens_end()
                .filter(|(api, _)| api.as_str() == audience)
                .map(|(_, end)| end)
                .max(),
            can_be_refreshed: info.can_be_refreshed(),
            others: info.covered().map(|(api, _)| api.as_str()).collect(),
        }
    }
}

fn not_covered(others: &[&str]) -> String {
    if others.is_empty() {
        return "the person has signed in, for no API".to_owned();
    }
    format!(
        "the person has signed in for {}, and not for this API",
        others.join(", ")
    )
}

/// What the client keeps back of a token's life, at most: a token within it may be handed out or not.
const RESERVE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(scopes: &[&str], known: Option<Known<'_>>) -> &'static str {
        let explain = Explain {
            audience: "api.x".to_owned(),
            scope: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            report: Report {
                format: crate::arguments::ReportFormat::Text,
            },
        };
        explain.forecast(known, SystemTime::UNIX_EPOCH).outcome
    }

    fn known(covered: Option<&[&'static str]>, left: Option<u64>, refresh: bool) -> Known<'static> {
        Known {
            covered: covered.map(|scopes| scopes.iter().copied().collect()),
            token_ends: left.map(|left| SystemTime::UNIX_EPOCH + Duration::from_secs(left)),
            can_be_refreshed: refresh,
            others: vec!["api.y"],
        }
    }

    #[test]
    fn the_next_call_hits_refreshes_or_asks() {
        let covered = Some(&["read:x"][..]);
        for (scopes, session, expected) in [
            (&[][..], None, "ask"),
            (&[], Some(known(None, None, true)), "ask"),
            (&[], Some(known(covered, Some(600), true)), "hit"),
            (&["read:x"], Some(known(covered, Some(600), true)), "hit"),
            (&["write:x"], Some(known(covered, Some(600), true)), "ask"),
            (&["read:x"], Some(known(Some(&[]), Some(600), true)), "ask"),
            (&[], Some(known(covered, Some(20), true)), "refresh"),
            (&[], Some(known(covered, None, true)), "refresh"),
            (&[], Some(known(covered, Some(0), false)), "ask"),
        ] {
            assert_eq!(outcome(scopes, session), expected, "{scopes:?}");
        }
    }
}
