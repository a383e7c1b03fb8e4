//! The application as the environment describes it, by the platform's names.

use super::{BuildError, Client, ClientBuilder};
use crate::secret::Secret;

/// The issuer: the tenant's URL.
const TENANT_URL: &str = "INTELLIAUTH_TENANT_URL";
/// The client id of an application that acts for itself.
const CLIENT_ID: &str = "INTELLIAUTH_M2M_CLIENT_ID";
/// Its secret.
const CLIENT_SECRET: &str = "INTELLIAUTH_M2M_CLIENT_SECRET";

impl ClientBuilder<Client> {
    /// As [`Client::from_env`], to be changed further before it is built.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if a variable is missing, empty or no text.
    pub fn from_env() -> Result<Self, BuildError> {
        Self::from_variables(|name| std::env::var_os(name))
    }

    fn from_variables(
        get: impl Fn(&str) -> Option<std::ffi::OsString>,
    ) -> Result<Self, BuildError> {
        let variable = |name: &'static str, fix: &'static str| {
            let value = get(name).filter(|value| !value.is_empty());
            let value = value.ok_or_else(|| BuildError::new(name, "it is not set", fix))?;
            value
                .into_string()
                .map_err(|_bytes| BuildError::new(name, "it is not valid Unicode", fix))
        };
        let issuer = variable(
            TENANT_URL,
            "set it to the tenant's URL, https://<tenant>.<domain>",
        )?;
        let client_id = variable(CLIENT_ID, "set it to the application's client id (app_…)")?;
        let secret = variable(CLIENT_SECRET, "set it to the application's client secret")?;
        let mut builder =
            Client::for_application(issuer, client_id).client_secret(Secret::new(secret));
        builder.name_fields(TENANT_URL, CLIENT_ID, CLIENT_SECRET);
        Ok(builder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(variables: &[(&str, &str)]) -> Result<Client, BuildError> {
        let get = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.into())
        };
        ClientBuilder::from_variables(get)?.build()
    }

    #[test]
    fn the_three_variables_make_a_client() {
        let all = [
            (TENANT_URL, "https://a.example"),
            (CLIENT_ID, "app_1"),
            (CLIENT_SECRET, "s"),
        ];
        let client = build(&all).unwrap();
        assert_eq!(
            (client.issuer(), client.client_id()),
            ("https://a.example", "app_1")
        );
    }

    #[test]
    fn the_variable_that_is_missing_or_wrong_is_named() {
        let error = build(&[(TENANT_URL, "https://a.example"), (CLIENT_ID, "")]).unwrap_err();
        assert_eq!(error.field(), CLIENT_ID);
        let wrong = [
            (TENANT_URL, "http://a.example"),
            (CLIENT_ID, "app_1"),
            (CLIENT_SECRET, "s"),
        ];
        assert_eq!(build(&wrong).unwrap_err().field(), TENANT_URL);
    }
}
