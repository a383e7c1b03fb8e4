//! Either way to have a person sign in.

use std::sync::Arc;

use super::{Authorization, AuthorizationCode, DeviceCode, Obtained};
use crate::{endpoint::Endpoint, error::Error, scope::Audience, time::TimeSource};

/// How a person signs in: [`AuthorizationCode`] or [`DeviceCode`].
#[derive(Debug)]
pub struct SignIn(How);

#[derive(Debug)]
enum How {
    AuthorizationCode(Box<AuthorizationCode>),
    DeviceCode(Box<DeviceCode>),
}

impl From<AuthorizationCode> for SignIn {
    fn from(login: AuthorizationCode) -> Self {
        Self(How::AuthorizationCode(Box::new(login)))
    }
}

impl From<DeviceCode> for SignIn {
    fn from(login: DeviceCode) -> Self {
        Self(How::DeviceCode(Box::new(login)))
    }
}

impl SignIn {
    /// The audiences that the prompt asks for.
    pub(crate) fn audiences(&self) -> Vec<Audience> {
        match &self.0 {
            How::AuthorizationCode(login) => login.audiences(),
            How::DeviceCode(login) => login.audiences(),
        }
    }

    /// The same, asking for what `error` needs and for all that the session covered before.
    pub(crate) fn going_on(self, error: &Error) -> Self {
        let Some((asked, resume)) = error.person_needed() else {
            return self;
        };
        Self(match self.0 {
            How::AuthorizationCode(login) => {
                How::AuthorizationCode(Box::new(login.going_on(asked, resume)))
            }
            How::DeviceCode(login) => How::DeviceCode(Box::new(login.going_on(asked, resume))),
        })
    }

    /// Has the person sign in.
    pub(crate) async fn run(
        self,
        endpoint: &Arc<Endpoint>,
        session: &str,
        clock: &TimeSource,
    ) -> Result<Obtained, Error> {
        match self.0 {
            How::AuthorizationCode(_) => {
                let _ = session;
                Err(Error::request("not yet"))
            }
            How::DeviceCode(login) => login.run(endpoint, clock).await,
        }
    }
}

impl Endpoint {
    /// Where a person is sent.
    pub(crate) async fn authorization(&self) -> Result<Authorization, Error> {
        let entrance = self.entrance(false).await?;
        let endpoint = entrance.authorization_endpoint.ok_or_else(|| {
            Error::request("the issuer's metadata names no authorization_endpoint")
        })?;
        Ok(Authorization {
            endpoint,
            issuer: self.issuer().to_owned(),
            client_id: self.client_id().to_owned(),
            audience_parameters: self.dialect().audience_parameter.names(),
            names_issuer: entrance.names_issuer,
        })
    }
}
