//! `logout`: forgets a session, and revokes its refresh token.

use clap::Args;
use intelliauth::{Revocation, SessionInfo};
use serde_json::json;

use super::login::shown;
use crate::{
    arguments::Report,
    context::Context,
    failure::Failure,
    identity,
    output::{print_json, say},
};

/// Sign out: forget the session, and revoke its refresh token.
///
/// Access tokens that other programs got live on until they end.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Logout {
    /// Every account of this profile.
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    pub(crate) report: Report,
}

const EXAMPLES: &str = "\
Examples:
  intelliauth-token logout
  intelliauth-token logout --account bob@cymmetri.example
  intelliauth-token logout --all";

impl Logout {
    pub(crate) async fn run(&self, context: &Context) -> Result<(), Failure> {
        let settings = context.settings()?;
        identity::person_only(&settings, "logout")?;
        let people = identity::people(&settings)?;
        let signed_in = identity::all(&people).await?;
        let mut names = vec![settings.account.clone()];
        if self.all {
            names = signed_in.iter().map(|it| it.name().to_owned()).collect();
        }
        let mut told = Vec::new();
        for name in &names {
            let known = signed_in.iter().find(|session| session.name() == name);
            // Also where none is known: a sign-in under way elsewhere must not come after it.
            let signed_out = Box::pin(people.session(name).sign_out()).await;
            let signed_out = signed_out
                .map_err(|error| Failure::of(&error, false).then(settings.command(["doctor"])))?;
            let became = became(signed_out.revocation());
            if !self.report.is_json() {
                say(&sentence(name, known, signed_out.revocation()));
            }
            told.push(json!({
                "account": name,
                "was_signed_in": known.is_some(),
                "refresh_token": became,
            }));
        }
        let closed = people.close().await;
        closed.map_err(|error| Failure::of(&error, false))?;
        if self.report.is_json() {
            return print_json(&told);
        }
        if names.is_empty() {
            say("No person is signed in.");
        }
        Ok(())
    }
}

fn became(revocation: &Revocation) -> &'static str {
    match revocation {
        Revocation::Revoked => "revoked",
        Revocation::NothingToRevoke => "none",
        Revocation::NotOffered => "not_offered",
        Revocation::UnderWay => "under_way",
        _ => "failed",
    }
}

fn sentence(name: &str, known: Option<&SessionInfo>, revocation: &Revocation) -> String {
    let Some(known) = known else {
        return format!("No person was signed in under the account `{name}`.");
    };
    let who = shown(known.account());
    let end = match revocation {
        Revocation::Revoked | Revocation::NothingToRevoke => {
            return format!("{who} is signed out.");
        }
        Revocation::NotOffered => "the tenant has no way to revoke it".to_owned(),
        Revocation::Failed(error) => error.to_string(),
        _ => "the tenant has not answered yet".to_owned(),
    };
    format!("{who} is signed out here. The refresh token may live on at the tenant: {end}.")
}
