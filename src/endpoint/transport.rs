//! One request and its whole answer, within limits.

mod connections;
mod public;
mod settings;

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Request, StatusCode, header::DATE, header::RETRY_AFTER};
use zeroize::Zeroizing;

use super::issuer::Issuer;
use crate::{
    error::{Error, Unavailable, UnavailableReason, Violation},
    time::TimeSource,
};

pub use connections::Connections;
use connections::Connector;
pub(super) use public::{NotPublic, is_public};
use settings::Kind;
pub(crate) use settings::{Fault, HttpSettings, Proxy};

/// How one client's requests get to its issuer: each over a connection of its own.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    connector: Arc<Connector>,
    clock: TimeSource,
}

/// A complete answer, whatever its status.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Zeroizing<Vec<u8>>,
    /// How long the issuer asked to be left alone.
    pub(super) retry_after: Option<Duration>,
}

impl Transport {
    /// Checks the settings; the error names the one that is at fault, and the fix. No client is built
    /// before the first request.
    pub(crate) fn new(
        issuer: &Issuer,
        settings: &HttpSettings,
        connections: &Connections,
        clock: TimeSource,
    ) -> Result<Self, Fault> {
        Ok(Self {
            connector: connections.connector(issuer, settings)?,
            clock,
        })
    }

    /// The way to a host that another party has named; to its public addresses alone, if that is wanted.
    pub(super) fn to(
        host: &Issuer,
        settings: &HttpSettings,
        is_public_only: bool,
        clock: TimeSource,
    ) -> Result<Self, Fault> {
        let mut kind = Kind::new(host, settings);
        if is_public_only {
            kind = kind.public_only();
        }
        let connector = Arc::new(Connector::new(kind)?);
        Ok(Self { connector, clock })
    }

    /// Sends `request` once and reads the whole answer, up to `limit` bytes.
    pub(super) async fn send(
        &self,
        request: Request<Vec<u8>>,
        limit: usize,
    ) -> Result<Answer, Error> {
        let http = self.connector.client().map_err(unusable)?;
        let request = reqwest::Request::try_from(request).map_err(unreached)?;
        let response = http.execute(request).await.map_err(unreached)?;
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

/// What is wrong with this machine shows at the first request.
fn unusable((field, problem, fix): Fault) -> Error {
    Error::request(format!("{field}: {problem}; {fix}"))
}

/// A longer `Retry-After` is cut to this: a typing error at the issuer must not last for days.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Holds a usual token reply without growing.
const EXPECTED_BODY: usize = 4096;

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
        let (connections, clock) = (Connections::new(), TimeSource::default());
        let transport = Transport::new(&issuer, &settings, &connections, clock).unwrap();
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
