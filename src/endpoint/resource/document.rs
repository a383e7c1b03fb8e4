//! What an API's description of itself says, and whether it is about the URL that was asked for.

use serde_json::{Map, Value};
use url::Url;

use crate::{
    endpoint::issuer::Issuer,
    error::{Error, Violation},
    scope::{Scope, Scopes},
};

/// What an API says about itself (RFC 9728 section 2).
///
/// From [`discover`](crate::discover). It is what the API says and no more: whether to sign a person in at an
/// issuer that it names is for the program to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectedResource {
    resource: String,
    issuers: Vec<String>,
    scopes: Scopes,
}

impl ProtectedResource {
    /// The API's identifier, as it writes it: the audience to ask for (RFC 8707).
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The issuers whose tokens it takes, most often one; none where it does not say.
    pub fn issuers(&self) -> &[String] {
        &self.issuers
    }

    /// The scopes that it knows; none where it does not say. What one request needs, its refusal says.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }
}

/// Reads the document that was found for `url`.
pub(super) fn read(
    document: &Map<String, Value>,
    url: &Url,
    is_local: bool,
) -> Result<ProtectedResource, Error> {
    let violation = |problem: String| Error::protocol(None, Violation::ResourceMetadata(problem));
    let named = document.get("resource").and_then(Value::as_str);
    let named = named.ok_or_else(|| violation("it names no resource".to_owned()))?;
    if !is_about(named, url) {
        let problem = format!("it is about {named:?}, and not about {}", shown(url));
        return Err(violation(problem));
    }
    let issuers = texts(document, "authorization_servers")
        .map(|issuer| check(issuer, is_local).map_err(violation))
        .collect::<Result<_, _>>()?;
    let scopes = texts(document, "scopes_supported");
    Ok(ProtectedResource {
        resource: named.to_owned(),
        issuers,
        scopes: scopes.filter_map(|scope| Scope::new(scope).ok()).collect(),
    })
}

/// RFC 9728 section 3.3 wants the very URL; what stands above it is what APIs with more than one path name.
fn is_about(resource: &str, url: &Url) -> bool {
    let Ok(resource) = Url::parse(resource) else {
        return false;
    };
    let is_same_host = resource.origin() == url.origin() && resource.origin().is_tuple();
    let has_more = resource.fragment().is_some()
        || !resource.username().is_empty()
        || resource.password().is_some();
    let is_same_query = resource.query().is_none() || resource.query() == url.query();
    let above = resource.path().trim_end_matches('/');
    let below = url.path().strip_prefix(above);
    let is_above = below.is_some_and(|below| below.is_empty() || below.starts_with('/'));
    is_same_host && !has_more && is_same_query && is_above
}

/// An issuer that a client can be made for; one that is none makes the whole document suspect.
fn check(issuer: &str, is_local: bool) -> Result<String, String> {
    let checked = Issuer::new(issuer).map_err(|(problem, _)| format!("the issuer: {problem}"))?;
    if checked.is_loopback() && !is_local {
        return Err(format!(
            "the issuer {issuer:?} is on this machine, and the API is not"
        ));
    }
    Ok(issuer.to_owned())
}

fn texts<'a>(document: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a str> {
    let list = document.get(name).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

/// Without what may be a secret: credentials, a query.
pub(super) fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_description_is_about_what_was_asked_for_or_what_is_below_it() {
        let about = |resource, url| is_about(resource, &Url::parse(url).unwrap());
        for resource in [
            "https://api.example",
            "https://api.example/",
            "https://API.example:443/v1",
            "https://api.example/v1/",
            "https://api.example/v1/a",
        ] {
            assert!(
                about(resource, "https://api.example/v1/a?b=c"),
                "{resource}"
            );
        }
        for resource in [
            "http://api.example/v1",
            "https://api.example:444/v1",
            "https://api.example.evil/v1",
            "https://other.example/v1/a",
            "https://api.example/v",
            "https://api.example/v1/a/b",
            "https://api.example/v1#a",
            "https://u@api.example/v1",
            "https://api.example/v1?x",
            "api.example",
            "urn:api",
            "",
        ] {
            assert!(!about(resource, "https://api.example/v1/a"), "{resource}");
        }
    }

    #[test]
    fn an_issuer_that_is_none_makes_the_document_suspect() {
        let url = Url::parse("https://api.example/v1").unwrap();
        let reading = |issuers: Value, is_local| {
            let document =
                json!({"resource": "https://api.example", "authorization_servers": issuers});
            read(document.as_object().unwrap(), &url, is_local)
        };
        let good = reading(json!(["https://a.example", "https://b.example/t"]), false).unwrap();
        assert_eq!(good.issuers(), ["https://a.example", "https://b.example/t"]);
        assert!(reading(json!([]), false).unwrap().issuers().is_empty());
        for bad in [
            "http://a.example",
            "https://a.example?x",
            "a",
            "http://127.0.0.1:1",
        ] {
            assert!(
                reading(json!(["https://a.example", bad]), false).is_err(),
                "{bad}"
            );
        }
        assert!(reading(json!(["http://127.0.0.1:1"]), true).is_ok());
    }
}
