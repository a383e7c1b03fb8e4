//! Where an endpoint is: given by hand, in the issuer's first document, or in its second.

use std::sync::Arc;

use url::Url;

use super::{Discovery, GivenEndpoints, Metadata, Reading, get};
use crate::{
    endpoint::transport::Transport,
    error::{Error, Violation},
    time::Moment,
};

/// An address in an issuer's metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::endpoint) enum Member {
    Token,
    Authorization,
    DeviceAuthorization,
    Revocation,
    Userinfo,
    EndSession,
    Keys,
}

/// What is known with the second document: the metadata of both, or why it could not be read.
#[derive(Debug)]
pub(super) struct Second {
    first: Arc<Metadata>,
    outcome: Result<Arc<Metadata>, Error>,
    until: Moment,
}

impl Member {
    const ALL: [Self; 7] = [
        Self::Token,
        Self::Authorization,
        Self::DeviceAuthorization,
        Self::Revocation,
        Self::Userinfo,
        Self::EndSession,
        Self::Keys,
    ];

    pub(in crate::endpoint) fn name(self) -> &'static str {
        match self {
            Self::Token => "token_endpoint",
            Self::Authorization => "authorization_endpoint",
            Self::DeviceAuthorization => "device_authorization_endpoint",
            Self::Revocation => "revocation_endpoint",
            Self::Userinfo => "userinfo_endpoint",
            Self::EndSession => "end_session_endpoint",
            Self::Keys => "jwks_uri",
        }
    }

    pub(in crate::endpoint) fn of(self, metadata: &Metadata) -> Option<&Url> {
        match self {
            Self::Token => metadata.token_endpoint.as_ref(),
            Self::Authorization => metadata.authorization_endpoint.as_ref(),
            Self::DeviceAuthorization => metadata.device_authorization_endpoint.as_ref(),
            Self::Revocation => metadata.revocation_endpoint.as_ref(),
            Self::Userinfo => metadata.userinfo_endpoint.as_ref(),
            Self::EndSession => metadata.end_session_endpoint.as_ref(),
            Self::Keys => metadata.jwks_uri.as_ref(),
        }
    }

    fn set(self, metadata: &mut Metadata, url: Option<Url>) {
        let place = match self {
            Self::Token => &mut metadata.token_endpoint,
            Self::Authorization => &mut metadata.authorization_endpoint,
            Self::DeviceAuthorization => &mut metadata.device_authorization_endpoint,
            Self::Revocation => &mut metadata.revocation_endpoint,
            Self::Userinfo => &mut metadata.userinfo_endpoint,
            Self::EndSession => &mut metadata.end_session_endpoint,
            Self::Keys => &mut metadata.jwks_uri,
        };
        *place = url;
    }
}

impl GivenEndpoints {
    /// What is known of the issuer by these alone.
    pub(super) fn into_metadata(self) -> Metadata {
        let mut metadata = Metadata::default();
        for (member, url) in self.0 {
            member.set(&mut metadata, Some(url));
        }
        metadata
    }

    /// The setting of this name, as the metadata calls it.
    pub(crate) fn give(&mut self, name: &str, url: Url) {
        let named = |member: &Member| member.name() == name;
        let member = Member::ALL.into_iter().find(named);
        self.0.extend(member.map(|member| (member, url)));
    }
}

impl Discovery {
    /// The metadata, with `member` if the issuer has it.
    ///
    /// A member that was configured needs no document. The second document is read only for a member that
    /// the first lacks.
    pub(in crate::endpoint) async fn metadata(
        self: &Arc<Self>,
        transport: &Transport,
        how: Reading,
        member: Member,
    ) -> Result<Arc<Metadata>, Error> {
        let given = self.given.as_ref();
        let given = given.filter(|given| member.of(given).is_some());
        // A sign-in also needs to know whether the answer has to name the issuer.
        if member != Member::Authorization
            && let Some(given) = given
        {
            return Ok(self.known().unwrap_or_else(|| Arc::clone(given)));
        }
        match (self.first(transport, how).await, given) {
            (Ok(first), _) => self.completed(transport, how, first, member).await,
            (Err(error), Some(given)) if has_none(&error) => {
                tracing::debug!(%error, "an issuer without metadata: what was given has to do");
                Ok(Arc::clone(given))
            }
            (Err(error), _) => Err(error),
        }
    }

    /// The first document, with the second if `member` is missing in the first.
    pub(in crate::endpoint) async fn completed(
        &self,
        transport: &Transport,
        how: Reading,
        first: Arc<Metadata>,
        member: Member,
    ) -> Result<Arc<Metadata>, Error> {
        if member.of(&first).is_some() {
            return Ok(first);
        }
        let now = self.clock.now();
        if let Some(second) = self.second.load_full()
            && Arc::ptr_eq(&second.first, &first)
            && !now.has_reached(second.until)
        {
            return second.outcome.clone();
        }
        let outcome = self.read_second(transport, how, &first).await;
        let kept_for = match &outcome {
            Ok(_) => super::KEPT_FOR,
            Err(_) => super::FAILURE_MAX,
        };
        self.second.store(Some(Arc::new(Second {
            first,
            outcome: outcome.clone(),
            until: now.plus(kept_for),
        })));
        outcome
    }

    async fn read_second(
        &self,
        transport: &Transport,
        how: Reading,
        first: &Arc<Metadata>,
    ) -> Result<Arc<Metadata>, Error> {
        let [one, other] = self.issuer.metadata_locations();
        let location = if first.is_second_document { one } else { other };
        let answer = get(transport, how, &location).await?;
        let Ok(document) = answer.success_object() else {
            tracing::debug!(location, "there is no second metadata document");
            return Ok(Arc::clone(first));
        };
        let second = self.read_document(&document)?;
        Ok(Arc::new(self.merged(first, &second)))
    }

    /// What the second document adds to the first. Where both name an endpoint, the first is right.
    fn merged(&self, first: &Metadata, second: &Metadata) -> Metadata {
        let mut merged = first.clone();
        for member in Member::ALL {
            match (member.of(first), member.of(second)) {
                (None, Some(url)) => member.set(&mut merged, Some(url.clone())),
                (Some(one), Some(other)) if one != other => tracing::warn!(
                    issuer = self.issuer(), member = member.name(), used = %one, not_used = %other,
                    "the issuer's two metadata documents contradict each other"
                ),
                _ => {}
            }
        }
        merged
    }

    /// The same with what was given by hand.
    pub(super) fn with_given(&self, mut metadata: Metadata) -> Metadata {
        if let Some(given) = &self.given {
            for member in Member::ALL {
                if let Some(url) = member.of(given) {
                    member.set(&mut metadata, Some(url.clone()));
                }
            }
        }
        metadata
    }

    /// What was given, if the address of the keys was.
    pub(in crate::endpoint) fn given_keys(&self) -> Option<Arc<Metadata>> {
        let given = self.given.as_ref();
        given
            .filter(|given| Member::Keys.of(given).is_some())
            .map(Arc::clone)
    }

    /// Whether `used` is what came of the document that is known.
    pub(super) fn is_of(&self, known: &Arc<Metadata>, used: &Arc<Metadata>) -> bool {
        let is_merged = || {
            let second = self.second.load_full();
            second.is_some_and(|second| {
                let is_used = |merged: &Arc<Metadata>| Arc::ptr_eq(merged, used);
                Arc::ptr_eq(&second.first, known) && second.outcome.as_ref().is_ok_and(is_used)
            })
        };
        Arc::ptr_eq(known, used) || is_merged()
    }
}

/// Whether the issuer has no usable metadata, and may never have any.
fn has_none(error: &Error) -> bool {
    let Error::Protocol(violation) = error else {
        return false;
    };
    matches!(violation.violation(), Violation::Metadata(_))
}
