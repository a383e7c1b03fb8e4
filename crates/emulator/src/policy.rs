//! Who may have which token: pure rules over the tenant's data.

mod person;

use std::collections::BTreeSet;

use crate::config::{
    Api, Application, AudienceParameter, AudienceSource, MissingAudience, NothingGranted,
    ScopeMode, Switches, UnknownAudience, is_scope,
};
use crate::form::Form;
use crate::refusal::{Code, Refusal};

pub(crate) use self::person::{RequestedScope, Standing};

/// For whom a token is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// One API.
    One(String),
    /// Every API that the application may call.
    All(Vec<String>),
    /// No API in particular: an opaque token.
    NoApi,
}

/// The scopes that a token gets, and those that were asked for and dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) scopes: BTreeSet<String>,
    pub(crate) dropped: BTreeSet<String>,
}

/// The audience that the request names in the parameter that this tenant reads.
pub(crate) fn named_audience<'r>(
    parameter: AudienceParameter,
    audience: Option<&'r str>,
    resource: Option<&'r str>,
) -> Result<Option<&'r str>, Refusal> {
    match (parameter, audience, resource) {
        (AudienceParameter::Audience, audience, _) => Ok(audience),
        (AudienceParameter::Resource, _, resource) => Ok(resource),
        (AudienceParameter::Both, Some(audience), Some(resource)) if audience != resource => {
            let description = format!("audience `{audience}` and resource `{resource}` differ");
            Err(Refusal::new(Code::InvalidTarget, description))
        }
        (AudienceParameter::Both, audience, resource) => Ok(audience.or(resource)),
    }
}

/// The APIs that a request for a person names; RFC 8707 section 2 lets a request name several.
pub(crate) fn named_audiences(
    application: &Application,
    apis: &[Api],
    switches: &Switches,
    form: &Form,
) -> Result<Vec<String>, Refusal> {
    let (audiences, resources) = (form.all("audience"), form.all("resource"));
    let named: Vec<&String> = match switches.audience_parameter {
        AudienceParameter::Audience => audiences.iter().collect(),
        AudienceParameter::Resource => resources.iter().collect(),
        AudienceParameter::Both => audiences.iter().chain(resources).collect(),
    };
    let mut meant = Vec::new();
    for name in named {
        let found = match audience(application, apis, switches, Some(name))? {
            Audience::One(one) => vec![one],
            Audience::All(all) => all,
            Audience::NoApi => Vec::new(),
        };
        let new = found.into_iter().filter(|one| !meant.contains(one));
        let new: Vec<String> = new.collect();
        meant.extend(new);
    }
    Ok(meant)
}

/// The audience of a token for this application.
pub(crate) fn audience(
    application: &Application,
    apis: &[Api],
    switches: &Switches,
    named: Option<&str>,
) -> Result<Audience, Refusal> {
    let own = application.own_audience();
    let wanted = match switches.audience_source {
        AudienceSource::Request => named.or_else(|| own.filter(|_| is_for_one_api(application))),
        AudienceSource::Application => own,
        AudienceSource::Both => named.or(own),
    };
    let Some(wanted) = wanted else {
        return missing_audience(application, switches);
    };
    let refused = if switches.audience_must_be_uri && !is_absolute_uri(wanted) {
        format!("audience `{wanted}` is not an absolute URI")
    } else if !apis.iter().any(|api| api.audience == wanted) {
        format!("audience `{wanted}` is unknown to this tenant")
    } else if !application.allowed_audiences.contains(wanted) {
        format!("application `{}` may not call `{wanted}`", application.id)
    } else {
        return Ok(Audience::One(wanted.to_owned()));
    };
    match switches.unknown_audience {
        UnknownAudience::InvalidTarget => Err(Refusal::new(Code::InvalidTarget, refused)),
        UnknownAudience::InvalidRequest => Err(Refusal::invalid_request(refused)),
        UnknownAudience::Ignore => match own.filter(|own| *own != wanted) {
            Some(own) => Ok(Audience::One(own.to_owned())),
            None => missing_audience(application, switches),
        },
    }
}

/// The scopes of a token for these audiences: the allowlist is a hard cap.
///
/// Without a `scope` parameter everything allowed is granted. RFC 6749 section 3.3 lets a server
/// choose a default; which one the platform has is not documented.
pub(crate) fn scopes(
    application: &Application,
    apis: &[Api],
    switches: &Switches,
    audience: &Audience,
    requested: Option<&str>,
) -> Result<Granted, Refusal> {
    let allowed = allowed_scopes(application, apis, audience);
    let granted = match requested.map(parse_scopes).transpose()? {
        None => Granted {
            scopes: allowed,
            dropped: BTreeSet::new(),
        },
        Some(requested) => {
            let (scopes, dropped) = requested
                .into_iter()
                .partition(|scope| allowed.contains(scope));
            Granted { scopes, dropped }
        }
    };
    let is_refused = switches.scope_mode == ScopeMode::Strict && !granted.dropped.is_empty();
    let is_nothing =
        granted.scopes.is_empty() && switches.nothing_granted == NothingGranted::InvalidScope;
    if is_refused || is_nothing {
        return Err(refused_scopes(application, audience, &granted.dropped));
    }
    Ok(granted)
}

fn is_for_one_api(application: &Application) -> bool {
    application.allowed_audiences.len() == 1
}

fn missing_audience(application: &Application, switches: &Switches) -> Result<Audience, Refusal> {
    match switches.missing_audience {
        MissingAudience::OpaqueToken => Ok(Audience::NoApi),
        MissingAudience::AllAudiences => Ok(Audience::All(
            application.allowed_audiences.iter().cloned().collect(),
        )),
        MissingAudience::InvalidRequest => {
            let parameter = match switches.audience_parameter {
                AudienceParameter::Audience => "`audience`",
                AudienceParameter::Resource => "`resource`",
                AudienceParameter::Both => "`audience` or `resource`",
            };
            let description = match switches.audience_source {
                AudienceSource::Application => {
                    format!(
                        "application `{}` has no audience of its own",
                        application.id
                    )
                }
                _ => format!("the parameter {parameter} is missing: name the API to call"),
            };
            Err(Refusal::invalid_request(description))
        }
    }
}

/// What the application may have at these APIs: the intersection of both lists.
fn allowed_scopes(
    application: &Application,
    apis: &[Api],
    audience: &Audience,
) -> BTreeSet<String> {
    let is_meant = |api: &&Api| match audience {
        Audience::One(one) => api.audience == *one,
        Audience::All(all) => all.contains(&api.audience),
        Audience::NoApi => false,
    };
    let meant: Vec<&Api> = apis.iter().filter(is_meant).collect();
    let is_allowed = |scope: &&String| {
        *audience == Audience::NoApi || meant.iter().any(|api| api.has_scope(scope))
    };
    application
        .allowed_scopes
        .iter()
        .filter(is_allowed)
        .cloned()
        .collect()
}

/// RFC 6749 section 3.3: scope tokens separated by single spaces; a set, so order and repetition
/// mean nothing.
pub(crate) fn parse_scopes(text: &str) -> Result<BTreeSet<String>, Refusal> {
    let words: BTreeSet<String> = text
        .split(' ')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    match words.iter().find(|word| !is_scope(word)) {
        None => Ok(words),
        Some(bad) => {
            let description = format!("scope `{}` is malformed", bad.escape_default());
            Err(Refusal::new(Code::InvalidScope, description))
        }
    }
}

fn refused_scopes(
    application: &Application,
    audience: &Audience,
    dropped: &BTreeSet<String>,
) -> Refusal {
    let id = &application.id;
    let place = match audience {
        Audience::One(one) => format!(" at `{one}`"),
        Audience::All(_) | Audience::NoApi => String::new(),
    };
    let description = if dropped.is_empty() {
        format!("application `{id}` is not allowed any scope{place}")
    } else {
        let words: Vec<&str> = dropped.iter().map(String::as_str).collect();
        format!(
            "application `{id}` is not allowed {}{place}",
            words.join(" ")
        )
    };
    Refusal::new(Code::InvalidScope, description)
}

/// RFC 3986 section 4.3, as far as RFC 8707 section 2 needs it: a scheme, and no fragment.
fn is_absolute_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme && !rest.is_empty() && !text.contains('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apis() -> Vec<Api> {
        vec![
            Api::new("api.a")
                .scope("read", "Read", "Reads")
                .scope("write", "Write", "Writes"),
            Api::new("api.b").scope("list", "List", "Lists"),
        ]
    }

    fn application() -> Application {
        Application::service("app", "s")
            .allow_audiences(["api.a", "api.b"])
            .allow_scopes(["read", "list"])
    }

    fn one(audience: &str) -> Audience {
        Audience::One(audience.to_owned())
    }

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().copied().map(str::to_owned).collect()
    }

    #[test]
    fn scopes_of_another_api_are_not_on_the_list_for_this_one() {
        let switches = Switches::default();
        let refusal = scopes(
            &application(),
            &apis(),
            &switches,
            &one("api.a"),
            Some("list"),
        )
        .unwrap_err();
        assert_eq!(refusal.code, Code::InvalidScope);
        assert_eq!(
            refusal.description,
            "application `app` is not allowed list at `api.a`"
        );
    }

    #[test]
    fn permissive_mode_drops_what_is_not_allowed() {
        let switches = Switches {
            scope_mode: ScopeMode::Permissive,
            ..Switches::default()
        };
        let granted = scopes(
            &application(),
            &apis(),
            &switches,
            &one("api.a"),
            Some("write read read"),
        )
        .unwrap();
        assert_eq!(
            granted,
            Granted {
                scopes: set(&["read"]),
                dropped: set(&["write"])
            }
        );
    }

    #[test]
    fn no_scope_parameter_grants_everything_allowed_at_the_audience() {
        let switches = Switches::default();
        let granted = scopes(&application(), &apis(), &switches, &one("api.b"), None).unwrap();
        assert_eq!(granted.scopes, set(&["list"]));
    }

    #[test]
    fn malformed_scopes_are_refused_in_every_mode() {
        let switches = Switches {
            scope_mode: ScopeMode::Permissive,
            ..Switches::default()
        };
        let refusal = scopes(
            &application(),
            &apis(),
            &switches,
            &one("api.a"),
            Some("read\t\""),
        )
        .unwrap_err();
        assert_eq!(refusal.code, Code::InvalidScope);
    }

    #[test]
    fn audiences_are_compared_exactly() {
        let switches = Switches::default();
        for near in ["API.A", "api.a/", "https://api.a", " api.a"] {
            let refusal = audience(&application(), &apis(), &switches, Some(near)).unwrap_err();
            assert_eq!(refusal.code, Code::InvalidTarget, "{near}");
        }
    }

    #[test]
    fn absolute_uris_have_a_scheme_and_no_fragment() {
        for good in ["https://api.x", "urn:api:x"] {
            assert!(is_absolute_uri(good), "{good}");
        }
        for bad in ["api.x", "", "https:", "https://api.x#a", "1a:b"] {
            assert!(!is_absolute_uri(bad), "{bad}");
        }
    }
}
