//! `token`: one access token, in the form that the next program wants.

use std::time::Duration;

use clap::{Args, ValueEnum};
use intelliauth::AccessToken;
use serde::Serialize;
use serde_json::json;

use crate::{
    arguments::Prompting,
    context::Context,
    environment::Environment,
    failure::Failure,
    moment,
    obtain::Wanted,
    output::{print, print_json},
    shell,
};

/// Print an access token for an API.
///
/// It is taken from the session as long as it is fresh, else fetched once for all shells that ask.
/// Where a person has to act, they are asked if there is a terminal; else it ends with exit code 4.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Token {
    /// The API, exactly as the tenant knows it.
    audience: String,

    /// A scope that the token must have; may be repeated.
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,

    /// How long it has to be valid at least: 60s, 5m, 1h.
    #[arg(long, value_name = "TIME", value_parser = moment::parse_span, default_value = "0s")]
    min_ttl: Duration,

    /// Fetch a new one, whatever there is.
    #[arg(long)]
    refresh: bool,

    /// How it is written.
    #[arg(long, value_enum, default_value_t)]
    format: TokenFormat,

    #[command(flatten)]
    prompting: Prompting,
}

/// How a token is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum TokenFormat {
    /// The token alone.
    #[default]
    Raw,
    /// `Authorization: Bearer TOKEN`.
    Header,
    /// `Bearer TOKEN`.
    Bearer,
    /// An object with the token and what is known of it; errors on stderr are JSON as well.
    Json,
    /// `export INTELLIAUTH_ACCESS_TOKEN=TOKEN`, for eval.
    Env,
    /// What kubectl reads from a credential plugin.
    ExecCredential,
}

const EXAMPLES: &str = "\
Examples:
  intelliauth-token token api.banking.cymmetri.com
  intelliauth-token token api.banking.cymmetri.com --scope read:transactions --min-ttl 5m
  intelliauth-token token api.banking.cymmetri.com --format header | curl --header @- https://api.banking.cymmetri.com/transactions
  eval \"$(intelliauth-token token api.banking.cymmetri.com --format env)\"
  intelliauth-token token api.banking.cymmetri.com --no-interactive --format json";

#[derive(Serialize)]
struct TokenObject<'a> {
    access_token: &'a str,
    token_type: &'a str,
    expires_at: String,
    audience: &'a str,
    scope: String,
    source: String,
}

impl Token {
    pub(crate) fn wants_json(&self) -> bool {
        self.format == TokenFormat::Json
    }

    pub(crate) async fn run(&self, context: &Context) -> Result<(), Failure> {
        let (settings, identity) = context.open()?;
        let wanted = Wanted {
            audience: self.audience.clone(),
            scopes: self.scope.clone(),
            min_ttl: self.min_ttl,
            is_forced: self.refresh,
        };
        let surroundings = &context.surroundings;
        let token = wanted
            .obtain(&settings, &identity, &self.prompting, surroundings)
            .await;
        let closed = identity.close().await;
        let token = token?;
        self.write(&token, &context.environment)?;
        closed
    }

    fn write(&self, token: &AccessToken, environment: &Environment) -> Result<(), Failure> {
        let secret = token.secret();
        match self.format {
            TokenFormat::Raw => print(&format!("{secret}\n")),
            TokenFormat::Header => print(&format!("Authorization: Bearer {secret}\n")),
            TokenFormat::Bearer => print(&format!("Bearer {secret}\n")),
            TokenFormat::Env => {
                let value = shell::quote(secret);
                print(&format!("export INTELLIAUTH_ACCESS_TOKEN={value}\n"))
            }
            TokenFormat::Json => print_json(&TokenObject {
                access_token: secret,
                token_type: "Bearer",
                expires_at: moment::rfc_3339(token.expires_at()),
                audience: token.audience().as_str(),
                scope: token.scopes().to_string(),
                source: token.source().to_string(),
            }),
            TokenFormat::ExecCredential => print_json(&json!({
                "apiVersion": exec_credential_version(environment),
                "kind": "ExecCredential",
                "status": {
                    "expirationTimestamp": moment::rfc_3339(token.expires_at()),
                    "token": secret,
                },
            })),
        }
    }
}

/// kubectl takes an answer of the version that it asked in alone.
fn exec_credential_version(environment: &Environment) -> String {
    let asked = environment.text("KUBERNETES_EXEC_INFO").unwrap_or_default();
    let asked: serde_json::Value = serde_json::from_str(&asked).unwrap_or_default();
    match asked["apiVersion"].as_str() {
        Some(version) if version.starts_with("client.authentication.k8s.io/") => version.to_owned(),
        _ => "client.authentication.k8s.io/v1".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubectl_is_answered_in_its_own_version() {
        let asked =
            r#"{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential"}"#;
        let environment = Environment::from([("KUBERNETES_EXEC_INFO", asked)]);
        assert!(exec_credential_version(&environment).ends_with("/v1beta1"));
        assert!(exec_credential_version(&Environment::default()).ends_with("/v1"));
    }
}
