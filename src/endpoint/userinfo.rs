//! What the issuer says about the person whom an access token is of (OpenID Connect Core section 5.3).

use http::{HeaderValue, Request, header};
use serde_json::{Map, Value};

use super::{Endpoint, Member};
use crate::{
    error::{Error, Violation},
    secret::Secret,
};

impl Endpoint {
    /// The claims of the userinfo endpoint, asked once. Whose they are has still to be compared.
    pub(crate) async fn userinfo(
        &self,
        access_token: &Secret,
    ) -> Result<Map<String, Value>, Error> {
        let transport = &self.transport;
        let how = self.unforced(true);
        let metadata = self
            .discovery
            .metadata(transport, how, Member::Userinfo)
            .await?;
        let problem = |problem: String| Error::protocol(None, Violation::Reply(problem));
        let endpoint = metadata
            .userinfo_endpoint
            .as_ref()
            .ok_or_else(|| problem("there is no userinfo_endpoint".to_owned()))?;
        let bearer = format!("Bearer {}", access_token.expose());
        let mut bearer = HeaderValue::try_from(bearer)
            .map_err(|_unshown| problem("its access token fits no header".to_owned()))?;
        bearer.set_sensitive(true);
        let request = Request::get(endpoint.as_str())
            .header(header::AUTHORIZATION, bearer)
            .header(header::ACCEPT, "application/json")
            .body(Vec::new())
            .map_err(|_unshown| problem("the userinfo_endpoint cannot be asked".to_owned()))?;
        let answer = transport.send(request, USERINFO_LIMIT).await?;
        answer
            .success_object()
            .map_err(|found| problem(format!("the userinfo endpoint's answer: {found}")))
    }
}

/// A page about a person is never larger than this (in bytes).
const USERINFO_LIMIT: usize = 64 * 1024;
