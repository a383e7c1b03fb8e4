//! Replies: OAuth's flat objects and the platform's envelopes.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use crate::config::ErrorShape;
use crate::refusal::Refusal;

/// A JSON reply.
pub(crate) fn json(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A reply of an OAuth endpoint that no cache may store (RFC 6749 section 5.1).
pub(crate) fn not_stored(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// A refusal in the shape that the tenant's switch asks for.
pub(crate) fn refusal(refusal: &Refusal, shape: ErrorShape, request_id: &str) -> Response {
    let body = error_body(
        shape,
        refusal.code.as_str(),
        &refusal.description,
        request_id,
    );
    let mut response = not_stored(json(refusal.code.status(), &body));
    for (name, value) in &refusal.headers {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response
}

/// An error body in one of the three shapes.
pub(crate) fn error_body(shape: ErrorShape, code: &str, text: &str, request_id: &str) -> Value {
    match shape {
        ErrorShape::Rfc6749 => json!({ "error": code, "error_description": text }),
        ErrorShape::Envelope => envelope(code, text, json!({}), request_id),
        ErrorShape::Both => {
            let mut body = envelope(code, text, json!({}), request_id);
            body["error_description"] = text.into();
            body
        }
    }
}

/// The platform's error envelope.
pub(crate) fn envelope(code: &str, message: &str, details: Value, request_id: &str) -> Value {
    let mut body = json!({ "error": code, "message": message, "request_id": request_id });
    body["details"] = details;
    body
}

/// An error of the REST API.
pub(crate) fn rest_error(
    status: StatusCode,
    code: &str,
    message: &str,
    details: Value,
    request_id: &str,
) -> Response {
    json(status, &envelope(code, message, details, request_id))
}

/// The platform's success envelope around one thing.
pub(crate) fn data(status: StatusCode, data: Value, request_id: &str) -> Response {
    envelope_of(status, data, json!({ "request_id": request_id }))
}

/// The platform's success envelope.
pub(crate) fn envelope_of(status: StatusCode, data: Value, meta: Value) -> Response {
    let mut body = json!({});
    body["data"] = data;
    body["meta"] = meta;
    json(status, &body)
}
