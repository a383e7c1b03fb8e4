//! Where the issuer's endpoints are: read once, kept for a day, read again when one has moved.

mod document;
mod member;
mod reading;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use url::Url;

use super::{
    issuer::{Issuer, is_allowed_endpoint},
    retry::{Replay, RetryPolicy},
    transport::{Answer, Transport},
};
use crate::{
    error::{Error, UnavailableReason, Violation},
    time::{Moment, TimeSource},
};
pub(super) use member::Member;
use member::Second;
pub(super) use reading::Reading;
use reading::Reads;

/// Endpoints that were configured instead of discovered.
#[derive(Clone, Debug, Default)]
pub(crate) struct GivenEndpoints(Vec<(Member, Url)>);

/// What the client needs to know of the issuer's metadata.
#[derive(Clone, Debug, Default)]
pub(super) struct Metadata {
    /// RFC 8414 section 2: an issuer may have none, and yet keys to verify its tokens with.
    pub(super) token_endpoint: Option<Url>,
    /// `token_endpoint_auth_methods_supported`, where the issuer says.
    pub(super) authentication_methods: Option<Vec<String>>,
    pub(super) revocation_endpoint: Option<Url>,
    pub(super) authorization_endpoint: Option<Url>,
    /// RFC 8628 section 4.
    pub(super) device_authorization_endpoint: Option<Url>,
    /// RFC 9207 section 3.
    pub(super) authorization_response_iss_parameter_supported: bool,
    /// `id_token_signing_alg_values_supported`; empty where the issuer does not say.
    pub(super) id_token_algorithms: Vec<String>,
    /// Where its public keys are, where the issuer says.
    pub(super) jwks_uri: Option<Url>,
    /// OpenID Connect Core section 5.3.
    pub(super) userinfo_endpoint: Option<Url>,
    /// OpenID Connect RP-Initiated Logout section 2.1.
    pub(super) end_session_endpoint: Option<Url>,
    /// Whether the first document could not be had, so that this is the second.
    pub(super) is_second_document: bool,
}

impl Metadata {
    pub(super) fn token_endpoint(&self) -> Result<&Url, Error> {
        let problem = || Violation::Metadata("there is no token_endpoint in it".to_owned());
        let endpoint = self.token_endpoint.as_ref();
        endpoint.ok_or_else(|| Error::protocol(None, problem()))
    }
}

/// The issuer's metadata, fetched by one caller for all.
#[derive(Debug)]
pub(super) struct Discovery {
    issuer: Issuer,
    given: Option<Arc<Metadata>>,
    known: ArcSwapOption<Known>,
    second: ArcSwapOption<Second>,
    reads: Reads,
    /// How long one read may take, with whatever is tried again.
    limit: Duration,
    clock: TimeSource,
}

#[derive(Debug)]
struct Known {
    metadata: Arc<Metadata>,
    until: Moment,
}

impl Discovery {
    pub(super) fn new(
        issuer: Issuer,
        given: Option<GivenEndpoints>,
        limit: Duration,
        clock: TimeSource,
    ) -> Self {
        let given = given.map(|given| Arc::new(given.into_metadata()));
        Self {
            issuer,
            given,
            known: ArcSwapOption::empty(),
            second: ArcSwapOption::empty(),
            reads: Reads::default(),
            limit,
            clock,
        }
    }

    pub(super) fn issuer(&self) -> &str {
        self.issuer.as_str()
    }

    /// Whether secrets may be sent to `url`, or a person who enters some there.
    pub(super) fn is_allowed(&self, url: &Url) -> bool {
        is_allowed_endpoint(&self.issuer, url)
    }

    /// The first document: what is known for less than a day, or what the issuer says now.
    async fn first(
        self: &Arc<Self>,
        transport: &Transport,
        how: Reading,
    ) -> Result<Arc<Metadata>, Error> {
        match self.known.load_full() {
            Some(known) if self.clock.now().has_reached(known.until) => {
                self.renewed(transport, how, &known.metadata).await
            }
            Some(known) => Ok(Arc::clone(&known.metadata)),
            None => self.read(transport, how, None).await,
        }
    }

    /// Reads the metadata again because an endpoint of `used` is gone; nothing if nothing changed.
    pub(super) async fn replace(
        self: &Arc<Self>,
        transport: &Transport,
        how: Reading,
        used: &Arc<Metadata>,
    ) -> Result<Option<Arc<Metadata>>, Error> {
        let given = self.given.as_ref();
        if given.is_some_and(|given| given.token_endpoint.is_some()) {
            return Ok(None);
        }
        let newer = self.read(transport, how, Some(used)).await?;
        let newer = self.completed(transport, how, newer, Member::Token).await?;
        let has_moved = newer.token_endpoint != used.token_endpoint;
        Ok(has_moved.then_some(newer))
    }

    /// What was read less than a day ago, if anything was.
    pub(super) fn known(&self) -> Option<Arc<Metadata>> {
        let known = self.known.load_full()?;
        let is_old = self.clock.now().has_reached(known.until);
        (!is_old).then(|| Arc::clone(&known.metadata))
    }

    /// Asks whether the issuer answers at this moment; not where its token endpoint was configured.
    pub(super) async fn probe(&self, transport: &Transport) -> Result<(), Error> {
        let given = self.given.as_ref();
        if given.is_some_and(|given| given.token_endpoint.is_some()) {
            return Ok(());
        }
        let once = Reading {
            policy: RetryPolicy::NEVER,
            is_forced: false,
        };
        self.fetch(transport, once).await.map(|_| ())
    }

    /// The metadata as the issuer has it now; nothing is remembered.
    pub(super) async fn fetch(
        &self,
        transport: &Transport,
        how: Reading,
    ) -> Result<Metadata, Error> {
        let (mut tried, mut is_page) = (Vec::new(), false);
        for (at, location) in self.issuer.metadata_locations().into_iter().enumerate() {
            let answer = get(transport, how, &location).await?;
            if answer.status.is_redirection() {
                return Err(Error::protocol(None, Violation::Redirect));
            }
            match answer.success_object() {
                Ok(document) => {
                    let metadata = Metadata {
                        is_second_document: at > 0,
                        ..self.read_document(&document)?
                    };
                    return Ok(self.with_given(metadata));
                }
                Err(problem) => {
                    is_page |= answer.status.is_success();
                    tried.push(format!("{location}: {problem}"));
                }
            }
        }
        if is_page {
            // The page of a proxy, or of an issuer under maintenance, goes away by itself.
            return Err(Error::unavailable(UnavailableReason::UnusableBody));
        }
        Err(Error::protocol(None, Violation::Metadata(tried.join(", "))))
    }
}

/// The answer at `location`, or the last error of as many tries as are allowed.
async fn get(transport: &Transport, how: Reading, location: &str) -> Result<Answer, Error> {
    let mut attempts = how.policy.attempts(Replay::Safe);
    loop {
        let answer = transport.get(location, METADATA_LIMIT).await;
        let outcome = answer.and_then(|answer| answer.try_later().map_or(Ok(answer), Err));
        if !attempts.again(location, &outcome).await {
            return outcome;
        }
    }
}

/// Metadata is read again after a day: endpoints move rarely, and a move is noticed by a 404 at once.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

/// Metadata that has grown a day old is renewed within this time, or used for now as it is.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(3);

/// A failed read is repeated after 1, 2, 4 … seconds, and at most this long.
const FAILURE_MAX: Duration = Duration::from_secs(60);

/// Metadata is never larger than this (in bytes).
const METADATA_LIMIT: usize = 64 * 1024;
