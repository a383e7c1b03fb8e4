//! What a fault does to a reply.

use std::time::{Duration, SystemTime};

use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::status::FinalStatus;
use super::torn::{Hangup, Torn};
use super::{Action, ReplyBody, RetryAfter};
use crate::clock::later;
use crate::config::ErrorShape;
use crate::reply;

/// A reply in place of the endpoint's, which then does nothing.
pub(crate) fn replace(action: &Action, now: SystemTime, request_id: &str) -> Option<Response> {
    let response = match action {
        Action::DropBefore => Hangup::response(),
        Action::Status { status, body } => made_up(*status, body, request_id),
        Action::Redirect { status, location } => {
            let response = made_up(*status, &ReplyBody::Empty, request_id);
            with_header(response, LOCATION, location)
        }
        Action::RateLimited { retry_after } => {
            let text = "too many requests for this tenant";
            let body = reply::error_body(ErrorShape::Both, "rate_limited", text, request_id);
            let response = reply::json(StatusCode::TOO_MANY_REQUESTS, &body);
            match retry_after_text(retry_after, now) {
                Some(text) => with_header(response, RETRY_AFTER, &text),
                None => response,
            }
        }
        _ => return None,
    };
    Some(response)
}

/// The endpoint's own reply, spoilt.
pub(crate) async fn alter(action: &Action, response: Response) -> Response {
    match action {
        Action::DropAfter => Hangup::response(),
        Action::TornBody => torn(response).await,
        Action::TruncatedJson => {
            let (response, bytes) = taken_apart(response).await;
            with_body(response, bytes.slice(..bytes.len() / 2))
        }
        Action::OversizedBody => {
            member(response, "padding", Some("x".repeat(OVERSIZE).into())).await
        }
        Action::MissingScope => member(response, "scope", None).await,
        Action::ExpiresIn { value } => member(response, "expires_in", Some(value.clone())).await,
        Action::MissingExpiresIn => member(response, "expires_in", None).await,
        Action::MissingTokenType => member(response, "token_type", None).await,
        Action::TokenType { value } => {
            member(response, "token_type", Some(value.as_str().into())).await
        }
        Action::Member { name, value } => member(response, name, Some(value.clone())).await,
        Action::WithoutMember { name } => member(response, name, None).await,
        Action::ContentType { value } => with_header(response, CONTENT_TYPE, value),
        _ => response,
    }
}

fn made_up(status: FinalStatus, body: &ReplyBody, request_id: &str) -> Response {
    let code = status.code();
    let (content_type, text) = match body {
        ReplyBody::Empty => (None, String::new()),
        ReplyBody::Html => (Some("text/html"), HTML.to_owned()),
        ReplyBody::Problem => {
            let title = code.canonical_reason().unwrap_or("Problem");
            let problem = json!({ "type": "about:blank", "title": title, "status": status });
            (Some("application/problem+json"), problem.to_string())
        }
        ReplyBody::Envelope { error, message } => {
            let body = reply::envelope(error, message, json!({}), request_id);
            (Some("application/json"), body.to_string())
        }
        ReplyBody::OAuth { error, description } => {
            let body = reply::error_body(ErrorShape::Rfc6749, error, description, request_id);
            (Some("application/json"), body.to_string())
        }
        ReplyBody::Raw { content_type, text } => (Some(content_type.as_str()), text.clone()),
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = code;
    match content_type {
        Some(content_type) => with_header(response, CONTENT_TYPE, content_type),
        None => response,
    }
}

fn retry_after_text(retry_after: &RetryAfter, now: SystemTime) -> Option<String> {
    match retry_after {
        RetryAfter::Missing => None,
        RetryAfter::Seconds(seconds) => Some(seconds.to_string()),
        RetryAfter::Date(seconds) => {
            let at = later(now, Duration::from_secs(*seconds));
            Some(httpdate::fmt_http_date(at))
        }
        RetryAfter::Raw(text) => Some(text.clone()),
    }
}

async fn torn(response: Response) -> Response {
    let (response, bytes) = taken_apart(response).await;
    let torn = Torn::new(bytes.slice(..bytes.len() / 2));
    let length = torn.promised().to_string();
    let response = response.map(|()| Body::new(torn));
    with_header(response, CONTENT_LENGTH, &length)
}

/// Sets or removes a member of a successful JSON object; other replies stay as they are.
async fn member(response: Response, name: &str, value: Option<Value>) -> Response {
    if !response.status().is_success() {
        return response;
    }
    let (response, bytes) = taken_apart(response).await;
    let Ok(Value::Object(mut object)) = serde_json::from_slice(&bytes) else {
        return with_body(response, bytes);
    };
    match value {
        Some(value) => object.insert(name.to_owned(), value),
        None => object.remove(name),
    };
    with_body(response, Value::Object(object).to_string().into())
}

async fn taken_apart(response: Response) -> (axum::http::Response<()>, Bytes) {
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    // Our own replies are complete in memory: reading them cannot fail.
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    (axum::http::Response::from_parts(parts, ()), bytes)
}

fn with_body(response: axum::http::Response<()>, bytes: Bytes) -> Response {
    response.map(|()| Body::from(bytes))
}

fn with_header(mut response: Response, name: HeaderName, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

const HTML: &str = "<!doctype html><title>Sorry</title><p>Something went wrong.</p>";

/// More than any client reads of a token reply (64 KiB) or of keys (256 KiB).
const OVERSIZE: usize = 1024 * 1024;
