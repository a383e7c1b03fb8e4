//! Tokens for the APIs named on the command line, from a real tenant. One JSON object per answer.
//!
//! ```console
//! $ export INTELLIAUTH_TENANT_URL=https://banking-cymmetri.intelliauth.local
//! $ export INTELLIAUTH_M2M_CLIENT_ID=app_…
//! $ export INTELLIAUTH_M2M_CLIENT_SECRET=…
//! $ cargo run --example service_to_service -- api.banking.cymmetri.com api.health.cymmetri.com
//! ```

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what it is for"
)]

use std::{
    env,
    io::{Write, stdout},
    process::ExitCode,
};

use intelliauth::{
    AccessToken, AudienceParameter, Client, ClientAuthentication, ClientBuilder, Dialect, Error,
    TokenRequest,
};
use jiff::Timestamp;
use serde_json::{Value, json};

const HELP: &str = "\
Gets an access token for each audience, twice, and prints one JSON object per answer.

Usage: service_to_service [options] <audience>...

Options:
  --scope \"a b\"                               ask for these scopes, for every audience
  --audience-parameter audience|resource|both how the issuer wants the audience named (audience)
  --client-auth basic|basic-raw|post          how to authenticate (what the issuer's metadata says)
  --help                                      this text

Environment:
  INTELLIAUTH_TENANT_URL          the tenant's URL, exactly as its metadata calls it
  INTELLIAUTH_M2M_CLIENT_ID       the application's client id
  INTELLIAUTH_M2M_CLIENT_SECRET   its secret

Prints to stdout: audience, scope (granted), expires_at (RFC 3339), claims (of a JWT, else null),
source (cache or issuer). Errors go to stderr, with what to do about them; the other audiences are
still asked for, and the exit code is then 1.

Try it against the local emulator:
  cargo run -p intelliauth-emulator -- --port 8080
";

/// What the command line says.
#[derive(Default)]
struct Options {
    audiences: Vec<String>,
    scope: String,
    audience_parameter: Option<AudienceParameter>,
    authentication: Option<ClientAuthentication>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Options::read(env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("error: {problem}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let client = match options.client() {
        Ok(client) => client,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut all_well = true;
    for audience in &options.audiences {
        let outcome = ask_twice(&client, audience, &options.scope).await;
        if let Err(Stop::Refused(error)) = outcome {
            eprintln!("error: {audience}: {}", with_causes(&error));
            eprintln!("  what to do: {}", error.next_move());
            all_well = false;
        } else if outcome.is_err() {
            // Whoever reads this has enough, as `head` has.
            break;
        }
    }
    all_well &= close(&client).await;
    if all_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Lets a refresh that is under way finish; whether nothing was lost.
async fn close(client: &Client) -> bool {
    let closed = client.close().await;
    if let Err(error) = &closed {
        eprintln!("error: {}", with_causes(error));
    }
    closed.is_ok()
}

/// Why an audience was not asked for to the end.
enum Stop {
    Refused(Error),
    NobodyReads,
}

/// The second answer comes from the cache.
async fn ask_twice(client: &Client, audience: &str, scope: &str) -> Result<(), Stop> {
    let request = TokenRequest::new(audience).scope(scope);
    for _ in 0..2 {
        let token = client.get_access_token(&request).await;
        let line = line(&token.map_err(Stop::Refused)?);
        writeln!(stdout(), "{line}").map_err(|_| Stop::NobodyReads)?;
    }
    Ok(())
}

/// An error and what led to it: refused, no such name, an unknown certificate.
fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn line(token: &AccessToken) -> Value {
    let claims = token.danger_unverified_claims();
    json!({
        "audience": token.audience().as_str(),
        "scope": token.scopes().to_string(),
        "expires_at": Timestamp::try_from(token.expires_at()).map(|at| at.to_string()).ok(),
        "claims": claims.and_then(|claims| claims.parse::<Value>()),
        "source": token.source().to_string(),
    })
}

impl Options {
    /// Reads the arguments; nothing if help is wanted.
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            // Both `--scope x` and `--scope=x`.
            let (argument, attached) = match argument.split_once('=') {
                Some((name, value)) if name.starts_with("--") => {
                    (name.to_owned(), Some(value.to_owned()))
                }
                _ => (argument, None),
            };
            let mut value = || {
                let value = attached.clone().or_else(|| arguments.next());
                value.ok_or_else(|| format!("{argument} needs a value"))
            };
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--scope" => options.scope = value()?,
                "--audience-parameter" => {
                    options.audience_parameter = Some(match value()?.as_str() {
                        "audience" => AudienceParameter::Audience,
                        "resource" => AudienceParameter::Resource,
                        "both" => AudienceParameter::Both,
                        other => return Err(format!("--audience-parameter cannot be {other}")),
                    });
                }
                "--client-auth" => {
                    options.authentication = Some(match value()?.as_str() {
                        "basic" => ClientAuthentication::Basic,
                        "basic-raw" => ClientAuthentication::BasicRaw,
                        "post" => ClientAuthentication::Post,
                        other => return Err(format!("--client-auth cannot be {other}")),
                    });
                }
                option if option.starts_with("--") => return Err(format!("{option} is unknown")),
                audience => options.audiences.push(audience.to_owned()),
            }
        }
        if options.audiences.is_empty() {
            return Err("name at least one audience".to_owned());
        }
        Ok(Some(options))
    }

    fn client(&self) -> Result<Client, intelliauth::BuildError> {
        let mut dialect = Dialect::intelliauth();
        if let Some(parameter) = self.audience_parameter {
            dialect.audience_parameter = parameter;
        }
        let mut builder = ClientBuilder::from_env()?.dialect(dialect);
        if let Some(method) = self.authentication {
            builder = builder.client_authentication(method);
        }
        builder.build()
    }
}
