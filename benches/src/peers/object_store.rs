//! `object_store`: the credential of its Azure store.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use object_store::azure::{AzureCredential, AzureCredentialProvider, MicrosoftAzureBuilder};

use crate::{endpoint::Endpoint, subject::Tokens};

pub(super) struct ObjectStore(AzureCredentialProvider);

impl Tokens for ObjectStore {
    const NAME: &'static str = "object_store";
    const IS_KEYED: bool = false;
    // It fetches the next one five minutes before the end.
    const LIFETIME: Duration = Duration::from_secs(303);
    type Token = Arc<AzureCredential>;

    async fn start(endpoint: &Endpoint) -> Result<Self> {
        let store = MicrosoftAzureBuilder::new()
            .with_account("benchmark")
            .with_container_name("benchmark")
            .with_allow_http(true)
            .with_authority_host(endpoint.url())
            .with_client_secret_authorization("app_benchmark", "not-a-real-one", "tenant")
            .build()?;
        Ok(Self(Arc::clone(store.credentials())))
    }

    async fn token(&self, _: usize) -> Result<Arc<AzureCredential>> {
        Ok(self.0.get_credential().await?)
    }
}
