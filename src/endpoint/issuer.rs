//! The issuer's identifier, and which addresses may be used because of it.

use std::{
    borrow::Cow,
    net::{Ipv4Addr, Ipv6Addr},
};

use url::{Host, Url};

/// An issuer identifier (RFC 8414 section 2), kept as it was written: it is compared as a string.
#[derive(Clone, Debug)]
pub(crate) struct Issuer {
    text: String,
    url: Url,
}

impl Issuer {
    /// Takes `text` as an issuer; the error says what is wrong with it, and the fix.
    pub(crate) fn new(text: &str) -> Result<Self, (String, &'static str)> {
        let url = Url::parse(text).map_err(|error| {
            (
                format!(
                    "{:?} is not a valid URL ({error})",
                    without_credentials(text)
                ),
                "write it as https://<tenant>.<domain>",
            )
        })?;
        let has_credentials = !url.username().is_empty() || url.password().is_some();
        if has_credentials {
            return Err((
                "it has a user name or password".to_owned(),
                "leave them out of the URL",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err((format!("{text:?} has a query or fragment"), "leave it out"));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => {
                let fix = "use https; plain http is for an issuer on this machine (127.0.0.1)";
                return Err((format!("{text:?} is not encrypted"), fix));
            }
            _ => return Err((format!("{text:?} is not an https URL"), "use an https URL")),
        }
        Ok(Self {
            text: text.to_owned(),
            url,
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the issuer runs on this machine: then plain http is allowed and no proxy is used.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }

    /// Where its metadata can be: OpenID Connect Discovery section 4 appends, RFC 8414 section 3
    /// puts the well-known part before the issuer's path.
    pub(super) fn metadata_locations(&self) -> [String; 2] {
        let issuer = self.text.strip_suffix('/').unwrap_or(&self.text);
        let path = self.url.path().strip_suffix('/').unwrap_or(self.url.path());
        let origin = self.url.origin().ascii_serialization();
        [
            format!("{issuer}/.well-known/openid-configuration"),
            format!("{origin}/.well-known/oauth-authorization-server{path}"),
        ]
    }
}

/// A URL, or what was meant to be one, without the password that could stand in it.
pub(crate) fn without_credentials(text: &str) -> Cow<'_, str> {
    let Some((before, host)) = text.rsplit_once('@') else {
        return text.into();
    };
    let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
    format!("{scheme}://…@{host}").into()
}

/// Whether secrets may be sent to `endpoint`: encrypted, or both it and the issuer on this machine.
pub(crate) fn is_allowed_endpoint(issuer: &Issuer, endpoint: &Url) -> bool {
    match endpoint.scheme() {
        "https" => true,
        "http" => issuer.is_loopback() && issuer.url.scheme() == "http" && is_loopback(endpoint),
        _ => false,
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => Ipv4Addr::is_loopback(&ip),
        Some(Host::Ipv6(ip)) => Ipv6Addr::is_loopback(&ip),
        // RFC 6761 section 6.3: resolvers answer this name with a loopback address.
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_encrypted_or_local_issuers_are_taken() {
        for good in [
            "https://a.example",
            "http://127.0.0.1:80",
            "http://[::1]:1/x",
            "http://localhost",
        ] {
            assert!(Issuer::new(good).is_ok(), "{good}");
        }
        for bad in [
            "a.example",
            "",
            "http://a.example",
            "http://127.0.0.1.a.example",
            "ftp://a",
            "https://u:p@a",
            "https://a?x",
            "https://a#x",
        ] {
            assert!(Issuer::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn metadata_is_looked_for_where_both_standards_put_it() {
        let locations = |issuer| Issuer::new(issuer).unwrap().metadata_locations();
        assert_eq!(
            locations("https://a.example/t/one"),
            [
                "https://a.example/t/one/.well-known/openid-configuration",
                "https://a.example/.well-known/oauth-authorization-server/t/one",
            ]
        );
        assert_eq!(
            locations("https://a.example/")[1],
            "https://a.example/.well-known/oauth-authorization-server"
        );
        assert_eq!(
            locations("https://a.example/")[0],
            "https://a.example/.well-known/openid-configuration"
        );
    }

    #[test]
    fn an_encrypted_issuer_has_encrypted_endpoints() {
        let url = |text| Url::parse(text).unwrap();
        let (remote, local) = (
            Issuer::new("https://a.example").unwrap(),
            Issuer::new("http://127.0.0.1").unwrap(),
        );
        assert!(is_allowed_endpoint(&remote, &url("https://b.example/t")));
        assert!(!is_allowed_endpoint(&remote, &url("http://a.example/t")));
        assert!(!is_allowed_endpoint(&remote, &url("http://127.0.0.1/t")));
        assert!(is_allowed_endpoint(&local, &url("http://127.0.0.1:9/t")));
        assert!(!is_allowed_endpoint(&local, &url("http://a.example/t")));
    }
}
