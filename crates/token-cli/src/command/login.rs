//! `login`: a person signs in, for as many APIs as they like.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use intelliauth::{Account, Error, SessionInfo};
use serde_json::json;

use crate::{
    arguments::{Prompting, Report},
    context::Context,
    failure::{Exit, Failure},
    identity,
    output::{one_line, print_json, say},
    settings::Settings,
    sign_in::{self, Asking},
};

/// Sign in, for one API or several in one prompt.
///
/// What the session covered before is asked for again, so that nothing is lost. Without --audience it
/// asks for what the profile names.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Login {
    /// An API to get tokens for; may be repeated.
    #[arg(long, value_name = "AUDIENCE")]
    audience: Vec<String>,

    /// A scope of that API, or of the person's identity (profile, email). With several APIs:
    /// AUDIENCE=SCOPE. May be repeated.
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,

    /// Have the person prove again who they are, even where the browser knows them.
    #[arg(long)]
    fresh: bool,

    #[command(flatten)]
    prompting: Prompting,

    #[command(flatten)]
    pub(crate) report: Report,
}

const EXAMPLES: &str = "\
Examples:
  intelliauth-token login --audience api.banking.cymmetri.com --scope read:transactions
  intelliauth-token login --audience api.banking.cymmetri.com --audience api.health.cymmetri.com \\
      --scope api.health.cymmetri.com=read:records
  intelliauth-token login --flow device            # on a server: with a code, on your phone
  intelliauth-token login --account bob@cymmetri.example";

type Access = BTreeMap<String, BTreeSet<String>>;

impl Login {
    pub(crate) async fn run(&self, context: &Context) -> Result<(), Failure> {
        let settings = context.settings()?;
        identity::person_only(&settings, "login")?;
        if self.prompting.no_interactive {
            return Err(Failure::new(
                Exit::PersonNeeded,
                "login_required",
                "a sign-in needs a person, and --no-interactive says that there is none",
            )
            .then(settings.command(["login"])));
        }
        let people = identity::people(&settings)?;
        let session = people.session(&settings.account);
        let before = identity::info(&people, &settings).await?;
        let asking = self.asking(&settings, before.as_ref())?;
        let signed_in =
            sign_in::sign_in(&session, &asking, &self.prompting, &context.surroundings).await;
        let closed = people.close().await;
        let account = signed_in.map_err(|error| failed(&error, &settings))?;
        closed.map_err(|error| Failure::of(&error, false))?;
        warn_of_another(before.as_ref(), &account, &settings);
        self.report(&account, &asking, &settings)
    }

    fn asking(&self, settings: &Settings, before: Option<&SessionInfo>) -> Result<Asking, Failure> {
        let (named, mut identity) = sorted(&self.audience, &self.scope)?;
        let mut access = if self.audience.is_empty() {
            settings.profile.access()
        } else {
            named
        };
        for (audience, scopes) in before.into_iter().flat_map(SessionInfo::covered) {
            let scopes = scopes.iter().map(|scope| scope.as_str().to_owned());
            access
                .entry(audience.as_str().to_owned())
                .or_default()
                .extend(scopes);
        }
        identity.extend(settings.profile.sign_in_scopes.iter().cloned());
        Ok(Asking {
            access,
            identity,
            hint: Some(settings.account.clone()).filter(|account| account.contains('@')),
            is_fresh: self.fresh,
        })
    }

    fn report(
        &self,
        account: &Account,
        asking: &Asking,
        settings: &Settings,
    ) -> Result<(), Failure> {
        if self.report.is_json() {
            return print_json(&json!({
                "account": settings.account,
                "subject": account.subject(),
                "name": account.name(),
                "email": account.email(),
                "audiences": asking.access.keys().collect::<Vec<_>>(),
            }));
        }
        let apis: Vec<&str> = asking.access.keys().map(String::as_str).collect();
        let for_apis = if apis.is_empty() {
            String::new()
        } else {
            format!(" for {}", apis.join(", "))
        };
        say(&format!("Signed in as {}{for_apis}.", shown(account)));
        Ok(())
    }
}

/// How a person is called.
pub(crate) fn shown(account: &Account) -> String {
    let text = match (account.name().or(account.subject()), account.email()) {
        (Some(name), Some(email)) => format!("{name} <{email}>"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "a person whom the issuer does not name".to_owned(),
    };
    one_line(&text)
}

fn failed(error: &Error, settings: &Settings) -> Failure {
    let failure = Failure::of(error, true);
    match error {
        Error::Store(_) => failure.then(settings.command(["doctor"])),
        Error::Login(_) | Error::Unavailable(_) => failure.then(settings.command(["login"])),
        _ => failure,
    }
}

/// Says it where the account has changed hands.
fn warn_of_another(before: Option<&SessionInfo>, now: &Account, settings: &Settings) {
    let before = before.map(SessionInfo::account);
    if let Some(before) = before
        && before.subject() != now.subject()
    {
        say(&format!(
            "note: the account `{}` was that of {} before; --account NAME keeps several apart",
            settings.account,
            shown(before)
        ));
    }
}

/// The scopes by audience, and those of the person's identity.
fn sorted(audiences: &[String], scopes: &[String]) -> Result<(Access, BTreeSet<String>), Failure> {
    let mut access: Access = audiences
        .iter()
        .map(|audience| (audience.clone(), BTreeSet::new()))
        .collect();
    let mut identity = BTreeSet::new();
    for scope in scopes {
        if IDENTITY.contains(&scope.as_str()) {
            identity.insert(scope.clone());
            continue;
        }
        let named = audiences.iter().find_map(|audience| {
            let scope = scope.strip_prefix(audience.as_str())?.strip_prefix('=')?;
            Some((audience.clone(), scope.to_owned()))
        });
        let (audience, scope) = match (named, audiences) {
            (Some(named), _) => named,
            (None, [only]) => (only.clone(), scope.clone()),
            (None, []) => {
                return Err(Failure::usage(format!("--scope {scope} is of no API"))
                    .advising("name the API with --audience"));
            }
            (None, _) => {
                return Err(
                    Failure::usage(format!("--scope {scope} could be of several APIs"))
                        .advising(format!("write --scope AUDIENCE={scope}")),
                );
            }
        };
        access.entry(audience).or_default().insert(scope);
    }
    Ok((access, identity))
}

/// OpenID Connect Core section 5.4, and section 11.
const IDENTITY: &[&str] = &[
    "openid",
    "profile",
    "email",
    "address",
    "phone",
    "offline_access",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(audiences: &[&str], scopes: &[&str]) -> Result<(Access, BTreeSet<String>), Failure> {
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let (audiences, scopes): (Vec<String>, Vec<String>) = (own(audiences), own(scopes));
        sorted(&audiences, &scopes)
    }

    #[test]
    fn a_scope_belongs_to_the_one_api_or_names_its_own() {
        let (access, identity) = of(&["api.a"], &["read:a", "email"]).unwrap();
        assert!(access["api.a"].contains("read:a") && identity.contains("email"));
        let (access, _) = of(
            &["https://a/?x=1", "api.b"],
            &["https://a/?x=1=read:a", "api.b=b"],
        )
        .unwrap();
        assert!(access["https://a/?x=1"].contains("read:a") && access["api.b"].contains("b"));
        for (audiences, fix) in [
            (&["api.a", "api.b"][..], "AUDIENCE=read:a"),
            (&[][..], "--audience"),
        ] {
            let error = of(audiences, &["read:a"]).unwrap_err().to_string();
            assert!(error.contains(fix), "{error}");
        }
    }
}
