//! What an error that needs a person says about how to continue.

use crate::{
    dialect::TokenFamily,
    endpoint::Endpoint,
    error::{Asked, Error, Resume},
    scope::Scopes,
    session::{OpenSession, SignedIn},
};

/// Adds to an error that needs a person what it takes to continue; `signed_in` is what they have already.
pub(crate) async fn resumable(
    error: Error,
    endpoint: &Endpoint,
    open: &OpenSession,
    signed_in: Option<&SignedIn>,
    in_background: bool,
) -> Error {
    let Some((asked, _)) = error.person_needed() else {
        return error;
    };
    let is_per_audience = endpoint.dialect().token_family == TokenFamily::PerAudience;
    let covered = signed_in
        .into_iter()
        .flat_map(SignedIn::covered)
        .filter(|(audience, _)| !is_per_audience || *audience == asked.audience)
        .map(|(audience, scopes)| Asked { audience, scopes })
        .collect();
    let identity_scopes = signed_in.map(|signed_in| &*signed_in.identity_scopes);
    let found = endpoint.authorization_endpoint(in_background).await.ok();
    error.resumable(Resume {
        issuer: endpoint.issuer().to_owned(),
        client_id: endpoint.client_id().to_owned(),
        session: open.name().to_owned(),
        iss_parameter_supported: found.as_ref().is_some_and(|one| one.names_issuer),
        authorization_endpoint: found.and_then(|one| one.url),
        sign_in_scopes: endpoint.dialect().sign_in_scopes(),
        offline_needs_consent: endpoint.dialect().offline_needs_consent,
        audience_parameters: endpoint.dialect().audience_parameter.names(),
        covered,
        identity_scopes: Scopes::from_reply(identity_scopes.unwrap_or_default()),
    })
}
