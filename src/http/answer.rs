//! An error as the answer of a back end.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};

use crate::error::Error;

/// [`Error::suggested_status`], `Retry-After`, and the error's kind: nothing else of it.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "error": self.kind() }).to_string();
        let mut response = http::Response::new(Body::from(body));
        *response.status_mut() = self.suggested_status();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Self::Unavailable(unavailable) = &self {
            let wait = unavailable.retry_after();
            // Rounded up: too early would be in vain.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
