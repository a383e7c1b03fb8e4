//! The authorization request (RFC 6749 section 4.1.1) as a URL.

use oauth2::{CsrfToken, PkceCodeChallenge};
use url::Url;

use super::{
    AuthorizationCode, PendingLogin, Prompt, authorization_code::Back,
    requested_access::RequestedAccess,
};
use crate::{error::Error, scope::Scopes, secret::Secret, time::Moment};

/// Where a person is sent, and by whom.
#[derive(Clone, Debug)]
pub(crate) struct Authorization {
    pub(crate) endpoint: Url,
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    /// The names of the parameter that carries an audience.
    pub(crate) audience_parameters: &'static [&'static str],
    /// Whether the answer must name the issuer (RFC 9207 section 3).
    pub(crate) names_issuer: bool,
    /// The scopes that every sign-in asks for.
    pub(crate) identity_scopes: Scopes,
    /// Whether `offline_access` has to go with `prompt=consent`.
    pub(crate) offline_needs_consent: bool,
}

impl AuthorizationCode {
    /// The URL to send the person to, and what to keep until they come back.
    pub(crate) fn begin(
        &self,
        authorization: &Authorization,
        session: &str,
        now: Moment,
    ) -> Result<(Url, PendingLogin), Error> {
        match &self.back {
            Back::Redirect(uri) => self.begin_at(uri, authorization, session, now),
            Back::Loopback { .. } => Err(Error::request(
                "a loopback sign-in listens itself: use Session::sign_in, or redirect_to",
            )),
        }
    }

    pub(super) fn begin_at(
        &self,
        redirect_uri: &str,
        authorization: &Authorization,
        session: &str,
        now: Moment,
    ) -> Result<(Url, PendingLogin), Error> {
        self.requested.check()?;
        let requested = self.requested.clone();
        let requested = requested.with_identity(&authorization.identity_scopes);
        if let Err(error) = Url::parse(redirect_uri) {
            let problem = format!("the redirect URI {redirect_uri:?} is not a valid URL ({error})");
            return Err(Error::request(problem));
        }
        let (challenge, pending) =
            self.pending(&requested, redirect_uri, authorization, (session, now));
        let mut url = authorization.endpoint.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &authorization.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", &requested.scopes().to_string())
            .append_pair("state", pending.state.expose())
            .append_pair("nonce", pending.nonce.expose())
            .append_pair("code_challenge", challenge.as_str())
            // RFC 7636 section 4.2: never `plain`.
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(self.audience_parameters(authorization))
            .extend_pairs(self.prompts(&requested, authorization))
            .extend_pairs(&self.parameters);
        Ok((url, pending))
    }

    /// The data to keep, with a random `state`, `nonce` and verifier.
    fn pending(
        &self,
        requested: &RequestedAccess,
        redirect_uri: &str,
        authorization: &Authorization,
        (session, now): (&str, Moment),
    ) -> (PkceCodeChallenge, PendingLogin) {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let random = || Secret::from(CsrfToken::new_random().into_secret());
        let asked = requested.asked().iter();
        let pending = PendingLogin {
            version: super::pending::VERSION,
            issuer: authorization.issuer.clone(),
            client_id: authorization.client_id.clone(),
            state: random(),
            nonce: random(),
            verifier: Secret::from(verifier.into_secret()),
            redirect_uri: redirect_uri.to_owned(),
            session: session.to_owned(),
            asked: asked
                .map(|asked| (asked.audience.to_string(), asked.scopes.to_string()))
                .collect(),
            identity_scopes: requested.identity_scopes().to_string(),
            goes_on: self.goes_on,
            max_age: self.max_age.map(|age| age.as_secs()),
            created_at: super::pending::seconds(now),
        };
        (challenge, pending)
    }

    /// OpenID Connect Core section 11: `consent` goes with `offline_access`, beside whatever else is
    /// asked of the person. Section 3.1.2.1: nothing goes with `none`.
    fn prompts(
        &self,
        requested: &RequestedAccess,
        authorization: &Authorization,
    ) -> Option<(&'static str, String)> {
        let needs_consent =
            authorization.offline_needs_consent && requested.scopes().contains("offline_access");
        let consent = needs_consent.then_some(Prompt::Consent);
        let prompts = match (self.prompt, consent) {
            (Some(Prompt::None), _) => [self.prompt, None],
            (own, consent) if own == consent => [own, None],
            both => [both.0, both.1],
        };
        let names: Vec<_> = prompts.iter().flatten().map(|one| one.as_str()).collect();
        (!names.is_empty()).then(|| ("prompt", names.join(" ")))
    }

    /// One for each audience (RFC 8707 section 2 has `resource` repeated).
    fn audience_parameters<'a>(
        &'a self,
        authorization: &Authorization,
    ) -> impl Iterator<Item = (&'static str, &'a str)> {
        let names = authorization.audience_parameters;
        let asked = self.requested.asked().iter();
        let asked = asked.map(|asked| asked.audience.as_str());
        asked.flat_map(move |audience| names.iter().map(move |name| (*name, audience)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(login: &AuthorizationCode, offline_needs_consent: bool) -> Option<String> {
        let authorization = Authorization {
            endpoint: Url::parse("https://issuer.example/authorize").unwrap(),
            issuer: "https://issuer.example".to_owned(),
            client_id: "app".to_owned(),
            audience_parameters: &["resource"],
            names_issuer: false,
            identity_scopes: Scopes::from_reply("openid offline_access"),
            offline_needs_consent,
        };
        let now = Moment::START;
        let (url, _) = login.begin(&authorization, "alice", now).unwrap();
        let mut pairs = url.query_pairs();
        let found = pairs.find(|(name, _)| name == "prompt");
        found.map(|(_, value)| value.into_owned())
    }

    #[test]
    fn offline_access_goes_with_consent_where_the_issuer_wants_it() {
        let login = || AuthorizationCode::redirect_to("https://app.example/callback");
        assert_eq!(prompt(&login(), false), None);
        assert_eq!(prompt(&login(), true).unwrap(), "consent");
        for (own, sent) in [
            (Prompt::None, "none"),
            (Prompt::Login, "login consent"),
            (Prompt::Consent, "consent"),
            (Prompt::SelectAccount, "select_account consent"),
        ] {
            assert_eq!(prompt(&login().prompt(own), false).unwrap(), own.as_str());
            assert_eq!(prompt(&login().prompt(own), true).unwrap(), sent);
        }
    }
}
