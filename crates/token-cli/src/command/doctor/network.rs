//! What only the issuer can say.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::Finding;
use crate::{context::Context, moment};

/// Whether the issuer answers, is the right one, and has the same time.
pub(super) async fn findings(context: &Context) -> Vec<Finding> {
    let Ok(settings) = context.settings() else {
        return vec![Finding::note(
            "issuer",
            "not asked: no tenant is configured",
        )];
    };
    let tenant = settings.profile.tenant_url;
    match Box::pin(metadata(&tenant)).await {
        Ok((issuer, date)) => {
            let mut findings = vec![if issuer.as_deref() == Some(&*tenant) {
                Finding::good("issuer", format!("{tenant} answers"))
            } else {
                Finding::fault(
                    "issuer",
                    format!(
                        "{tenant} calls itself {}",
                        issuer.as_deref().unwrap_or("nothing")
                    ),
                    "write the tenant's URL exactly as it calls itself",
                )
            }];
            findings.extend(date.map(|date| clock(date, moment::now())));
            findings
        }
        Err(problem) => vec![Finding::fault(
            "issuer",
            format!("{tenant} does not answer as an issuer does: {problem}"),
            "check the tenant's URL, the network and the proxy",
        )],
    }
}

/// What the metadata calls the issuer, and the time there.
async fn metadata(tenant: &str) -> Result<(Option<String>, Option<SystemTime>), String> {
    let said = |error: reqwest::Error| with_causes(&error);
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(said)?;
    let url = format!("{tenant}/.well-known/openid-configuration");
    let answer = client.get(url).send().await.map_err(said)?;
    if !answer.status().is_success() {
        return Err(format!("status {}", answer.status()));
    }
    let date = answer.headers().get(reqwest::header::DATE);
    let date = date.and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    let body = answer.bytes().await.map_err(said)?;
    let document: Value =
        serde_json::from_slice(&body).map_err(|_error| "no JSON object".to_owned())?;
    Ok((document["issuer"].as_str().map(str::to_owned), date))
}

/// A person is waiting.
const PATIENCE: Duration = Duration::from_secs(5);

/// Issuers and APIs forgive about half a minute.
const SKEW_MAX: Duration = Duration::from_secs(30);

fn clock(there: SystemTime, here: SystemTime) -> Finding {
    let (skew, state) = match here.duration_since(there) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    if skew <= SKEW_MAX {
        return Finding::good("clock", "it agrees with the issuer's");
    }
    Finding::fault(
        "clock",
        format!("it is {} {state} the issuer's", moment::spoken(skew)),
        "set this machine's clock, by NTP",
    )
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_said_with_its_direction() {
        let there = SystemTime::UNIX_EPOCH + Duration::from_secs(10_000);
        let off =
            |seconds| clock(there, SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).text;
        assert!(off(10_020).contains("agrees"));
        assert_eq!(off(10_120), "it is 2 min ahead of the issuer's");
        assert_eq!(off(9_400), "it is 10 min behind the issuer's");
    }
}
