//! Which room of the SDK may use which: `use crate::` points downward.
//!
//! A room is a module of the crate root with all that is below it: `src/cache/slot.rs` is in the
//! room `cache`. `ARCHITECTURE.md` says why the rooms stand in this order.

use std::collections::BTreeSet;

use crate::source::Source;
use crate::source::words::{Word, text_at};

/// The rooms from top to bottom. Those on one line do not use each other, except for `MIXED`.
const ORDER: [&[&str]; 9] = [
    &["client", "resource_server"],
    &["http"],
    &["cache", "login"],
    &["flow"],
    &["session"],
    &["endpoint", "store"],
    MIXED,
    &["error"],
    &["account", "scope", "secret", "time"],
];

/// The line whose rooms may use each other as long as no circle comes of it.
const MIXED: &[&str] = &["request", "refusal", "token", "jwt", "dialect", "source"];

/// Rooms that show the whole crate: they may use all of it, and nobody uses them.
const FREE: [&str; 3] = ["guide", "lib", "test_util"];

/// What is wrong with the arrows between rooms, one line each.
pub(crate) fn findings(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut arrows = Vec::new();
    for source in sources {
        let room = room_of(&source.path);
        if FREE.contains(&room) {
            continue;
        }
        if rank(room).is_none() {
            findings.push(format!("{}: {}", source.path, unknown(room)));
            continue;
        }
        for arrow in arrows_of(source, room) {
            match judge(&arrow) {
                Ok(()) => arrows.push(arrow),
                Err(problem) => findings.push(format!("{}: {problem}", arrow.place)),
            }
        }
    }
    findings.extend(circles(&arrows));
    findings
}

/// One path that leads from a room through the crate root.
struct Arrow<'a> {
    from: &'a str,
    /// What follows `crate::`; never empty.
    path: Vec<String>,
    /// File and line.
    place: String,
}

impl Arrow<'_> {
    fn to(&self) -> &str {
        &self.path[0]
    }
}

fn judge(arrow: &Arrow<'_>) -> Result<(), String> {
    let (from, to) = (arrow.from, arrow.to());
    if to == "*" || to.starts_with(char::is_uppercase) {
        return Err(format!(
            "`crate::{to}` goes through the front door: name the room it is in"
        ));
    }
    if from == to {
        return Ok(());
    }
    if FREE.contains(&to) {
        return Err(format!(
            "{from} uses {to}, which is written for readers: nothing uses it"
        ));
    }
    let Some((from_rank, to_rank)) = rank(from).zip(rank(to)) else {
        return Err(unknown(to));
    };
    let is_mixed = MIXED.contains(&from) && MIXED.contains(&to);
    if from_rank > to_rank {
        return Err(format!(
            "{from} uses {to}: an arrow upward (the order is {})",
            order()
        ));
    }
    if from_rank == to_rank && !is_mixed {
        return Err(format!(
            "{from} uses {to}: these rooms stand side by side and stay apart"
        ));
    }
    if from == "resource_server" && !resource_server_may_use(arrow) {
        return Err(format!(
            "{from} uses {}: of the upper rooms it may use `endpoint::keys` alone",
            arrow.path.join("::")
        ));
    }
    Ok(())
}

/// The other end of the token knows neither callers nor sessions.
fn resource_server_may_use(arrow: &Arrow<'_>) -> bool {
    let is_keys = arrow.to() == "endpoint" && arrow.path.get(1).is_some_and(|part| part == "keys");
    is_keys || rank(arrow.to()) >= rank("jwt")
}

/// One line for each arrow between rooms of `MIXED` that can be followed back to its start.
fn circles(arrows: &[Arrow<'_>]) -> Vec<String> {
    let is_mixed = |arrow: &&Arrow<'_>| {
        arrow.from != arrow.to() && MIXED.contains(&arrow.from) && MIXED.contains(&arrow.to())
    };
    let mixed: Vec<&Arrow<'_>> = arrows.iter().filter(is_mixed).collect();
    let closes = |arrow: &&&Arrow<'_>| reachable(&mixed, arrow.to()).contains(arrow.from);
    let line = |arrow: &&Arrow<'_>| {
        format!(
            "{}: {} uses {}: part of a circle, neither is below the other",
            arrow.place,
            arrow.from,
            arrow.to()
        )
    };
    mixed.iter().filter(closes).map(line).collect()
}

fn reachable<'a>(arrows: &[&'a Arrow<'_>], from: &'a str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(room) = open.pop() {
        for arrow in arrows.iter().filter(|arrow| arrow.from == room) {
            if found.insert(arrow.to()) {
                open.push(arrow.to());
            }
        }
    }
    found
}

pub(super) fn room_of(path: &str) -> &str {
    let inside = path.trim_start_matches("src/");
    inside
        .split('/')
        .next()
        .unwrap_or(inside)
        .trim_end_matches(".rs")
}

/// 0 is the top.
fn rank(room: &str) -> Option<usize> {
    ORDER.iter().position(|line| line.contains(&room))
}

fn order() -> String {
    ORDER.map(|line| line.join(", ")).join(" → ")
}

fn unknown(room: &str) -> String {
    format!(
        "`{room}` is no room: give it its place in ORDER in {} and in ARCHITECTURE.md",
        file!()
    )
}

/// Every path of a file that starts at the crate root, by `crate::` or by enough `super::`.
fn arrows_of<'a>(source: &Source, from: &'a str) -> Vec<Arrow<'a>> {
    let words = &source.words;
    let mut arrows = Vec::new();
    let mut depth = source.path.trim_end_matches("/mod.rs").matches('/').count();
    let mut braces = Vec::new();
    for (at, word) in words.iter().enumerate() {
        match word.text.as_str() {
            "{" => {
                let is_module = at >= 2 && words[at - 2].text == "mod";
                depth += usize::from(is_module);
                braces.push(is_module);
            }
            "}" => depth -= usize::from(braces.pop().unwrap_or(false)),
            "crate" | "super" => {
                let mut paths = Vec::new();
                if let Some(start) = after_root(words, at, depth) {
                    read_paths(words, start, &[], &mut paths);
                }
                let place = format!("{}:{}", source.path, word.line);
                arrows.extend(paths.into_iter().map(|path| Arrow {
                    from,
                    path,
                    place: place.clone(),
                }));
            }
            _ => {}
        }
    }
    arrows
}

/// Where a path goes on that starts at this place, if it goes through the crate root.
fn after_root(words: &[Word], at: usize, depth: usize) -> Option<usize> {
    let is_inside_path = at > 0 && words[at - 1].text == "::";
    if is_inside_path {
        return None;
    }
    let mut end = at;
    let mut steps = 0;
    while text_at(words, end) == "super" && text_at(words, end + 1) == "::" {
        end += 2;
        steps += 1;
    }
    let is_root = if steps == 0 {
        text_at(words, at + 1) == "::"
    } else {
        steps >= depth
    };
    let start = if steps == 0 { at + 2 } else { end };
    is_root.then_some(start)
}

/// Reads one tree of a `use` (or the path of an expression) and returns the place behind it.
fn read_paths(
    words: &[Word],
    start: usize,
    prefix: &[String],
    paths: &mut Vec<Vec<String>>,
) -> usize {
    let text = text_at(words, start);
    if text == "{" {
        let mut at = start + 1;
        while at < words.len() && words[at].text != "}" {
            at = read_paths(words, at, prefix, paths).max(at + 1);
        }
        return at + 1;
    }
    let is_name =
        text == "*" || text.starts_with(|first: char| first.is_alphabetic() || first == '_');
    let mut path = prefix.to_vec();
    if is_name {
        path.push(text.to_owned());
        if text_at(words, start + 1) == "::" {
            return read_paths(words, start + 2, &path, paths);
        }
    }
    let is_separator = text == ",";
    if !path.is_empty() && !is_separator {
        paths.push(path);
    }
    let is_renamed = text_at(words, start + 1) == "as";
    start + if is_renamed { 3 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<Source> = files
            .iter()
            .map(|(path, text)| Source::parse(path, text))
            .collect();
        findings(&sources)
    }

    #[track_caller]
    fn passes(path: &str, text: &str) {
        assert_eq!(check(&[(path, text)]), [""; 0]);
    }

    /// Exactly one finding, at this line, with these words.
    #[track_caller]
    fn fails(path: &str, text: &str, line: usize, words: &str) {
        let findings = check(&[(path, text)]);
        assert_eq!(findings.len(), 1, "{findings:?}");
        let place = format!("{path}:{line}: ");
        assert!(
            findings[0].starts_with(&place) && findings[0].contains(words),
            "{findings:?}"
        );
    }

    #[test]
    fn arrows_downward_pass() {
        passes(
            "src/client/builder.rs",
            "use crate::cache::TokenCache;\nuse crate::time::Clock;",
        );
        passes(
            "src/flow.rs",
            "use crate::{endpoint::Endpoint, store::SessionStore};",
        );
        passes("src/error.rs", "use crate::scope::Scopes;");
    }

    #[test]
    fn arrows_upward_fail() {
        fails(
            "src/cache/slot.rs",
            "use crate::time::Clock;\nuse crate::client::Client;",
            2,
            "cache uses client: an arrow up",
        );
        fails(
            "src/scope.rs",
            "use crate::error::Error;",
            1,
            "scope uses error",
        );
    }

    #[test]
    fn groups_are_read_over_lines_and_to_any_depth() {
        let group = "use crate::{\n    error::{Error, Kind},\n    client::{self, builder::{Builder as B, X}},\n};";
        let findings = check(&[("src/cache.rs", group)]);
        assert_eq!(findings.len(), 3, "{findings:?}");
        assert!(
            findings
                .iter()
                .all(|finding| finding.starts_with("src/cache.rs:1: cache uses client"))
        );
    }

    #[test]
    fn paths_in_expressions_and_types_count() {
        fails(
            "src/token.rs",
            "fn a() -> crate::flow::Flow<u8> { b() }",
            1,
            "token uses flow",
        );
        fails(
            "src/token.rs",
            "fn a() {\n  crate::cache::get::<u8>(crate::time::now());\n}",
            2,
            "token uses cache",
        );
    }

    #[test]
    fn comments_strings_and_tests_are_exempt() {
        passes(
            "src/token.rs",
            "/// See [`crate::client::Client`].\nconst A: &str = \"crate::client\";",
        );
        passes(
            "src/token.rs",
            "#[cfg(test)]\nmod tests {\n    use crate::client::Client;\n}",
        );
    }

    #[test]
    fn the_front_door_is_refused_inside() {
        fails("src/cache.rs", "use crate::Error;", 1, "name the room");
        fails("src/cache.rs", "use crate::*;", 1, "name the room");
        fails(
            "src/cache.rs",
            "use crate::{time::Clock, Error};",
            1,
            "`crate::Error`",
        );
    }

    #[test]
    fn super_reaches_other_rooms_too() {
        fails(
            "src/cache/slot.rs",
            "use super::super::client::Client;",
            1,
            "cache uses client",
        );
        fails(
            "src/cache.rs",
            "use super::client::Client;",
            1,
            "cache uses client",
        );
        passes("src/cache/slot.rs", "use super::client::Client;");
        passes(
            "src/cache.rs",
            "mod inner { use super::Slot; }\nstruct Slot { at: u8 }",
        );
    }

    #[test]
    fn rooms_side_by_side_stay_apart() {
        fails("src/login.rs", "use crate::cache::Slot;", 1, "stay apart");
        fails(
            "src/store.rs",
            "use crate::endpoint::post;",
            1,
            "stay apart",
        );
    }

    #[test]
    fn requests_and_tokens_may_mix_without_a_circle() {
        passes("src/token.rs", "use crate::jwt::Claims;");
        let findings = check(&[
            ("src/token.rs", "use crate::jwt::Claims;"),
            ("src/jwt.rs", "use crate::dialect::Dialect;"),
            ("src/dialect.rs", "use crate::token::AccessToken;"),
            ("src/request.rs", "use crate::token::AccessToken;"),
        ]);
        assert_eq!(findings.len(), 3, "{findings:?}");
        assert!(findings.iter().all(|finding| finding.contains("circle")));
    }

    #[test]
    fn the_resource_server_sees_only_the_keys_above_jwt() {
        passes(
            "src/resource_server/layer.rs",
            "use crate::endpoint::keys::KeySource;\nuse crate::jwt::Compact;",
        );
        fails(
            "src/resource_server.rs",
            "use crate::endpoint::post;",
            1,
            "keys",
        );
        fails(
            "src/resource_server.rs",
            "use crate::cache::TokenCache;",
            1,
            "uses cache",
        );
        fails(
            "src/client.rs",
            "use crate::resource_server::Verifier;",
            1,
            "stay apart",
        );
    }

    #[test]
    fn the_front_page_and_the_guide_may_use_everything() {
        passes("src/lib.rs", "pub use crate::client::Client;");
        passes("src/guide/consent.rs", "use crate::Client;");
        fails(
            "src/client.rs",
            "use crate::guide::Defaults;",
            1,
            "nothing uses it",
        );
    }

    #[test]
    fn a_new_room_needs_a_place() {
        fails(
            "src/client.rs",
            "use crate::attic::Box;",
            1,
            "`attic` is no room",
        );
        let findings = check(&[("src/attic.rs", "")]);
        assert!(findings[0].contains("`attic` is no room"), "{findings:?}");
    }
}
