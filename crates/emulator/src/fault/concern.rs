//! Which requests a fault is about.

use super::Fault;
use super::action::{Action, ReplyBody};
use crate::routes::Endpoint;

impl Fault {
    /// The body that goes with [`status`](Self::status); without effect on other faults.
    #[must_use]
    pub fn body(mut self, reply: ReplyBody) -> Self {
        if let Action::Status { body, .. } = &mut self.action {
            *body = reply;
        }
        self
    }

    /// Only at this endpoint.
    #[must_use]
    pub fn at(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// Only for this client id.
    #[must_use]
    pub fn application(mut self, id: impl Into<String>) -> Self {
        self.application = Some(id.into());
        self
    }

    /// Only for requests that name this audience.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Only for token requests with this `grant_type`: `refresh_token`, `authorization_code`.
    #[must_use]
    pub fn grant(mut self, grant_type: impl Into<String>) -> Self {
        self.grant_type = Some(grant_type.into());
        self
    }

    /// Only for the next so many requests that fit.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }
}
