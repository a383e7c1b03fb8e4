//! Calls to an API: the token goes where it may, and the answer is understood.

mod answers;
mod apis;
mod bodies;
mod discovery;
mod grpc;
mod layer;
mod middleware;
mod redirects;
mod send;

pub(super) const STALE: &str = r#"Bearer error="invalid_token""#;
pub(super) const NARROW: &str = r#"Bearer error="insufficient_scope", scope="read write""#;
pub(super) const WEAK: &str =
    r#"Bearer error="insufficient_user_authentication", acr_values="AAL2", max_age=300"#;
