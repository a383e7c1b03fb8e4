//! Where the application's secret comes from.

use std::{io, path::PathBuf, sync::Arc};

use super::ClientBuilder;
use crate::{endpoint::SecretSource, secret::Secret};

impl<Built> ClientBuilder<Built> {
    /// The application's secret. Without one it is a public client, which only names itself.
    pub fn client_secret(mut self, secret: impl Into<Secret>) -> Self {
        self.client_secret = SecretSource::fixed(secret.into());
        self
    }

    /// The file that the application's secret is in; white space around it does not count.
    ///
    /// It is read when the first token is asked for, and once more when the issuer does not accept the secret: so
    /// a service lives through a rotation without a restart, if the file has the new one before the old one
    /// ends (on the platform 72 hours later).
    pub fn client_secret_file(self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        self.client_secret_from(move || {
            let text = zeroize::Zeroizing::new(std::fs::read_to_string(&path)?);
            Ok(Secret::from(text.trim()))
        })
    }

    /// What yields the application's secret: a secret manager's client, for example.
    ///
    /// `read` is called on a thread where it may block, when the first token is asked for, and once more when the
    /// issuer does not accept the secret. What it fails with is [`Error::Request`](crate::Error::Request).
    ///
    /// # Examples
    ///
    /// ```
    /// use intelliauth::{Client, Secret};
    ///
    /// let client = Client::for_application("https://banking-cymmetri.intelliauth.local", "app_1")
    ///     .client_secret_from(|| Ok(Secret::from(std::env::var("SECRET").unwrap_or_default())))
    ///     .build()?;
    /// # let _ = client;
    /// # Ok::<(), intelliauth::BuildError>(())
    /// ```
    pub fn client_secret_from(
        mut self,
        read: impl Fn() -> io::Result<Secret> + Send + Sync + 'static,
    ) -> Self {
        self.client_secret = SecretSource::read_by(Arc::new(read));
        self
    }
}
