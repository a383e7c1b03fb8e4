//! The cookie by which a browser is known.

use axum::http::HeaderMap;
use axum::http::header::COOKIE;

use crate::exchange::admit;
use crate::person::Browser;
use crate::random;
use crate::refusal::Refusal;
use crate::secret::{Digest, Secret};
use crate::tenant::Tenant;

/// The browser, and the cookie that it gets if it had none.
pub(super) fn recognized(
    tenant: &Tenant,
    headers: &HeaderMap,
) -> Result<(Browser, Option<String>), Refusal> {
    admit(tenant)?;
    let now = tenant.now();
    let known = cookie(headers, &cookie_name(tenant)).and_then(|value| {
        let mut live = tenant.live();
        let known = live.people.browsers.find_mut(Digest::of(&value))?;
        known.seen = now;
        Some(known.clone())
    });
    if let Some(browser) = known {
        return Ok((browser, None));
    }
    let (browser, value) = fresh(tenant, None)?;
    Ok((browser, Some(value)))
}

pub(super) fn fresh(
    tenant: &Tenant,
    session: Option<String>,
) -> Result<(Browser, String), Refusal> {
    let value = random::token()?;
    let csrf = random::token()?;
    let mut live = tenant.live();
    live.people.issued_secrets.insert(&value);
    live.people.issued_secrets.insert(&csrf);
    let browser = Browser {
        id: Digest::of(&value),
        csrf: Secret::new(csrf),
        session,
        seen: tenant.now(),
    };
    live.people.browsers.insert(browser.clone());
    Ok((browser, value))
}

/// Browsers share cookies between ports: the port in the name separates two emulators on one machine.
pub(super) fn cookie_name(tenant: &Tenant) -> String {
    let authority = tenant.issuer.trim_start_matches("http://");
    let authority = authority.split('/').next().unwrap_or_default();
    let port = authority.rsplit(':').next().unwrap_or_default();
    format!("intelliauth_{port}")
}

/// RFC 6265 section 5.4: pairs, separated by `; `.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(COOKIE).iter();
    let mut pairs = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'));
    pairs.find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then(|| value.to_owned())
    })
}
