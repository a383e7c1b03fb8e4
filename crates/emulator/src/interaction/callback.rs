//! The way back to the application (RFC 6749 sections 4.1.2 and 4.1.2.1).

use url::Url;

use super::visit::Visit;
use crate::person::{Callback, Code, Grant};
use crate::random;
use crate::refusal::Refusal;
use axum::response::Response;

impl Visit {
    /// Sends a code.
    pub(super) fn return_code(
        &self,
        callback: &Callback,
        grant: Grant,
    ) -> Result<Response, Refusal> {
        let value = random::token()?;
        let client_id = grant.client_id.clone();
        let code = Code {
            grant,
            redirect_uri: callback.redirect_uri.clone(),
            challenge: callback.code_challenge.clone(),
            since: self.tenant.now(),
            is_used: false,
        };
        {
            let mut live = self.tenant.live();
            live.people.issued_secrets.insert(&value);
            live.people.codes.insert(&value, code);
        }
        Ok(self.send_back(callback, &client_id, vec![("code", value)]))
    }

    /// Sends an error.
    pub(super) fn return_error(
        &self,
        callback: &Callback,
        client_id: &str,
        refusal: &Refusal,
    ) -> Response {
        let error = refusal.code.as_str().to_owned();
        let description = ascii(&refusal.description);
        let parameters = vec![("error", error), ("error_description", description)];
        self.send_back(callback, client_id, parameters)
    }

    fn send_back(
        &self,
        callback: &Callback,
        client_id: &str,
        mut parameters: Vec<(&'static str, String)>,
    ) -> Response {
        if let Some(state) = &callback.state {
            parameters.push(("state", state.clone()));
        }
        // RFC 9207 section 2: the callback names its issuer.
        if self.tenant.live().switches.callback_includes_iss {
            parameters.push(("iss", self.tenant.issuer.clone()));
        }
        let mut parameters: Vec<(String, String)> = parameters
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        if let Some((name, value)) = self.tenant.faults.take_callback(client_id) {
            parameters.retain(|(known, _)| *known != name);
            parameters.extend(value.map(|value| (name, value)));
        }
        self.redirect(&with_query(&callback.redirect_uri, &parameters))
    }
}

/// RFC 6749 section 3.1.2: a query that the redirect URI has is kept.
fn with_query(redirect_uri: &str, parameters: &[(String, String)]) -> String {
    match Url::parse(redirect_uri) {
        Ok(mut url) => {
            url.query_pairs_mut().extend_pairs(parameters);
            url.into()
        }
        // It is not a valid URL, but it was registered like this.
        Err(_unreadable) => redirect_uri.to_owned(),
    }
}

/// RFC 6749 section 4.1.2.1: printable ASCII without `"` and `\`.
fn ascii(text: &str) -> String {
    let is_allowed =
        |char: char| char == ' ' || char.is_ascii_graphic() && char != '"' && char != '\\';
    text.chars()
        .map(|char| if is_allowed(char) { char } else { '?' })
        .collect()
}
