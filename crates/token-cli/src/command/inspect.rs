//! `inspect`: what a token says, and whether it is what it says.

use std::io::{self, IsTerminal as _, Read as _};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Args;
use intelliauth::resource_server::{Verifier, VerifyError};
use serde_json::{Value, json};

use crate::{
    arguments::Report,
    context::Context,
    failure::{Exit, Failure},
    moment,
    output::{one_line, print, print_json},
};

/// Decode an access token and verify it with the issuer's keys.
///
/// The issuer is the one of the profile: what a token says of itself proves nothing. Without a profile, or
/// with --offline, the token is only decoded. The token itself is not repeated.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Inspect {
    /// The token, or - for stdin, where no other user sees it.
    #[arg(default_value = "-")]
    token: String,

    /// The API that it has to be for; by default the one that it names.
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,

    /// Ask no issuer for its keys.
    #[arg(long)]
    offline: bool,

    #[command(flatten)]
    pub(crate) report: Report,
}

const EXAMPLES: &str = "\
Examples:
  intelliauth-token token api.banking.cymmetri.com | intelliauth-token inspect
  intelliauth-token inspect --audience api.banking.cymmetri.com - < token.txt";

/// What is known of the token's truth.
enum Verdict {
    Verified(String),
    /// Why it was not verified: no fault of the token.
    Undecided(String),
    Refused(Failure),
}

impl Inspect {
    pub(crate) async fn run(&self, context: &Context) -> Result<(), Failure> {
        let token = self.read()?;
        let Some((header, claims)) = decode(&token) else {
            return Err(
                Failure::other("this is no JWT: only its issuer can read it").advising(
                    "an opaque token is shown by the issuer's introspection endpoint alone",
                ),
            );
        };
        let verdict = self.verify(&token, &claims, context).await;
        let (is_verified, text) = match &verdict {
            Verdict::Verified(text) => (Some(true), text.clone()),
            Verdict::Undecided(why) => (None, format!("not verified: {why}")),
            Verdict::Refused(_) => (Some(false), "not valid: see stderr".to_owned()),
        };
        if self.report.is_json() {
            print_json(&json!({ "header": header, "claims": claims, "verified": is_verified }))?;
        } else {
            print(&as_text(&header, &claims, &text))?;
        }
        match verdict {
            Verdict::Refused(failure) => Err(failure),
            _ => Ok(()),
        }
    }

    fn read(&self) -> Result<String, Failure> {
        if self.token != "-" {
            return Ok(self.token.trim().to_owned());
        }
        if io::stdin().is_terminal() {
            crate::output::say("Paste the token, then press Enter and Ctrl-D.");
        }
        let mut text = String::new();
        let read = io::stdin().lock().take(SIZE_MAX).read_to_string(&mut text);
        read.map_err(|error| Failure::io("cannot read the token from stdin", &error))?;
        let text = text.trim();
        let token = text.strip_prefix("Authorization:").unwrap_or(text).trim();
        Ok(token.strip_prefix("Bearer ").unwrap_or(token).to_owned())
    }

    async fn verify(&self, token: &str, claims: &Value, context: &Context) -> Verdict {
        if self.offline {
            return Verdict::Undecided("--offline".to_owned());
        }
        let issuer = match context.settings() {
            Ok(settings) => settings.profile.tenant_url,
            Err(_) => return Verdict::Undecided("no tenant is configured".to_owned()),
        };
        let audience = self.audience.clone().or_else(|| named_audience(claims));
        let Some(audience) = audience else {
            return Verdict::Undecided("it names no API: add --audience".to_owned());
        };
        let verifier = match Verifier::builder(&issuer, &audience).build() {
            Ok(verifier) => verifier,
            Err(error) => return Verdict::Refused(Failure::usage(error.to_string())),
        };
        match verifier.verify(token).await {
            Ok(_) => Verdict::Verified(format!("verified: signed by {issuer}, for {audience}")),
            Err(error @ VerifyError::Invalid(_)) => Verdict::Refused(
                Failure::new(Exit::Refused, "invalid_token", "the token is not valid")
                    .caused_by(&error),
            ),
            Err(error) => Verdict::Refused(
                Failure::new(
                    Exit::TryAgain,
                    "unavailable",
                    "the token could not be verified",
                )
                .caused_by(&error),
            ),
        }
    }
}

/// A token is a few kilobytes (in bytes); what is longer is something else.
const SIZE_MAX: u64 = 256 * 1024;

fn decode(token: &str) -> Option<(Value, Value)> {
    let mut parts = token.split('.');
    let mut part = || {
        let bytes = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        let value: Value = serde_json::from_slice(&bytes).ok()?;
        value.is_object().then_some(value)
    };
    let (header, claims) = (part()?, part()?);
    (parts.count() == 1).then_some((header, claims))
}

fn named_audience(claims: &Value) -> Option<String> {
    let audience = &claims["aud"];
    let first = audience.as_array().and_then(|all| all.first());
    first.unwrap_or(audience).as_str().map(str::to_owned)
}

fn as_text(header: &Value, claims: &Value, verdict: &str) -> String {
    let mut text = String::new();
    for (title, object) in [("Header", header), ("Claims", claims)] {
        text.push_str(title);
        text.push('\n');
        for (name, value) in object.as_object().into_iter().flatten() {
            text.push_str(&line(name, value));
        }
        text.push('\n');
    }
    text.push_str(verdict);
    text.push('\n');
    text
}

fn line(name: &str, value: &Value) -> String {
    let shown = value.as_str().map_or_else(|| value.to_string(), one_line);
    let is_time = ["exp", "iat", "nbf", "auth_time"].contains(&name);
    let when = value.as_u64().filter(|_| is_time).map(|seconds| {
        let since = std::time::Duration::from_secs(seconds);
        let time = std::time::SystemTime::UNIX_EPOCH.checked_add(since);
        time.map_or_else(String::new, |time| {
            let left = moment::left(time);
            let state = match name {
                "exp" if left.is_zero() => ", ended".to_owned(),
                "exp" => format!(", in {}", moment::spoken(left)),
                _ => String::new(),
            };
            format!("  ({}{state})", moment::rfc_3339(time))
        })
    });
    format!(
        "  {}: {shown}{}\n",
        one_line(name),
        when.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_decoded_if_it_has_three_parts_and_two_objects() {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let (header, claims) = (part(r#"{"alg":"RS256"}"#), part(r#"{"aud":["api.x"]}"#));
        let (read, said) = decode(&format!("{header}.{claims}.sig")).unwrap();
        assert_eq!(read["alg"], "RS256");
        assert_eq!(named_audience(&said).as_deref(), Some("api.x"));
        for wrong in [
            "opaque",
            "a.b.c",
            &format!("{header}.{claims}"),
            &format!("{header}.{}.s", part("[]")),
        ] {
            assert!(decode(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_claim_moves_no_cursor_and_writes_no_line() {
        assert_eq!(
            line("na\u{9b}me", &json!("a\u{1b}[2J\nb")),
            "  na\u{fffd}me: a\u{fffd}[2J\u{fffd}b\n"
        );
    }
}
