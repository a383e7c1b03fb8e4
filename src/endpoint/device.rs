//! Asking for a device code (RFC 8628 section 3.1); the polls for its token are token requests.

use std::{borrow::Cow, time::Duration};

use url::Url;

use super::{
    ClientAuthentication, Endpoint, Member, Reading, Replay, is_unknown_client, transport::Answer,
    wire,
};
use crate::{
    error::{Asked, Denied, DeniedReason, Error},
    scope::Scopes,
    secret::Secret,
    time::Moment,
};

/// What a person has to be shown, and what is polled with (RFC 8628 section 3.2).
#[derive(Debug)]
pub(crate) struct DeviceAuthorization {
    pub(crate) device_code: Secret,
    /// No secret to the person, but not for logs either: who reads it in time can use it up.
    pub(crate) user_code: Secret,
    pub(crate) verification_uri: String,
    /// Holds the user code.
    pub(crate) verification_uri_complete: Option<Secret>,
    pub(crate) expires_in: Duration,
    /// When both codes end, counted from the instant before they were asked for.
    pub(crate) until: Moment,
    /// As the issuer said it, or the default.
    pub(crate) interval: Duration,
}

impl Endpoint {
    /// Asks for a device code for all that was `asked` for.
    ///
    /// `scopes` holds the scopes of all of it and those of the person's identity. What fails on the way
    /// is tried again as for a token: a code that no person was shown does no harm.
    pub(crate) async fn authorize_device(
        &self,
        asked: &[Asked],
        about: &Asked,
        scopes: &Scopes,
    ) -> Result<DeviceAuthorization, Error> {
        let how = Reading {
            policy: self.retries,
            is_forced: true,
        };
        let metadata = self
            .discovery
            .metadata(&self.transport, how, Member::DeviceAuthorization)
            .await?;
        let endpoint = metadata.device_authorization_endpoint.as_ref();
        let endpoint = endpoint.ok_or_else(|| Error::request(NO_ENDPOINT))?;
        let method = self.credentials.method(&metadata)?;
        let form = self.device_form(method, asked, scopes);
        let mut attempts = self.retries.attempts(Replay::Safe);
        let mut secret = self.credentials.secret.current().await?;
        let mut is_read_again = false;
        let outcome = loop {
            let request = self
                .credentials
                .request(method, endpoint, &form, secret.as_deref());
            let sent = self.clock.now();
            let answer = self.transport.send(request, wire::TOKEN_LIMIT).await;
            let outcome = answer
                .map_err(|error| error.about(about))
                .and_then(|answer| read(&answer, about, scopes, sent))
                .and_then(|codes| self.only_safe_pages(codes, about));
            if !is_read_again
                && outcome.as_ref().is_err_and(is_unknown_client)
                && let Some(newer) = self.credentials.secret.newer(secret.as_ref()).await
            {
                (secret, is_read_again) = (Some(newer), true);
                continue;
            }
            if !attempts.again("device authorization", &outcome).await {
                break outcome;
            }
        };
        tracing::debug!(
            scopes = %scopes,
            outcome = outcome.as_ref().map_or_else(Error::kind, |_| "device code"),
            "device authorization request answered"
        );
        outcome.map_err(|error| error.of_issuer(self.issuer()))
    }

    fn device_form<'a>(
        &'a self,
        method: ClientAuthentication,
        asked: &'a [Asked],
        scopes: &Scopes,
    ) -> Vec<(&'static str, Cow<'a, str>)> {
        let mut form = vec![("scope", Cow::Owned(scopes.to_string()))];
        for name in self.dialect.audience_parameter.names() {
            let audiences = asked.iter().map(|asked| asked.audience.as_str());
            form.extend(audiences.map(|audience| (*name, audience.into())));
        }
        // RFC 8628 section 3.1 wants it of clients that do not authenticate. Some servers look for it
        // in the body of all; in the other methods it stands there anyway.
        if matches!(
            method,
            ClientAuthentication::Basic | ClientAuthentication::BasicRaw
        ) {
            form.push(("client_id", self.client_id().into()));
        }
        form
    }

    /// Refuses a page that a person must not be sent to: they are about to enter a password there.
    fn only_safe_pages(
        &self,
        mut codes: DeviceAuthorization,
        about: &Asked,
    ) -> Result<DeviceAuthorization, Error> {
        let is_safe = |uri: &str| Url::parse(uri).is_ok_and(|url| self.discovery.is_allowed(&url));
        if !is_safe(&codes.verification_uri) {
            return Err(wire::unusable(
                about,
                "its verification_uri is no encrypted page",
            ));
        }
        // The other way leads to the same place.
        codes.verification_uri_complete = codes
            .verification_uri_complete
            .filter(|uri| is_safe(uri.expose()));
        Ok(codes)
    }
}

/// The codes, or the error; an unknown scope may be any of all that were sent.
fn read(
    answer: &Answer,
    about: &Asked,
    scopes: &Scopes,
    sent: Moment,
) -> Result<DeviceAuthorization, Error> {
    let outcome = wire::device_authorization(answer, about, sent);
    let is_scope = |denied: &Denied| denied.reason() == DeniedReason::ScopeNotAllowed;
    match outcome {
        Err(Error::Denied(denied)) if is_scope(&denied) => {
            let (audience, scopes) = (about.audience.clone(), scopes.clone());
            wire::device_authorization(answer, &Asked { audience, scopes }, sent)
        }
        other => other,
    }
}

const NO_ENDPOINT: &str = "the issuer's metadata names no device_authorization_endpoint: it has no sign-in \
    by device code, or does not say where (ClientBuilder::device_authorization_endpoint)";
