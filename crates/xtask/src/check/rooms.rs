//! Which room of a crate may use which: `use crate::` points downward.
//!
//! A room is a module of the crate root with all that is below it: `src/cache/slot.rs` is in the
//! room `cache`. `ARCHITECTURE.md` says why the rooms stand in this order, and names them in it.

use std::collections::BTreeSet;

use super::paths::paths;
use crate::source::Source;

/// A crate whose rooms have an order.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// The folder of the crate root, with `/`.
    pub(super) root: &'static str,
    /// The heading in `ARCHITECTURE.md` above the drawing of the rooms.
    pub(super) heading: &'static str,
    /// The rooms from top to bottom. Those on one line do not use each other, except for `mixed`.
    pub(super) order: &'static [&'static [&'static str]],
    /// The line whose rooms may use each other as long as no circle comes of it.
    pub(super) mixed: &'static [&'static str],
    /// Rooms that show the whole crate: they may use all of it, and no room uses them.
    pub(super) free: &'static [&'static str],
    /// Rooms whose files still form circles. To be emptied.
    pub(super) with_circles: &'static [&'static str],
    /// A rule beyond the order: which path from a room is refused, and why.
    pub(super) refuses: fn(&Self, from: &str, path: &[String]) -> Option<&'static str>,
}

impl Layout {
    pub(super) const SDK: Self = Self {
        root: "src/",
        heading: "## The rooms of the SDK",
        order: &[
            &["client", "resource_server"],
            &["http"],
            &["cache", "login"],
            &["flow"],
            &["session"],
            &["slot"],
            &["endpoint", "store"],
            &["request", "refusal", "token", "jwt", "dialect", "source"],
            &["error"],
            &["account", "scope", "secret", "time"],
        ],
        mixed: &["request", "refusal", "token", "jwt", "dialect", "source"],
        free: &["guide", "lib", "test_util"],
        with_circles: &[
            "client",
            "endpoint",
            "error",
            "jwt",
            "login",
            "resource_server",
            "session",
            "store",
            "time",
        ],
        refuses: upper_rooms_of_resource_server,
    };

    pub(super) const EMULATOR: Self = Self {
        root: "crates/emulator/src/",
        heading: "## The rooms of the emulator",
        order: &[
            &["emulator"],
            &["server"],
            &["pipeline"],
            &["endpoint", "interaction", "admin"],
            &["login", "exchange"],
            &["tenant"],
            &["policy", "fault", "page"],
            &["person", "form", "reply"],
            &["requests", "refusal", "sample"],
            &["audit", "config"],
            &[
                "clock", "host", "keys", "random", "redact", "routes", "secret",
            ],
        ],
        mixed: &[],
        free: &["bin", "lib"],
        with_circles: &[],
        refuses: |_, _, _| None,
    };

    /// The room of a file, by its path from the root of the repository.
    pub(super) fn room_of<'p>(&self, path: &'p str) -> &'p str {
        let inside = path.strip_prefix(self.root).unwrap_or(path);
        let first = inside.split('/').next().unwrap_or(inside);
        first.trim_end_matches(".rs")
    }

    pub(super) fn is_free(&self, room: &str) -> bool {
        self.free.contains(&room)
    }

    /// 0 is the top.
    fn rank(&self, room: &str) -> Option<usize> {
        self.order.iter().position(|line| line.contains(&room))
    }

    fn order(&self) -> String {
        let lines: Vec<String> = self.order.iter().map(|line| line.join(", ")).collect();
        lines.join(" → ")
    }
}

/// This file, which has the lists that a finding may ask to change.
pub(super) const FILE: &str = file!();

/// What is wrong with the arrows between rooms, one line each.
pub(super) fn findings(layout: &Layout, sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut arrows = Vec::new();
    for source in sources {
        let room = layout.room_of(&source.path);
        if layout.is_free(room) {
            continue;
        }
        if layout.rank(room).is_none() {
            findings.push(format!("{}: {}", source.path, unknown(room)));
            continue;
        }
        for path in paths(source, layout.root) {
            let arrow = Arrow {
                from: room,
                path: path.parts,
                place: format!("{}:{}", source.path, path.line),
            };
            match judge(layout, &arrow) {
                Ok(()) => arrows.push(arrow),
                Err(problem) => findings.push(format!("{}: {problem}", arrow.place)),
            }
        }
    }
    findings.extend(circles(layout, &arrows));
    findings
}

/// What is wrong with the drawing of the rooms in the text of `ARCHITECTURE.md`: it has their order.
pub(super) fn drawing_findings(layout: &Layout, architecture: &str) -> Vec<String> {
    let rooms = layout.order.concat();
    let drawn: Vec<&str> = architecture
        .split(layout.heading)
        .nth(1)
        .and_then(|text| text.split("```text\n").nth(1)?.split("\n```").next())
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.starts_with(' '))
        .flat_map(|line| line.split("   ").next().unwrap_or(line).split_whitespace())
        .collect();
    if drawn == rooms {
        return Vec::new();
    }
    vec![format!(
        "ARCHITECTURE.md, {}: draws {}, but the order is {}",
        layout.heading,
        drawn.join(", "),
        layout.order()
    )]
}

/// One path that leads from a room to a module of the crate.
struct Arrow<'a> {
    from: &'a str,
    /// What follows `crate::`.
    path: Vec<String>,
    /// File and line.
    place: String,
}

impl Arrow<'_> {
    /// The room that is used; `*` where all of the crate root is.
    fn to(&self) -> &str {
        self.path.first().map_or("*", String::as_str)
    }
}

fn judge(layout: &Layout, arrow: &Arrow<'_>) -> Result<(), String> {
    let (from, to) = (arrow.from, arrow.to());
    if to == "*" || to.starts_with(char::is_uppercase) {
        return Err(format!(
            "`crate::{to}` goes through the front door: name the room it is in"
        ));
    }
    if from == to {
        return Ok(());
    }
    if layout.is_free(to) {
        return Err(format!(
            "{from} uses {to}, which is written for readers: no room uses it"
        ));
    }
    let Some((from_rank, to_rank)) = layout.rank(from).zip(layout.rank(to)) else {
        return Err(unknown(to));
    };
    let is_mixed = layout.mixed.contains(&from) && layout.mixed.contains(&to);
    if from_rank > to_rank {
        return Err(format!(
            "{from} uses {to}: an arrow upward (the order is {})",
            layout.order()
        ));
    }
    if from_rank == to_rank && !is_mixed {
        return Err(format!(
            "{from} uses {to}: these rooms stand side by side and stay apart"
        ));
    }
    if let Some(rule) = (layout.refuses)(layout, from, &arrow.path) {
        let path = arrow.path.join("::");
        return Err(format!("{from} uses {path}: {rule}"));
    }
    Ok(())
}

/// `resource_server` knows neither callers nor sessions.
fn upper_rooms_of_resource_server(
    layout: &Layout,
    from: &str,
    path: &[String],
) -> Option<&'static str> {
    let to = path.first()?;
    let is_keys = to == "endpoint" && path.get(1).is_some_and(|part| part == "keys");
    let is_refused = from == "resource_server" && !is_keys && layout.rank(to) < layout.rank("jwt");
    is_refused.then_some("of the upper rooms it may use `endpoint::keys` alone")
}

/// One line for each arrow between `mixed` rooms that can be followed back to its start.
fn circles(layout: &Layout, arrows: &[Arrow<'_>]) -> Vec<String> {
    let is_mixed = |arrow: &&Arrow<'_>| {
        arrow.from != arrow.to()
            && layout.mixed.contains(&arrow.from)
            && layout.mixed.contains(&arrow.to())
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

fn unknown(room: &str) -> String {
    format!(
        "`{room}` is not a room: give it its place in the order in {FILE} and in ARCHITECTURE.md"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<Source> = files
            .iter()
            .map(|(path, text)| Source::parse(path, text))
            .collect();
        findings(&Layout::SDK, &sources)
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
        fails("src/login.rs", "use crate::cache::Join;", 1, "stay apart");
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
            "no room uses it",
        );
    }

    #[test]
    fn a_new_room_needs_a_place() {
        fails(
            "src/client.rs",
            "use crate::attic::Box;",
            1,
            "`attic` is not a room",
        );
        let findings = check(&[("src/attic.rs", "")]);
        assert!(
            findings[0].contains("`attic` is not a room"),
            "{findings:?}"
        );
    }

    #[test]
    fn the_emulator_has_an_order_of_its_own() {
        let check = |path, text| findings(&Layout::EMULATOR, &[Source::parse(path, text)]);
        let path = "crates/emulator/src/policy/person.rs";
        assert_eq!(check(path, "use crate::person::Grant;"), [""; 0]);
        let found = check(path, "use crate::endpoint::Exchange;");
        assert_eq!(found.len(), 1);
        assert!(
            found[0].contains("policy uses endpoint: an arrow up"),
            "{found:?}"
        );
    }

    #[test]
    fn the_drawing_has_the_order_of_the_rooms() {
        let layout = Layout {
            heading: "## Rooms",
            order: &[&["a", "b"], &["c"]],
            ..Layout::SDK
        };
        let right = "```text\nx   y\n```\n## Rooms\n\n```text\na  b     the top\n         of it\nc   below\n```\n";
        assert_eq!(drawing_findings(&layout, right), [""; 0]);
        let wrong = right.replace("a  b", "b  a");
        let found = drawing_findings(&layout, &wrong);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].contains("draws b, a, c, but the order is a, b → c"),
            "{found:?}"
        );
        assert_eq!(drawing_findings(&layout, "").len(), 1);
    }
}
