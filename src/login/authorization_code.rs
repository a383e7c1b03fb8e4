//! The authorization code flow with PKCE (RFC 6749 section 4.1, RFC 7636).

use oauth2::{CsrfToken, PkceCodeChallenge};
use url::Url;

use super::PendingLogin;
use crate::{
    error::{Asked, Error},
    request::TokenRequest,
    scope::{Audience, Scopes},
    secret::Secret,
    time::Moment,
};

/// Where a person is sent, and by whom.
#[derive(Clone, Debug)]
pub(crate) struct Authorization {
    pub(crate) endpoint: Url,
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) audience_parameters: &'static [&'static str],
    pub(crate) names_issuer: bool,
}

/// A sign-in through the person's browser.
#[derive(Clone, Debug)]
#[must_use]
pub struct AuthorizationCode {
    redirect: Option<String>,
    pub(super) asked: Vec<Asked>,
    pub(super) identity_scopes: Scopes,
    problem: Option<String>,
    pub(super) goes_on: bool,
}

impl AuthorizationCode {
    /// A sign-in that comes back to `uri`.
    pub fn redirect_to(uri: impl Into<String>) -> Self {
        Self {
            redirect: Some(uri.into()),
            asked: Vec::new(),
            identity_scopes: Scopes::from_reply("openid offline_access"),
            problem: None,
            goes_on: false,
        }
    }

    /// Asks for an API and its scopes as well.
    pub fn request<'a>(mut self, request: impl Into<TokenRequest<'a>>) -> Self {
        let details = request.into().into_details();
        if let Err(error) = details.check() {
            self.problem = Some(error.to_string());
        }
        self.ask(details.asked());
        self
    }

    pub(crate) fn ask(&mut self, asked: Asked) {
        match self
            .asked
            .iter_mut()
            .find(|known| known.audience == asked.audience)
        {
            Some(known) => known.scopes = known.scopes.union(&asked.scopes),
            None => self.asked.push(asked),
        }
    }

    pub(crate) fn audiences(&self) -> Vec<Audience> {
        self.asked
            .iter()
            .map(|asked| asked.audience.clone())
            .collect()
    }

    pub(crate) fn start(
        &self,
        authorization: &Authorization,
        session: &str,
        now: Moment,
    ) -> Result<(Url, PendingLogin), Error> {
        if let Some(problem) = &self.problem {
            return Err(Error::request(problem.clone()));
        }
        let Some(redirect) = &self.redirect else {
            return Err(Error::request("there is no redirect URI"));
        };
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (state, nonce) = (CsrfToken::new_random(), CsrfToken::new_random());
        let scopes = self
            .asked
            .iter()
            .fold(self.identity_scopes.clone(), |all, asked| {
                all.union(&asked.scopes)
            });
        let mut url = authorization.endpoint.clone();
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("response_type", "code")
                .append_pair("client_id", &authorization.client_id)
                .append_pair("redirect_uri", redirect)
                .append_pair("scope", &scopes.to_string())
                .append_pair("state", state.secret())
                .append_pair("nonce", nonce.secret())
                .append_pair("code_challenge", challenge.as_str())
                .append_pair("code_challenge_method", "S256");
            for name in authorization.audience_parameters {
                for asked in &self.asked {
                    query.append_pair(name, asked.audience.as_str());
                }
            }
        }
        let pending = PendingLogin {
            state: Secret::from(state.secret().as_str()),
            nonce: Secret::from(nonce.secret().as_str()),
            verifier: Secret::from(verifier.secret().as_str()),
            redirect_uri: redirect.clone(),
            session: session.to_owned(),
            asked: self.asked.clone(),
            identity_scopes: self.identity_scopes.clone(),
            goes_on: self.goes_on,
            created_at: now.wall(),
        };
        Ok((url, pending))
    }
}
