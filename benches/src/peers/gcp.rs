//! `gcp_auth`: a service account of Google.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use gcp_auth::{CustomServiceAccount, Token, TokenProvider as _};

use super::key::service_account;
use crate::{endpoint::Endpoint, subject::Tokens, tokens::audience};

pub(super) struct Gcp(CustomServiceAccount);

impl Tokens for Gcp {
    const NAME: &'static str = "gcp_auth";
    const IS_KEYED: bool = true;
    // It fetches the next one twenty seconds before the end.
    const LIFETIME: Duration = Duration::from_secs(23);
    type Token = Arc<Token>;

    async fn start(endpoint: &Endpoint) -> Result<Self> {
        let account = service_account(endpoint)?.to_string();
        Ok(Self(CustomServiceAccount::from_json(&account)?))
    }

    async fn token(&self, number: usize) -> Result<Arc<Token>> {
        Ok(self.0.token(&[audience(number)]).await?)
    }
}
