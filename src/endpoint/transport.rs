//! The HTTP client, built once with its limits.

use std::{error::Error as StdError, fmt, time::Duration};

use http::{HeaderMap, Request, StatusCode, header::DATE, header::RETRY_AFTER};
use zeroize::Zeroizing;

use super::issuer::Issuer;
use crate::{
    error::{Error, Unavailable, UnavailableReason, Violation},
    time::TimeSource,
};

/// What the builder lets a user set about HTTP.
#[derive(Clone, Debug)]
pub(crate) struct HttpSettings {
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) proxy: Proxy,
    pub(crate) root_certificates: Vec<Vec<u8>>,
}

/// Which proxy requests go through. `Debug` hides its address, which may hold a password.
#[derive(Clone)]
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

/// The HTTP client of one issuer.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    http: reqwest::Client,
    clock: TimeSource,
    issuer: Issuer,
    settings: HttpSettings,
}

/// A complete answer, whatever its status.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Zeroizing<Vec<u8>>,
    /// How long the issuer asked to be left alone.
    pub(super) retry_after: Option<Duration>,
}

impl Transport {
    /// Builds the client; the error names the setting that is at fault, and the fix.
    pub(crate) fn new(
        issuer: &Issuer,
        settings: &HttpSettings,
        clock: TimeSource,
    ) -> Result<Self, Fault> {
        Self::keeping(issuer, settings, clock, KEPT_CONNECTIONS)
    }

    /// Builds a client that keeps so many idle connections to each host.
    pub(super) fn keeping(
        issuer: &Issuer,
        settings: &HttpSettings,
        clock: TimeSource,
        kept_connections: usize,
    ) -> Result<Self, Fault> {
        let http = client(issuer, settings, kept_connections)?;
        Ok(Self {
            http,
            clock,
            issuer: issuer.clone(),
            settings: settings.clone(),
        })
    }

    /// The same without kept connections, which end with the runtime that they were made in.
    pub(super) fn without_pool(&self) -> Self {
        let http = client(&self.issuer, &self.settings, 0);
        Self {
            // The same settings have made one client already.
            http: http.unwrap_or_else(|_| self.http.clone()),
            ..self.clone()
        }
    }

    /// Sends `request` once and reads the whole answer, up to `limit` bytes.
    pub(super) async fn send(
        &self,
        request: Request<Vec<u8>>,
        limit: usize,
    ) -> Result<Answer, Error> {
        let request = reqwest::Request::try_from(request).map_err(unreached)?;
        let response = self.http.execute(request).await.map_err(unreached)?;
        let status = response.status();
        let retry_after = self.retry_after(response.headers());
        let body = match read_body(response, limit).await {
            Err(error) if head_is_enough(status, &error) => Zeroizing::default(),
            read => read?,
        };
        Ok(Answer {
            status,
            body,
            retry_after,
        })
    }

    pub(super) async fn get(&self, url: &str, limit: usize) -> Result<Answer, Error> {
        let request = Request::get(url).header(http::header::ACCEPT, "application/json");
        let request = request.body(Vec::new());
        let request = request.map_err(|error| {
            Error::protocol(None, Violation::Metadata(format!("{url:?}: {error}")))
        })?;
        self.send(request, limit).await
    }

    /// `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date that is compared with the answer's
    /// own `Date`, since the two clocks may differ.
    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let wait = if is_number {
            // A number too long to read is surely over the cap.
            text.parse().map_or(RETRY_AFTER_MAX, Duration::from_secs)
        } else {
            let date = |text: &str| httpdate::parse_http_date(text).ok();
            let sent = headers
                .get(DATE)
                .and_then(|value| value.to_str().ok())
                .and_then(date);
            let sent = sent.unwrap_or_else(|| self.clock.now().wall());
            date(text)?.duration_since(sent).unwrap_or_default()
        };
        Some(wait.min(RETRY_AFTER_MAX))
    }
}

/// Builds one HTTP client.
fn client(
    issuer: &Issuer,
    settings: &HttpSettings,
    kept_connections: usize,
) -> Result<reqwest::Client, Fault> {
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(settings.connect_timeout)
        .timeout(settings.request_timeout)
        .pool_max_idle_per_host(kept_connections);
    builder = match &settings.proxy {
        // What is meant for this machine must not leave it.
        _ if issuer.is_loopback() => builder.no_proxy(),
        Proxy::System => builder,
        Proxy::None => builder.no_proxy(),
        Proxy::Url(url) => {
            let fix = "write it as http://host:port";
            let proxy = reqwest::Proxy::all(url).map_err(|error| {
                (
                    "proxy",
                    format!("not a proxy URL ({})", error.without_url()),
                    fix,
                )
            })?;
            builder.proxy(proxy)
        }
    };
    let certificates = certificates(&settings.root_certificates)?;
    builder = if issuer.is_loopback() && issuer.as_str().starts_with("http:") {
        // Nothing is encrypted, so that a machine without certificates will do.
        builder.tls_certs_only(certificates)
    } else {
        builder.tls_certs_merge(certificates)
    };
    let fix = "install the system's certificates (ca-certificates), or check root_certificate";
    builder.build().map_err(|error| ("TLS", chain(&error), fix))
}

/// The whole body, up to `limit` bytes.
async fn read_body(
    mut response: reqwest::Response,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut body = Zeroizing::new(Vec::with_capacity(EXPECTED_BODY));
    while let Some(chunk) = response.chunk().await.map_err(unreached)? {
        if body.len() + chunk.len() > limit {
            return Err(Error::protocol(None, Violation::TooLarge(limit)));
        }
        grow(&mut body, chunk.len());
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Whether `error`, met in the body, changes nothing about what the head has said already.
///
/// A refusal in a page too large to read is still a refusal. One that broke off could have been any,
/// but a status that asks for patience needs no body, and its `Retry-After` must not be lost.
fn head_is_enough(status: StatusCode, error: &Error) -> bool {
    match error {
        Error::Protocol(_) => !status.is_success(),
        Error::Unavailable(unavailable) => {
            unavailable.reason() == UnavailableReason::Interrupted
                && matches!(status.as_u16(), 408 | 425 | 429 | 500..)
        }
        _ => false,
    }
}

/// A setting that cannot work: its name, what is wrong, and the fix.
type Fault = (&'static str, String, &'static str);

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

/// Makes room without leaving an unwiped copy behind, as a plain reallocation would.
fn grow(body: &mut Zeroizing<Vec<u8>>, more: usize) {
    if body.capacity() - body.len() < more {
        let mut larger = Zeroizing::new(Vec::with_capacity((body.len() + more) * 2));
        larger.extend_from_slice(body);
        *body = larger;
    }
}

/// There is no complete answer: could it have arrived at the issuer?
fn unreached(error: reqwest::Error) -> Error {
    // A timeout while connecting is both: nothing was sent.
    let reason = if error.is_connect() || error.is_builder() {
        UnavailableReason::Connect
    } else if error.is_timeout() {
        UnavailableReason::Timeout
    } else {
        UnavailableReason::Interrupted
    };
    Error::Unavailable(Unavailable::caused_by(reason, error.without_url()))
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

/// A longer `Retry-After` is cut to this: a typing error at the issuer must not last for days.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Holds a usual token reply without growing.
const EXPECTED_BODY: usize = 4096;

/// Idle connections that are kept for each host, as `reqwest` has it.
const KEPT_CONNECTIONS: usize = usize::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(retry_after: &str, date: Option<&str>) -> Option<Duration> {
        let settings = HttpSettings {
            connect_timeout: Duration::from_secs(1),
            request_timeout: Duration::from_secs(1),
            proxy: Proxy::None,
            root_certificates: Vec::new(),
        };
        let issuer = Issuer::new("http://127.0.0.1").unwrap();
        let transport = Transport::new(&issuer, &settings, TimeSource::default()).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        transport.retry_after(&headers)
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_capped() {
        let date = Some("Sun, 06 Nov 1994 08:49:00 GMT");
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(wait("30", None), seconds(30));
        assert_eq!(wait("0", None), seconds(0));
        assert_eq!(wait("1000000000", None), seconds(3600));
        assert_eq!(wait("99999999999999999999999", None), seconds(3600));
        assert_eq!(
            wait("Sun, 06 Nov 1994 08:49:37 GMT", date),
            seconds(37),
            "by the issuer's clock"
        );
        assert_eq!(
            wait("Sun, 06 Nov 1994 08:48:00 GMT", date),
            seconds(0),
            "already over"
        );
        assert_eq!(
            wait("Sun, 06 Nov 1994 08:49:37 GMT", None),
            seconds(0),
            "long ago by ours"
        );
        assert_eq!(wait("soon", None), None);
        assert_eq!(wait("", None), None);
        assert_eq!(wait("-5", None), None);
    }
}
