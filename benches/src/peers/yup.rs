//! `yup-oauth2`: a service account of Google.

use std::time::Duration;

use anyhow::Result;
use yup_oauth2::{
    AccessToken, ServiceAccountAuthenticator, ServiceAccountKey,
    authenticator::DefaultAuthenticator,
};

use super::key::service_account;
use crate::{endpoint::Endpoint, subject::Tokens, tokens::audience};

pub(super) struct Yup(DefaultAuthenticator);

impl Tokens for Yup {
    const NAME: &'static str = "yup-oauth2";
    const IS_KEYED: bool = true;
    // It fetches the next one a minute before the end.
    const LIFETIME: Duration = Duration::from_secs(63);
    type Token = AccessToken;

    async fn start(endpoint: &Endpoint) -> Result<Self> {
        let key: ServiceAccountKey = serde_json::from_value(service_account(endpoint)?)?;
        Ok(Self(
            ServiceAccountAuthenticator::builder(key).build().await?,
        ))
    }

    async fn token(&self, number: usize) -> Result<AccessToken> {
        Ok(self.0.token(&[audience(number)]).await?)
    }
}
