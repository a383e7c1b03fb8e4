//! Where the keys are, and reading them there.

use std::{sync::Arc, time::Duration};

use url::Url;

use super::Shared;
use crate::{
    endpoint::{
        discovery::{Member, Reading},
        retry::RetryPolicy,
        transport::Answer,
    },
    error::{Error, UnavailableReason, Violation},
    jwt::{KeySet, KeySetError},
    time::Moment,
};

/// The address of the keys, as the issuer's metadata has it.
#[derive(Clone, Debug)]
pub(super) struct Location {
    url: Url,
    until: Moment,
}

impl Shared {
    /// Fetches the keys, after the metadata where that is not known, a day old, or in doubt.
    pub(super) async fn fetch(&self) -> Result<KeySet, Error> {
        let known = self.state().location.clone();
        let known = known.filter(|location| !self.clock.now().has_reached(location.until));
        let url = match known {
            Some(location) => location.url,
            None => self.locate().await?,
        };
        let answer = self.transport.get(url.as_str(), SIZE_MAX).await?;
        if let Some(later) = answer.try_later() {
            return Err(later);
        }
        read(&answer)
    }

    async fn locate(&self) -> Result<Url, Error> {
        let now = self.clock.now();
        let is_in_doubt = self.state().failures > 0;
        let once = Reading {
            policy: RetryPolicy::NEVER,
            is_forced: false,
        };
        let known = self.discovery.known().filter(|_| !is_in_doubt);
        let metadata = match (self.discovery.given_keys(), known) {
            (Some(given), _) => given,
            (None, Some(known)) => known,
            (None, None) => Arc::new(self.discovery.fetch(&self.transport, once).await?),
        };
        let metadata = self
            .discovery
            .completed(&self.transport, once, metadata, Member::Keys)
            .await?;
        // OpenID Connect Discovery section 3 requires it, RFC 8414 section 2 does not.
        let url = metadata
            .jwks_uri
            .clone()
            .ok_or_else(|| violation("there is no jwks_uri in it"))?;
        self.state().location = Some(Location {
            url: url.clone(),
            until: now.plus(LOCATION_LIFE),
        });
        Ok(url)
    }
}

/// The keys in an answer; anything but a key set with a usable key is no success.
fn read(answer: &Answer) -> Result<KeySet, Error> {
    if answer.status.is_redirection() {
        return Err(Error::protocol(None, Violation::Redirect));
    }
    if !answer.status.is_success() {
        let status = answer.status.as_u16();
        return Err(violation(&format!("the key set: status {status}")));
    }
    KeySet::read(&answer.body).map_err(|error| match error {
        // The page of a proxy, or of an issuer under maintenance, goes away by itself.
        KeySetError::NotJson => Error::unavailable(UnavailableReason::UnusableBody),
        other => violation(&format!("the key set: {other}")),
    })
}

fn violation(problem: &str) -> Error {
    Error::protocol(None, Violation::Metadata(problem.to_owned()))
}

/// Metadata is read again after a day, and after each failure.
const LOCATION_LIFE: Duration = Duration::from_secs(24 * 3600);

/// A key set is never larger than this (in bytes): a hundred keys of 8192 bits fit.
const SIZE_MAX: usize = 256 * 1024;
