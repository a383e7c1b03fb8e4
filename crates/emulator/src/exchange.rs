//! What goes with a request through the endpoints and the pages, and what is checked before all of them.

use axum::http::header::RETRY_AFTER;
use axum::response::Response;

use crate::audit::AuditContext;
use crate::config::{RetryHint, TenantState};
use crate::fault::Mint;
use crate::refusal::{Code, Refusal};
use crate::reply;
use crate::tenant::Tenant;

/// What the pipeline hands to every endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) request_id: String,
    pub(crate) user_agent: Option<String>,
    /// The name of the fault that applies to this request.
    pub(crate) fault: Option<String>,
    /// What that fault changes about the minted token.
    pub(crate) mint: Mint,
}

impl Exchange {
    pub(crate) fn audit_context(&self) -> AuditContext {
        AuditContext {
            request_id: Some(self.request_id.clone()),
            user_agent: self.user_agent.clone(),
        }
    }
}

/// Answers a refusal in the tenant's shape.
pub(crate) fn refused(tenant: &Tenant, exchange: &Exchange, refusal: &Refusal) -> Response {
    let shape = tenant.live().switches.oauth_error_shape;
    reply::refusal(refusal, shape, &exchange.request_id)
}

/// What is checked before every OAuth endpoint: the tenant's limit and its suspension.
pub(crate) fn admit(tenant: &Tenant) -> Result<(), Refusal> {
    if let Some(wait) = tenant.over_limit() {
        // Rounded up: a client that comes back then must be let in.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let refusal = Refusal::new(Code::RateLimited, "too many requests for this tenant");
        let hint = tenant.live().switches.retry_hint;
        return Err(match hint {
            RetryHint::Seconds => refusal.with_header(RETRY_AFTER, &seconds.to_string()),
            RetryHint::Date => {
                let at = tenant.now() + std::time::Duration::from_secs(seconds);
                refusal.with_header(RETRY_AFTER, &httpdate::fmt_http_date(at))
            }
            RetryHint::None => refusal,
        });
    }
    let state = tenant.live().switches.tenant_state;
    if state == TenantState::Suspended {
        return Err(Refusal::new(
            Code::TenantSuspended,
            "this tenant is suspended",
        ));
    }
    Ok(())
}
