//! Which room of the SDK may use which foreign part: each stands behind one room, which can replace it.

use super::rooms::Layout;
use crate::source::{Source, words::text_at};

/// A crate, and the rooms that may name it.
const PARTS: [(&str, &[&str]); 12] = [
    ("aws_lc_rs", &["jwt"]),
    ("axum", &["http", "resource_server"]),
    ("etcetera", &["store"]),
    ("moka", &["slot"]),
    ("oauth2", &["endpoint", "login"]),
    ("papaya", &["cache", "session"]),
    ("qrcode", &["login"]),
    ("reqwest", &["endpoint", "http", "login"]),
    ("sha2", &["store"]),
    ("tempfile", &["store"]),
    ("tower_layer", &["http", "resource_server"]),
    ("tower_service", &["http", "resource_server"]),
];

/// What is wrong, one line each.
pub(crate) fn findings(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        let room = Layout::SDK.room_of(&source.path);
        for (at, word) in source.words.iter().enumerate() {
            let starts_path = text_at(&source.words, at + 1) == "::"
                && (at == 0 || text_at(&source.words, at - 1) != "::");
            let part = PARTS.iter().find(|(part, _)| word.text == *part);
            if let Some((part, rooms)) = part
                && starts_path
                && !rooms.contains(&room)
            {
                let rooms = rooms.join(" and ");
                findings.push(format!(
                    "{}:{}: {room} uses {part}, which stands behind {rooms}",
                    source.path, word.line
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str) -> Vec<String> {
        findings(&[Source::parse(path, text)])
    }

    #[test]
    fn a_part_outside_of_its_room_is_found() {
        let found = check("src/flow.rs", "use oauth2::TokenResponse;");
        assert_eq!(
            found,
            ["src/flow.rs:1: flow uses oauth2, which stands behind endpoint and login"]
        );
        assert_eq!(
            check("src/client.rs", "fn a() -> reqwest::Client {}").len(),
            1
        );
    }

    #[test]
    fn a_part_in_its_room_or_in_words_alone_is_not() {
        assert!(check("src/endpoint/wire.rs", "use oauth2::HttpResponse;").is_empty());
        assert!(check("src/slot/eviction.rs", "use moka::sync::Cache;").is_empty());
        assert!(check("src/lib.rs", "//! Not reqwest::Client.\nlet moka = 1;").is_empty());
    }
}
