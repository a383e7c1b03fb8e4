//! [`Origin`]: where a token may go.

use std::net::IpAddr;

use url::Url;

use crate::error::Error;

/// Scheme, host and port (RFC 6454 section 4) of an API that was named.
#[cfg(any(feature = "reqwest-middleware", feature = "tower"))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

#[cfg(any(feature = "reqwest-middleware", feature = "tower"))]
impl Origin {
    /// Reads the origin of an API, as its caller has named it.
    pub(super) fn named(text: &str) -> Result<Self, Error> {
        let url = Url::parse(text)
            .map_err(|error| Error::request(format!("the API's origin {text:?}: {error}")))?;
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !is_bare || !url.username().is_empty() {
            return Err(Error::request(format!(
                "the API's origin {text:?} is more than scheme, host and port"
            )));
        }
        check(&url)?;
        Ok(Self {
            scheme: url.scheme().to_owned(),
            host: url.host_str().unwrap_or_default().to_owned(),
            port: url.port_or_known_default().unwrap_or_default(),
        })
    }

    /// Whether a URI has this origin.
    #[cfg(feature = "tower")]
    pub(super) fn has_uri(&self, uri: &http::Uri) -> bool {
        let default = if self.scheme == "https" { 443 } else { 80 };
        // The grammar of a URI knows its scheme and host in any case.
        let has =
            |part: Option<&str>, own: &str| part.is_some_and(|one| one.eq_ignore_ascii_case(own));
        has(uri.scheme_str(), &self.scheme)
            && has(uri.host(), &self.host)
            && uri.port_u16().unwrap_or(default) == self.port
    }

    /// Whether a URL has this origin; its host is in lower case, as [`Url`] writes it.
    #[cfg(feature = "reqwest-middleware")]
    pub(super) fn has(&self, url: &Url) -> bool {
        url.scheme() == self.scheme
            && url.host_str() == Some(&self.host)
            && url.port_or_known_default() == Some(self.port)
    }
}

/// RFC 6750 section 5.3: a token goes over TLS alone; nothing listens between a machine and itself.
pub(super) fn check(url: &Url) -> Result<(), Error> {
    let (scheme, host) = (url.scheme(), url.host_str().unwrap_or_default());
    if scheme == "https" || (scheme == "http" && is_loopback(host)) {
        return Ok(());
    }
    Err(Error::request(format!(
        "a token goes to https alone, or to a loopback address, and not to {scheme}://{host}"
    )))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    host == "localhost" || address.is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(all(test, any(feature = "reqwest-middleware", feature = "tower")))]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for good in [
            "https://api.example",
            "https://api.example:8443/",
            "http://127.0.0.1:8080",
            "http://[::1]",
            "http://localhost:1",
        ] {
            assert!(Origin::named(good).is_ok(), "{good}");
        }
        for bad in [
            "api.example",
            "http://api.example",
            "http://127.0.0.1.example",
            "http://localhost.example",
            "https://api.example/v1",
            "https://api.example?x",
            "https://user@api.example",
            "ftp://127.0.0.1",
            "",
        ] {
            assert!(Origin::named(bad).is_err(), "{bad}");
        }
        let named = |text| Origin::named(text).unwrap();
        assert_eq!(
            named("https://API.example"),
            named("https://api.example:443")
        );
        assert_ne!(
            named("https://api.example:444"),
            named("https://api.example")
        );
        assert_ne!(named("http://127.0.0.1:443"), named("https://127.0.0.1"));
    }
}
