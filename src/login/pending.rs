//! A sign-in whose answer is still to come.

use std::{fmt, sync::Arc, time::SystemTime};

use url::Url;

use super::{Authorization, Obtained};
use crate::{
    endpoint::{Endpoint, Grant, GrantKind},
    error::{Asked, Error, IssuerAnswer, Refusal, Violation},
    request::Parameters,
    scope::{Audience, Scopes},
    secret::Secret,
    store::Account,
    time::Moment,
};

/// What has to be kept while a person is away at the issuer.
#[derive(Clone)]
pub struct PendingLogin {
    pub(super) state: Secret,
    #[expect(dead_code, reason = "soon")]
    pub(super) nonce: Secret,
    pub(super) verifier: Secret,
    pub(super) redirect_uri: String,
    pub(super) session: String,
    pub(super) asked: Vec<Asked>,
    pub(super) identity_scopes: Scopes,
    pub(super) goes_on: bool,
    #[expect(dead_code, reason = "soon")]
    pub(super) created_at: SystemTime,
}

impl fmt::Debug for PendingLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingLogin").finish_non_exhaustive()
    }
}

impl PendingLogin {
    /// Whose session it is for.
    pub fn session(&self) -> &str {
        &self.session
    }

    pub(crate) fn goes_on(&self) -> bool {
        self.goes_on
    }

    pub(crate) fn accept(
        &self,
        callback: &str,
        _authorization: &Authorization,
        _now: Moment,
    ) -> Result<Secret, Error> {
        let url = Url::parse(callback).map_err(|_| Error::request("no URL"))?;
        let get = |name: &str| {
            url.query_pairs()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.into_owned())
        };
        if get("state").as_deref() != Some(self.state.expose()) {
            return Err(Error::protocol(
                None,
                Violation::Reply("the state is another".to_owned()),
            ));
        }
        if let Some(code) = get("error") {
            let answer = IssuerAnswer::new(400).with_code(Some(code));
            return Err(Error::from_answer(
                &self.first(),
                answer,
                Refusal::default(),
            ));
        }
        get("code")
            .map(Secret::from)
            .ok_or_else(|| Error::request("no code"))
    }

    fn first(&self) -> Asked {
        self.asked.first().cloned().unwrap_or(Asked {
            audience: Audience::from(""),
            scopes: Scopes::none(),
        })
    }

    pub(crate) async fn redeem(
        &self,
        endpoint: &Arc<Endpoint>,
        code: &Secret,
    ) -> Result<Obtained, Error> {
        let (asked, parameters) = (self.first(), Parameters::none());
        let grant = Grant {
            kind: GrantKind::AuthorizationCode {
                code,
                verifier: &self.verifier,
                redirect_uri: &self.redirect_uri,
            },
            asked: &asked,
            parameters: &parameters,
            in_background: false,
            is_forced: true,
            is_apart: false,
        };
        let reply = endpoint.token(&grant).await?;
        Ok(Obtained {
            account: Account::new(None, None, None),
            reply,
            asked: self.asked.clone(),
            identity_scopes: self.identity_scopes.clone(),
        })
    }
}
