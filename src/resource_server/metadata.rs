//! [`ResourceMetadata`]: how an API describes itself (RFC 9728).

use serde_json::json;
use url::Url;

use crate::scope::{Scope, Scopes};

/// What an API publishes about itself (RFC 9728 section 2): its name, its issuer, its scopes.
///
/// From [`Verifier::resource_metadata`](super::Verifier::resource_metadata). A `ProtectedRouter` serves it by
/// itself; with another framework, answer `GET` at [`path`](Self::path) with [`to_json`](Self::to_json), to
/// every caller.
///
/// # Examples
///
/// ```
/// use intelliauth::resource_server::Verifier;
///
/// let verifier = Verifier::builder("https://banking-cymmetri.intelliauth.local", "https://api.banking.cymmetri.com/v1")
///     .resource("https://api.banking.cymmetri.com/v1")
///     .build()?;
/// let metadata = verifier.resource_metadata().unwrap();
/// assert_eq!(metadata.path(), "/.well-known/oauth-protected-resource/v1");
/// # Ok::<(), intelliauth::resource_server::SetupError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct ResourceMetadata {
    /// As it was written: callers compare it.
    resource: String,
    url: Url,
    issuer: String,
    scopes: Scopes,
}

impl ResourceMetadata {
    /// That of the API at `resource`; the error says what is wrong with it, and the fix.
    pub(super) fn new(resource: &str, issuer: &str) -> Result<Self, (String, &'static str)> {
        let url = Url::parse(resource).map_err(|error| {
            let fix = "write it as https://host/path, as callers reach the API";
            (format!("it is not a valid URL ({error})"), fix)
        })?;
        // RFC 9728 section 1.2: https, no fragment, better no query.
        let is_bare = url.query().is_none() && url.fragment().is_none();
        if !is_bare || !url.username().is_empty() || url.password().is_some() {
            let problem = "it is more than scheme, host, port and path".to_owned();
            return Err((problem, "leave the rest out"));
        }
        if url.scheme() != "https" && !is_local(&url) {
            let fix = "use https; plain http is for an API on this machine";
            return Err(("it is not encrypted".to_owned(), fix));
        }
        // RFC 9728 section 3.1: between host and path, and without the slash that is no path.
        let path = url.path().strip_prefix('/').unwrap_or_default();
        let slash = if path.is_empty() { "" } else { "/" };
        let mut location = url.clone();
        location.set_path(&format!("{WELL_KNOWN}{slash}{path}"));
        Ok(Self {
            resource: resource.to_owned(),
            url: location,
            issuer: issuer.to_owned(),
            scopes: Scopes::none(),
        })
    }

    /// The same with these scopes too.
    pub fn scopes(mut self, scopes: &Scopes) -> Self {
        self.scopes = self.scopes.union(scopes);
        self
    }

    /// Where it is published, as callers reach it.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The path of [`url`](Self::url).
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// The document.
    pub fn to_json(&self) -> String {
        let mut document = json!({
            "resource": self.resource,
            "authorization_servers": [self.issuer],
            "bearer_methods_supported": ["header"],
        });
        if !self.scopes.is_empty() {
            let scopes: Vec<&str> = self.scopes.iter().map(Scope::as_str).collect();
            document["scopes_supported"] = json!(scopes);
        }
        document.to_string()
    }

    /// Takes the scopes of the same API as well; whether it is the same.
    #[cfg(feature = "axum")]
    pub(super) fn absorb(&mut self, other: &Self) -> bool {
        let is_same = self.resource == other.resource && self.issuer == other.issuer;
        if is_same {
            self.scopes = self.scopes.union(&other.scopes);
        }
        is_same
    }
}

fn is_local(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "http" && is_loopback
}

/// RFC 9728 section 3.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

#[cfg(test)]
mod tests {
    use super::*;

    fn path(resource: &str) -> String {
        let metadata = ResourceMetadata::new(resource, "https://issuer.example");
        metadata.unwrap().url().to_string()
    }

    #[test]
    fn the_well_known_part_stands_between_host_and_path() {
        let known = "https://api.example/.well-known/oauth-protected-resource";
        assert_eq!(path("https://api.example"), known);
        assert_eq!(path("https://api.example/"), known);
        assert_eq!(path("https://api.example/v1"), format!("{known}/v1"));
        assert_eq!(path("https://api.example/v1/"), format!("{known}/v1/"));
        let local = path("http://127.0.0.1:8080/a");
        assert!(local.starts_with("http://127.0.0.1:8080/.well-known/"));
    }

    #[test]
    fn what_cannot_be_reached_safely_is_no_resource() {
        for bad in [
            "api.example",
            "http://api.example",
            "https://api.example/#a",
            "https://api.example/?a",
            "https://a@api.example",
            "ftp://127.0.0.1",
            "",
        ] {
            let outcome = ResourceMetadata::new(bad, "https://issuer.example");
            assert!(outcome.is_err(), "{bad}");
        }
    }
}
