//! What is set about HTTP, and the clients that are built of it.

use std::{error::Error as StdError, fmt, time::Duration};

use super::public::PublicNames;
use crate::endpoint::issuer::Issuer;

/// What the builder lets a user set about HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpSettings {
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) proxy: Proxy,
    pub(crate) root_certificates: Vec<Vec<u8>>,
}

/// Which proxy requests go through. `Debug` hides its address, which may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Proxy {
    /// What the system's settings and the usual environment variables say.
    System,
    None,
    Url(String),
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "System",
            Self::None => "None",
            Self::Url(_) => "Url(hidden)",
        })
    }
}

/// A setting that cannot work: its name, what is wrong, and the fix.
pub(crate) type Fault = (&'static str, String, &'static str);

/// Everything in which HTTP clients differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    settings: HttpSettings,
    issuer_location: IssuerLocation,
    /// Whether names lead to public addresses alone.
    is_public_only: bool,
}

/// Where the issuer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IssuerLocation {
    /// On this machine, and nothing is encrypted.
    Plain,
    /// On this machine.
    Local,
    Remote,
}

impl Kind {
    pub(super) fn new(issuer: &Issuer, settings: &HttpSettings) -> Self {
        let issuer_location = match issuer.is_loopback() {
            true if issuer.as_str().starts_with("http:") => IssuerLocation::Plain,
            true => IssuerLocation::Local,
            false => IssuerLocation::Remote,
        };
        Self {
            settings: settings.clone(),
            issuer_location,
            is_public_only: false,
        }
    }

    /// The same for a host that another party has named.
    pub(super) fn public_only(self) -> Self {
        Self {
            is_public_only: true,
            ..self
        }
    }

    /// Finds what is wrong with the settings, without the set-up of TLS: the system's certificates are
    /// not looked at.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let certificates = certificates(&self.settings.root_certificates)?;
        let proxied = self.proxied(reqwest::Client::builder())?;
        if certificates.is_empty() {
            return Ok(());
        }
        let fix = "pass the certificates of an authority, as PEM";
        let alone = proxied.tls_certs_only(certificates).build();
        alone.map_err(|error| ("root_certificate", chain(&error), fix))?;
        Ok(())
    }

    /// Builds a client that keeps no connection.
    pub(super) fn client(&self) -> Result<reqwest::Client, Fault> {
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(self.settings.connect_timeout)
            .timeout(self.settings.request_timeout)
            .pool_max_idle_per_host(0);
        let mut builder = self.proxied(builder)?;
        if self.is_public_only {
            builder = builder.dns_resolver(PublicNames);
        }
        let certificates = certificates(&self.settings.root_certificates)?;
        let builder = match self.issuer_location {
            // A machine without certificates will do.
            IssuerLocation::Plain => builder.tls_certs_only(certificates),
            IssuerLocation::Local | IssuerLocation::Remote => builder.tls_certs_merge(certificates),
        };
        let fix = "install the system's certificates (ca-certificates), or check root_certificate";
        builder.build().map_err(|error| ("TLS", chain(&error), fix))
    }

    fn proxied(&self, builder: reqwest::ClientBuilder) -> Result<reqwest::ClientBuilder, Fault> {
        Ok(match &self.settings.proxy {
            // What is meant for this machine must not leave it.
            _ if self.issuer_location != IssuerLocation::Remote => builder.no_proxy(),
            Proxy::System => builder,
            Proxy::None => builder.no_proxy(),
            Proxy::Url(url) => {
                let fix = "write it as http://host:port";
                let proxy = reqwest::Proxy::all(url).map_err(|error| {
                    let problem = format!("not a proxy URL ({})", error.without_url());
                    ("proxy", problem, fix)
                })?;
                builder.proxy(proxy)
            }
        })
    }
}

/// The certificates in these PEM files.
fn certificates(files: &[Vec<u8>]) -> Result<Vec<reqwest::Certificate>, Fault> {
    let (field, fix) = (
        "root_certificate",
        "pass the bytes of a PEM file with one or more certificates",
    );
    let mut certificates = Vec::new();
    for pem in files {
        let bundle = reqwest::Certificate::from_pem_bundle(pem)
            .map_err(|error| (field, format!("not PEM ({error})"), fix))?;
        if bundle.is_empty() {
            return Err((field, "there is no certificate in it".to_owned(), fix));
        }
        certificates.extend(bundle);
    }
    Ok(certificates)
}

/// An error and its causes in one line.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "-rust/", env!("CARGO_PKG_VERSION"));
