//! `status`: who is signed in, for which APIs, and for how long.

use std::fmt::Write as _;

use clap::Args;
use intelliauth::SessionInfo;
use serde_json::{Value, json};

use super::login::shown;
use crate::{
    arguments::Report,
    context::Context,
    failure::Failure,
    identity, moment,
    output::{print, print_json},
    settings::Settings,
};

/// Say who is signed in, for which APIs, and for how long.
///
/// It reads what is kept and sends no request.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) report: Report,
}

const EXAMPLES: &str = "\
Examples:
  intelliauth-token status
  intelliauth-token status --profile work --format json";

impl Status {
    pub(crate) async fn run(&self, context: &Context) -> Result<(), Failure> {
        let settings = context.settings()?;
        let sessions = if settings.is_person() {
            identity::all(&identity::people(&settings)?).await?
        } else {
            Vec::new()
        };
        if self.report.is_json() {
            return print_json(&as_json(&settings, &sessions));
        }
        print(&as_text(&settings, &sessions))
    }
}

fn as_text(settings: &Settings, sessions: &[SessionInfo]) -> String {
    let profile = &settings.profile;
    let mut text = String::new();
    if let Some(name) = &settings.name {
        let _ = write!(text, "Profile {name}: ");
    }
    let _ = writeln!(
        text,
        "application {} at {}.",
        profile.client_id, profile.tenant_url
    );
    if !settings.is_person() {
        text.push_str(
            "It acts for itself: each command asks for a token of its own, and nothing is kept.\n",
        );
        return text;
    }
    let _ = writeln!(
        text,
        "Sessions are kept in {}, in plain files that only this user can read.",
        settings.places.sessions.display()
    );
    if sessions.is_empty() {
        let _ = writeln!(
            text,
            "\nNo person is signed in. To sign in: {}",
            settings.command(["login"])
        );
    }
    for session in sessions {
        let _ = write!(text, "\n{}", of_session(session));
    }
    text
}

fn of_session(session: &SessionInfo) -> String {
    let mut text = format!(
        "Account {}: {} is signed in{}.\n",
        session.name(),
        shown(session.account()),
        if session.can_be_refreshed() {
            ""
        } else {
            ", without a refresh token: until the tokens end"
        }
    );
    for (audience, scopes) in session.covered() {
        let allowed = if scopes.is_empty() {
            "whatever the tenant grants".to_owned()
        } else {
            scopes.to_string()
        };
        let ends = session
            .tokens_end()
            .filter(|(api, _)| *api == audience)
            .map(|(_, end)| end)
            .max();
        let token = match ends {
            Some(end) if !moment::left(end).is_zero() => format!(
                "its token is valid for {}, until {}",
                moment::spoken(moment::left(end)),
                moment::rfc_3339(end)
            ),
            Some(_) => "its token has ended, and is refreshed by the next call".to_owned(),
            None => "no token is kept; the next call fetches one".to_owned(),
        };
        let _ = writeln!(text, "  {audience}: {allowed}; {token}.");
    }
    text
}

fn as_json(settings: &Settings, sessions: &[SessionInfo]) -> Value {
    let of_session = |session: &SessionInfo| {
        let account = session.account();
        let apis: Vec<Value> = session
            .covered()
            .map(|(audience, scopes)| {
                let own = session.tokens_end().filter(|(api, _)| *api == audience);
                json!({
                    "audience": audience.as_str(),
                    "scope": scopes.to_string(),
                    "token_expires_at": own.map(|(_, end)| end).max().map(moment::rfc_3339),
                })
            })
            .collect();
        json!({
            "account": session.name(),
            "subject": account.subject(),
            "name": account.name(),
            "email": account.email(),
            "can_be_refreshed": session.can_be_refreshed(),
            "apis": apis,
        })
    };
    json!({
        "profile": settings.name,
        "tenant_url": settings.profile.tenant_url,
        "client_id": settings.profile.client_id,
        "kind": settings.profile.kind,
        "sessions_directory": settings.places.sessions.display().to_string(),
        "accounts": sessions.iter().map(of_session).collect::<Vec<_>>(),
    })
}
