//! What a metadata document says, and whether it may be used.

use serde_json::{Map, Value};
use url::Url;

use super::{Discovery, Metadata};
use crate::{
    endpoint::is_allowed_endpoint,
    error::{Error, Violation},
};

impl Discovery {
    /// Takes from the document what the client needs, if it may be used at all.
    pub(super) fn read_document(&self, document: &Map<String, Value>) -> Result<Metadata, Error> {
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        // RFC 8414 section 3.3: identical, or the metadata must not be used.
        let found = text("issuer").unwrap_or_default();
        if found != self.issuer() {
            let (expected, found) = (self.issuer().to_owned(), found.to_owned());
            return Err(Error::protocol(
                None,
                Violation::WrongIssuer { expected, found },
            ));
        }
        let violation = |problem: String| Error::protocol(None, Violation::Metadata(problem));
        let token_endpoint = text("token_endpoint").map(|endpoint| {
            Url::parse(endpoint).map_err(|error| {
                violation(format!(
                    "the token_endpoint {endpoint:?} is not a valid URL ({error})"
                ))
            })
        });
        let token_endpoint = token_endpoint.transpose()?;
        if let Some(open) = self.unencrypted_endpoint(document) {
            return Err(violation(format!("{open} is not encrypted")));
        }
        let url = |name: &str| text(name).and_then(|url| Url::parse(url).ok());
        let texts = |name: &str| {
            let list = document.get(name)?.as_array()?.iter();
            Some(list.filter_map(Value::as_str).map(str::to_owned).collect())
        };
        Ok(Metadata {
            token_endpoint,
            authentication_methods: texts("token_endpoint_auth_methods_supported"),
            id_token_algorithms: texts("id_token_signing_alg_values_supported").unwrap_or_default(),
            revocation_endpoint: url("revocation_endpoint"),
            authorization_endpoint: url("authorization_endpoint"),
            device_authorization_endpoint: url("device_authorization_endpoint"),
            authorization_response_iss_parameter_supported: document
                .get("authorization_response_iss_parameter_supported")
                == Some(&Value::Bool(true)),
            jwks_uri: url("jwks_uri"),
            userinfo_endpoint: url("userinfo_endpoint"),
            end_session_endpoint: url("end_session_endpoint"),
            is_second_document: false,
        })
    }

    /// The first endpoint that secrets must not be sent to: one of them makes the document suspect. No
    /// request goes to an endpoint that is not a valid URL.
    fn unencrypted_endpoint(&self, document: &Map<String, Value>) -> Option<String> {
        let is_address = |name: &str| name.ends_with("_endpoint") || name == "jwks_uri";
        document
            .iter()
            .filter(|(name, _)| is_address(name))
            .find_map(|(name, value)| {
                let url = value.as_str()?;
                let is_allowed =
                    Url::parse(url).map_or(true, |url| is_allowed_endpoint(&self.issuer, &url));
                (!is_allowed).then(|| format!("the {name} {url:?}"))
            })
    }
}
