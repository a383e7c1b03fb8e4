//! Which issuers an API takes tokens of, as the API itself says (RFC 9728).

mod document;

use std::{error::Error as StdError, net::IpAddr, time::Duration};

use url::{Host, Url};

pub use document::ProtectedResource;

use super::{
    issuer::Issuer,
    transport::{Fault, HttpSettings, NotPublic, Proxy, Transport, is_public},
};
use crate::{
    error::{Error, Violation},
    refusal::Refusal,
    time::TimeSource,
};

/// What an API says about itself, from its refusal and nothing else: which issuers' tokens it takes.
///
/// As [`ResourceDiscovery::discover`] with its defaults: an API on the internet, or one on this machine.
///
/// # Errors
///
/// As there.
///
/// # Examples
///
/// ```no_run
/// # async fn f(http: reqwest::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use intelliauth::{Client, Dialect, Refusal, TokenRequest, discover};
///
/// let answer = http.get("https://mcp.cymmetri.com/tools").send().await?;
/// let refusal = Refusal::new(answer.status(), answer.headers());
/// let api = discover(&refusal, answer.url()).await?;
///
/// // Whether to trust that issuer is the program's decision, or its user's.
/// let issuer = api.issuers().first().ok_or("it names no issuer")?;
/// let client = Client::for_application(issuer, "app_01HZX0SERVICE")
///     .dialect(Dialect::resource_indicators())
///     .build()?;
/// let wanted = TokenRequest::new(api.resource()).scopes(refusal.scopes().iter().map(|scope| scope.as_str()));
/// client.get_access_token(wanted).await?;
/// # Ok(()) }
/// ```
pub async fn discover(refusal: &Refusal, url: &Url) -> Result<ProtectedResource, Error> {
    ResourceDiscovery::new().discover(refusal, url).await
}

/// How to ask an API about itself (RFC 9728).
///
/// The API names the address, so it is another party that decides where a request goes: over https, with no
/// redirect followed, to public addresses alone, also where a name leads. An API on this machine may
/// describe itself on this machine, without TLS. At most 64 KiB are read; connecting may take 5 s and each of at
/// most two requests 10 s. Nothing is remembered, and no token is sent.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ResourceDiscovery {
    allows_private: bool,
    proxy: Option<ProxyUrl>,
    root_certificates: Vec<Vec<u8>>,
}

/// Hides a password that may be in it.
#[derive(Clone)]
struct ProxyUrl(String);

impl std::fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProxyUrl(hidden)")
    }
}

impl ResourceDiscovery {
    /// The defaults: no proxy, whatever the system's settings say, and public addresses alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends requests to private addresses too: for APIs in a network of one's own.
    ///
    /// Any API that is asked can then have this program send a `GET` into that network.
    pub fn danger_allow_private_addresses(mut self) -> Self {
        self.allows_private = true;
        self
    }

    /// Sends requests through this proxy, written as `http://host:port`. Where names lead is then its affair.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Some(ProxyUrl(url.into()));
        self
    }

    /// Trusts the certificates in this PEM file too, for an API with a private authority.
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates.push(pem.into());
        self
    }

    /// Asks the API that has refused a request to `url` what it says about itself.
    ///
    /// The address is the refusal's [`resource_metadata`](Refusal::resource_metadata), else the well-known one
    /// of `url` with its path, and without (RFC 9728 section 3). What is there has to be about `url`: a resource
    /// with the same origin, whose path is that of `url` or above it.
    ///
    /// # Errors
    ///
    /// [`Error::Request`] if `url` is neither https nor on this machine, or a setting is wrong;
    /// [`Error::Protocol`] with [`Violation::ResourceMetadata`] if the API describes itself nowhere, somewhere
    /// that must not be asked, or as another resource; [`Error::Unavailable`] if it does not answer.
    pub async fn discover(&self, refusal: &Refusal, url: &Url) -> Result<ProtectedResource, Error> {
        let api = Issuer::new(&url.origin().ascii_serialization())
            .map_err(|(problem, fix)| Error::request(format!("the API's URL: {problem}; {fix}")))?;
        let is_local = api.is_loopback();
        let locations = match refusal.resource_metadata() {
            Some(named) => vec![named],
            None => well_known(url),
        };
        let mut tried = Vec::new();
        for location in &locations {
            let transport = self.transport(location, is_local)?;
            let answer = transport.get(location.as_str(), LARGEST).await;
            let answer = answer.map_err(|error| explained(error, location))?;
            if answer.status.is_redirection() {
                return Err(violation(location, "a redirect, which is never followed"));
            }
            if let Some(later) = answer.try_later() {
                return Err(later);
            }
            match answer.success_object() {
                Ok(document) => return document::read(&document, url, is_local),
                Err(problem) => tried.push(format!("{}: {problem}", document::shown(location))),
            }
        }
        let tried = Violation::ResourceMetadata(tried.join(", "));
        Err(Error::protocol(None, tried))
    }

    /// The way to `location`, if it may be asked at all.
    fn transport(&self, location: &Url, api_is_local: bool) -> Result<Transport, Error> {
        let refused = |problem: &str| violation(location, problem);
        if !location.username().is_empty() || location.password().is_some() {
            return Err(refused("it has a user name or password"));
        }
        let origin = location.origin().ascii_serialization();
        let host = Issuer::new(&origin).map_err(|(problem, _)| refused(&problem))?;
        // What is on this machine may be named by what is on this machine.
        let is_neighbour = api_is_local && host.is_loopback();
        let is_trusted = self.allows_private || is_neighbour;
        if !is_trusted && (host.is_loopback() || is_private(location)) {
            return Err(refused("it is no public address"));
        }
        let settings = HttpSettings {
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
            proxy: self
                .proxy
                .clone()
                .map_or(Proxy::None, |ProxyUrl(url)| Proxy::Url(url)),
            root_certificates: self.root_certificates.clone(),
        };
        let is_public_only = !is_trusted && self.proxy.is_none();
        let transport = Transport::to(&host, &settings, is_public_only, TimeSource::default());
        transport.map_err(|(field, problem, fix): Fault| {
            Error::request(format!("{field}: {problem}; {fix}"))
        })
    }
}

/// RFC 9728 section 3.1: between host and path; and for an API that has one description for all paths.
fn well_known(url: &Url) -> Vec<Url> {
    let at = |path: &str| {
        let mut location = url.clone();
        location.set_query(None);
        location.set_fragment(None);
        location.set_path(path);
        location
    };
    let of_path = at(&format!("{WELL_KNOWN}{}", url.path().trim_end_matches('/')));
    let of_host = at(WELL_KNOWN);
    if of_path == of_host {
        return vec![of_host];
    }
    vec![of_path, of_host]
}

/// Whether an address stands in the URL itself, and is not public.
fn is_private(location: &Url) -> bool {
    let address: IpAddr = match location.host() {
        Some(Host::Ipv4(address)) => address.into(),
        Some(Host::Ipv6(address)) => address.into(),
        Some(Host::Domain(_)) | None => return false,
    };
    !is_public(address)
}

/// An error of the transport; a name that leads into a private network is no outage.
fn explained(error: Error, location: &Url) -> Error {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(known) = cause {
        // What it found wrong is within an error of the system.
        let of_system = known.downcast_ref::<std::io::Error>();
        let inner = of_system.and_then(std::io::Error::get_ref);
        if inner.is_some_and(<dyn StdError + Send + Sync>::is::<NotPublic>) {
            return violation(location, "it leads to no public address");
        }
        cause = known.source();
    }
    error
}

fn violation(location: &Url, problem: &str) -> Error {
    let problem = format!("{}: {problem}", document::shown(location));
    Error::protocol(None, Violation::ResourceMetadata(problem))
}

/// RFC 9728 section 3.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// A description is never larger than this (in bytes).
const LARGEST: usize = 64 * 1024;

/// As a client's default: a person or a call waits for it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// For each of two documents at most: within the time that a person waits for a page.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn locations(url: &str) -> Vec<String> {
        let known = well_known(&Url::parse(url).unwrap());
        known.into_iter().map(String::from).collect()
    }

    #[test]
    fn an_api_describes_itself_for_a_path_or_for_all() {
        let all = "https://api.example/.well-known/oauth-protected-resource";
        assert_eq!(locations("https://api.example"), [all]);
        assert_eq!(locations("https://api.example/?a=1"), [all]);
        let one = format!("{all}/v1/a");
        assert_eq!(locations("https://api.example/v1/a/?b#c"), [&one, all]);
    }

    #[test]
    fn what_must_not_be_asked_is_not() {
        let asked = |location: &str, is_local| {
            let location = Url::parse(location).unwrap();
            ResourceDiscovery::new().transport(&location, is_local)
        };
        for inside in [
            "https://127.0.0.1/a",
            "https://localhost/a",
            "https://10.0.0.1/a",
            "https://[::1]/a",
            "https://[fd00::1]/a",
            "https://169.254.169.254/latest",
            "http://api.example/a",
            "http://127.0.0.1/a",
            "https://a@api.example/a",
            "ftp://api.example/a",
            "file:///etc/passwd",
        ] {
            let error = asked(inside, false).err();
            assert_eq!(
                error.map(|error| error.kind()),
                Some("protocol"),
                "{inside}"
            );
        }
        assert!(asked("https://api.example/a", false).is_ok());
        assert!(asked("http://127.0.0.1:8080/a", true).is_ok());
        assert!(asked("http://api.example/a", true).is_err());
        assert!(asked("https://10.0.0.1/a", true).is_err());
        let location = Url::parse("https://10.0.0.1/a").unwrap();
        let allowing = ResourceDiscovery::new().danger_allow_private_addresses();
        assert!(allowing.transport(&location, false).is_ok());
    }

    #[tokio::test]
    async fn a_name_that_leads_into_a_private_network_is_no_outage() {
        let location = Url::parse("http://localhost:9/a").unwrap();
        let host = Issuer::new("http://localhost:9").unwrap();
        let settings = HttpSettings {
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
            proxy: Proxy::None,
            root_certificates: Vec::new(),
        };
        let transport = Transport::to(&host, &settings, true, TimeSource::default());
        let answer = transport.unwrap().get(location.as_str(), LARGEST).await;
        let error = answer.err().unwrap();
        assert_eq!(explained(error, &location).kind(), "protocol");
    }

    #[test]
    fn debug_hides_the_password_of_a_proxy() {
        let shown = format!("{:?}", ResourceDiscovery::new().proxy("http://u:hush@p"));
        assert!(!shown.contains("hush"), "{shown}");
    }
}
