//! The replies of the admin API: the platform's envelopes, and who is behind a change.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::audit::AuditParty;
use crate::exchange::Exchange;
use crate::reply;
use crate::tenant::{By, ChangeError};

/// Why the admin API says no, in the platform's envelope.
#[derive(Debug)]
pub(super) struct Rejection {
    status: StatusCode,
    code: &'static str,
    message: String,
    details: Value,
}

/// The administrator behind the admin token.
pub(super) fn by(exchange: &Exchange) -> By {
    By {
        actor: AuditParty::new("admin", "admin"),
        context: exchange.audit_context(),
    }
}

/// The success envelope, or the error envelope.
pub(super) fn answer(
    exchange: &Exchange,
    status: StatusCode,
    result: Result<Value, Rejection>,
) -> Response {
    let id = &exchange.request_id;
    match result {
        Ok(data) => reply::data(status, data, id),
        Err(rejection) => rejected(exchange, &rejection),
    }
}

pub(super) fn rejected(exchange: &Exchange, rejection: &Rejection) -> Response {
    let Rejection {
        status,
        code,
        message,
        details,
    } = rejection;
    reply::rest_error(
        *status,
        code,
        message,
        details.clone(),
        &exchange.request_id,
    )
}

impl Rejection {
    /// The body or the query cannot be read at all.
    pub(super) fn malformed(message: impl Into<String>) -> Self {
        let (status, code) = (StatusCode::BAD_REQUEST, "invalid_request");
        Self {
            status,
            code,
            message: message.into(),
            details: json!({}),
        }
    }

    /// One field cannot be accepted.
    pub(super) fn invalid(field: &str, message: impl Into<String>) -> Self {
        let (status, code) = (StatusCode::UNPROCESSABLE_ENTITY, "validation_failed");
        Self {
            status,
            code,
            message: message.into(),
            details: json!({ "field": field }),
        }
    }
}

impl From<ChangeError> for Rejection {
    fn from(error: ChangeError) -> Self {
        let message = error.to_string();
        let (status, code) = match error {
            ChangeError::Invalid { field, message } => return Self::invalid(&field, message),
            ChangeError::UnknownApplication(_)
            | ChangeError::UnknownUser(_)
            | ChangeError::UnknownSession(_) => (StatusCode::NOT_FOUND, "not_found"),
            ChangeError::Exists(_) => (StatusCode::CONFLICT, "already_exists"),
            ChangeError::NoSecret(_) => (StatusCode::CONFLICT, "no_secret"),
            ChangeError::Crypto => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        };
        Self {
            status,
            code,
            message,
            details: json!({}),
        }
    }
}
