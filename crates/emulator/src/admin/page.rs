//! Lists in pages: `cursor` and `limit` in the query, `meta.next_cursor` in the reply.

use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::answer::Rejection;
use crate::exchange::Exchange;
use crate::reply;

/// Which part of a list is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    start: usize,
    limit: usize,
}

impl Page {
    /// Reads `cursor` and `limit` from a query.
    pub(super) fn read(query: Option<&str>) -> Result<Self, Rejection> {
        let mut page = Self {
            start: 0,
            limit: DEFAULT_LIMIT,
        };
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match name.as_ref() {
                "cursor" => page.start = start_of(&value).ok_or_else(bad_cursor)?,
                "limit" => page.limit = limit(&value).ok_or_else(bad_limit)?,
                _ => {}
            }
        }
        Ok(page)
    }

    /// The reply with this part of a list.
    pub(super) fn answer(
        &self,
        items: impl ExactSizeIterator<Item = Value>,
        exchange: &Exchange,
    ) -> Response {
        let end = self.start.saturating_add(self.limit);
        let next = (end < items.len()).then(|| cursor_of(end));
        let part: Vec<Value> = items.skip(self.start).take(self.limit).collect();
        let meta = json!({
            "next_cursor": next,
            "limit": self.limit,
            "request_id": exchange.request_id,
        });
        reply::envelope_of(StatusCode::OK, part.into(), meta)
    }
}

fn limit(text: &str) -> Option<usize> {
    text.parse()
        .ok()
        .filter(|limit| (1..=MOST_LIMIT).contains(limit))
}

/// Opaque to clients: the place in a list that only grows.
fn cursor_of(start: usize) -> String {
    URL_SAFE_NO_PAD.encode(format!("after:{start}"))
}

fn start_of(cursor: &str) -> Option<usize> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    text.strip_prefix("after:")?.parse().ok()
}

fn bad_cursor() -> Rejection {
    Rejection::invalid("cursor", "is not a cursor of this list")
}

fn bad_limit() -> Rejection {
    Rejection::invalid("limit", format!("must be a number from 1 to {MOST_LIMIT}"))
}

/// As in the platform's sample.
const DEFAULT_LIMIT: usize = 50;

const MOST_LIMIT: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_the_place_it_stands_for() {
        assert_eq!(start_of(&cursor_of(7)), Some(7));
        for bad in ["", "7", "YWZ0ZXI6eA", "%%%"] {
            assert_eq!(start_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn limits_are_from_one_to_two_hundred() {
        for bad in ["limit=0", "limit=201", "limit=-1", "limit=x", "cursor=x"] {
            assert!(Page::read(Some(bad)).is_err(), "{bad}");
        }
        assert_eq!(
            Page::read(None).unwrap(),
            Page {
                start: 0,
                limit: 50
            }
        );
        assert_eq!(
            Page::read(Some("limit=3&x=y")).unwrap(),
            Page { start: 0, limit: 3 }
        );
    }
}
