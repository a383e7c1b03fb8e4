//! The rules that a configuration must keep, from a file or from code.

use std::collections::BTreeSet;

use super::reader::nearest;
use super::scope::{is_oidc_scope, is_scope};
use super::{Api, Application, ApplicationKind, Config, ConfigError, User};
use crate::secret::Secret;

/// A broken rule, and the path of the value that breaks it: `api[0].scopes[1].description`, or
/// `application[0].allowed_scopes=read:x` for one word of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) path: String,
    pub(super) message: String,
}

impl Problem {
    fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }

    /// The field, without the word of its list.
    pub(super) fn field(&self) -> &str {
        self.path
            .split_once('=')
            .map_or(self.path.as_str(), |(field, _word)| field)
    }
}

impl Config {
    /// Checks every name and every reference; [`Emulator::start`](crate::Emulator::start) does it too.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the field and the fix.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_parts().map_err(|(field, error)| {
            ConfigError::new(format!("{field}: {}", error.message()), None)
        })
    }

    /// As [`Self::check`], with the field apart from the sentence about it.
    pub(crate) fn check_parts(&self) -> Result<(), (String, ConfigError)> {
        check(self).map_err(|problem| {
            (
                problem.field().to_owned(),
                ConfigError::new(problem.message, None),
            )
        })
    }
}

/// Reports the first broken rule.
pub(super) fn check(config: &Config) -> Result<(), Problem> {
    tenant(config)?;
    unique(config)?;
    for (index, api) in config.apis.iter().enumerate() {
        check_api(&format!("api[{index}]"), api)?;
    }
    for (index, application) in config.applications.iter().enumerate() {
        check_application(&format!("application[{index}]"), application, &config.apis)?;
    }
    for (index, user) in config.users.iter().enumerate() {
        check_user(&format!("user[{index}]"), user, &config.apis)?;
    }
    Ok(())
}

fn tenant(config: &Config) -> Result<(), Problem> {
    let is_slug = |slug: &str| {
        !slug.is_empty()
            && slug
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    for (key, slug) in [
        ("name", &config.tenant),
        ("organisation", &config.organisation),
    ] {
        if !is_slug(slug) {
            let message = format!("`{slug}` is not a valid slug; use letters, digits and hyphens");
            return Err(Problem::new(format!("tenant.{key}"), message));
        }
    }
    let path = &config.issuer_path;
    let is_path = path.starts_with('/') && !path.ends_with('/') && !path.contains(['?', '#', ' ']);
    if !path.is_empty() && !is_path {
        let message = format!("`{path}` is not a valid issuer path; write it like \"/tenants/a\"");
        return Err(Problem::new("tenant.issuer_path", message));
    }
    if config.admin_token.as_ref().is_some_and(Secret::is_empty) {
        let message = "the admin token is empty; leave it out to get a random one";
        return Err(Problem::new("tenant.admin_token", message));
    }
    Ok(())
}

fn unique(config: &Config) -> Result<(), Problem> {
    let audiences = config.apis.iter().map(|api| api.audience.as_str());
    let applications = config
        .applications
        .iter()
        .map(|application| application.id.as_str());
    let users = config.users.iter().map(|user| user.id.as_str());
    no_duplicate("api", "audience", audiences)?;
    no_duplicate("application", "id", applications)?;
    no_duplicate("user", "id", users)
}

fn no_duplicate<'v>(
    table: &str,
    key: &str,
    values: impl Iterator<Item = &'v str>,
) -> Result<(), Problem> {
    let mut seen = BTreeSet::new();
    for (index, value) in values.enumerate() {
        let path = format!("{table}[{index}].{key}");
        if value.is_empty() {
            return Err(Problem::new(
                path,
                format!("the {key} is empty; give it a value"),
            ));
        }
        if !seen.insert(value) {
            let message = format!("`{value}` is there twice; give each {table} its own {key}");
            return Err(Problem::new(path, message));
        }
    }
    Ok(())
}

fn check_api(path: &str, api: &Api) -> Result<(), Problem> {
    let audience = &api.audience;
    let mut seen = BTreeSet::new();
    for (index, entry) in api.scopes.iter().enumerate() {
        let path = format!("{path}.scopes[{index}]");
        let scope = &entry.scope;
        if !is_scope(scope) || is_oidc_scope(scope) {
            let message = format!(
                "`{scope}` cannot be a scope of an API; use printable ASCII without spaces, \
                 quotes and backslashes, and none of OpenID Connect's own"
            );
            return Err(Problem::new(format!("{path}.scope"), message));
        }
        if !seen.insert(scope) {
            let message = format!("scope `{scope}` of API `{audience}` is there twice; drop one");
            return Err(Problem::new(format!("{path}.scope"), message));
        }
        for (key, text) in [("name", &entry.name), ("description", &entry.description)] {
            if text.trim().is_empty() {
                let message = format!(
                    "scope `{scope}` of API `{audience}` has no {key}; add {key} = \"...\" \
                     (people read it on the consent page)"
                );
                return Err(Problem::new(format!("{path}.{key}"), message));
            }
        }
    }
    Ok(())
}

fn check_application(path: &str, application: &Application, apis: &[Api]) -> Result<(), Problem> {
    check_secret(path, application)?;
    let id = &application.id;
    let audiences = application
        .allowed_audiences
        .iter()
        .chain(&application.audience);
    for audience in audiences {
        if let Some(problem) = unknown_audience(audience, apis) {
            let key = audience_key(application, audience);
            let place = format!("{path}.{key}={audience}");
            return Err(Problem::new(place, format!("application `{id}` {problem}")));
        }
    }
    for scope in &application.allowed_scopes {
        if let Some(problem) = unknown_scope(scope, apis) {
            let place = format!("{path}.allowed_scopes={scope}");
            return Err(Problem::new(place, format!("application `{id}` {problem}")));
        }
    }
    if let Some(audience) = &application.audience
        && !application.allowed_audiences.contains(audience)
    {
        let message = format!(
            "application `{id}` has the audience `{audience}` and may not call it; \
             add it to allowed_audiences"
        );
        return Err(Problem::new(format!("{path}.audience"), message));
    }
    if application
        .token_lifetime
        .is_some_and(|lifetime| lifetime.as_secs() == 0)
    {
        let message =
            format!("application `{id}` has a token lifetime under one second; give it at least 1");
        return Err(Problem::new(format!("{path}.token_lifetime"), message));
    }
    Ok(())
}

fn check_secret(path: &str, application: &Application) -> Result<(), Problem> {
    let id = &application.id;
    let needs_secret = matches!(
        application.kind,
        ApplicationKind::Service | ApplicationKind::Web
    );
    let has_secret = application
        .secret
        .as_ref()
        .is_some_and(|secret| !secret.is_empty());
    let message = match (needs_secret, has_secret) {
        (true, false) => format!("application `{id}` has no secret; add secret = \"...\""),
        (false, true) => format!(
            "application `{id}` is on people's devices and cannot keep a secret; \
             drop the secret or use type = \"web\""
        ),
        _ => return Ok(()),
    };
    Err(Problem::new(format!("{path}.secret"), message))
}

fn check_user(path: &str, user: &User, apis: &[Api]) -> Result<(), Problem> {
    let id = &user.id;
    if !user.email.contains('@') {
        let email = &user.email;
        let message = format!("user `{id}` has the email `{email}`, which has no `@`; correct it");
        return Err(Problem::new(format!("{path}.email"), message));
    }
    if user.password.is_empty() {
        let message = format!("user `{id}` has an empty password; give it one");
        return Err(Problem::new(format!("{path}.password"), message));
    }
    if user.second_factor.as_ref().is_some_and(Secret::is_empty) {
        let message = format!("user `{id}` has an empty second factor; leave it out for none");
        return Err(Problem::new(format!("{path}.second_factor"), message));
    }
    for scope in user.entitlements.iter().flatten() {
        if let Some(problem) = unknown_scope(scope, apis) {
            let path = format!("{path}.entitlements={scope}");
            return Err(Problem::new(path, format!("user `{id}` {problem}")));
        }
    }
    Ok(())
}

fn audience_key(application: &Application, audience: &str) -> &'static str {
    if application.allowed_audiences.contains(audience) {
        "allowed_audiences"
    } else {
        "audience"
    }
}

/// Says what is wrong with an audience that no API has.
fn unknown_audience(audience: &str, apis: &[Api]) -> Option<String> {
    if apis.iter().any(|api| api.audience == audience) {
        return None;
    }
    let known: Vec<&str> = apis.iter().map(|api| api.audience.as_str()).collect();
    Some(format!(
        "names the audience `{audience}`, which no API has; {}",
        fix(audience, &known, "add an API with it")
    ))
}

/// Says what is wrong with a scope that no API has.
fn unknown_scope(scope: &str, apis: &[Api]) -> Option<String> {
    if is_oidc_scope(scope) || apis.iter().any(|api| api.has_scope(scope)) {
        return None;
    }
    let scopes = apis.iter().flat_map(|api| &api.scopes);
    let known: Vec<&str> = scopes.map(|known| known.scope.as_str()).collect();
    Some(format!(
        "names the scope `{scope}`, which no API has; {}",
        fix(scope, &known, "add it to the scopes of an API")
    ))
}

fn fix(word: &str, known: &[&str], otherwise: &str) -> String {
    match nearest(word, known) {
        Some(near) => format!("did you mean `{near}`? Else {otherwise}"),
        None => otherwise.to_owned(),
    }
}
