//! Circles between the files of one room: of two files at least one can be read without the other.
//!
//! A file uses the file that defines what it names. A `pub use` of something further down is not a use by itself,
//! and what other files name through it counts where it is defined.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{Path, module_of, paths};
use super::rooms::Layout;
use crate::source::Source;

/// What is wrong, one line for each pair of files; a room that is exempt without need is named as well.
pub(super) fn findings(layout: &Layout, sources: &[Source]) -> Vec<String> {
    let modules = Modules::of(layout, sources);
    let arrows = modules.arrows();
    let mut rooms_with_circles = BTreeSet::new();
    let mut findings = Vec::new();
    for (&(from, to), line) in &arrows {
        if !reachable(&arrows, to).contains(from) {
            continue;
        }
        let room = layout.room_of(from);
        rooms_with_circles.insert(room);
        if !layout.with_circles.contains(&room) {
            findings.push(format!(
                "{from}:{line}: uses {to}, which leads back to it: a circle of files"
            ));
        }
    }
    for room in layout.with_circles {
        if !rooms_with_circles.contains(room) {
            findings.push(format!(
                "the files of {room} form no circle: take it off `with_circles` in {}",
                super::rooms::FILE
            ));
        }
    }
    findings
}

/// The files of a crate by their modules.
struct Modules<'a> {
    layout: &'a Layout,
    files: BTreeMap<Vec<String>, &'a str>,
    /// The paths of each file.
    paths: BTreeMap<&'a str, Vec<Path>>,
}

/// The two files of each arrow within a room, and the line where it starts.
type Arrows<'a> = BTreeMap<(&'a str, &'a str), usize>;

impl<'a> Modules<'a> {
    fn of(layout: &'a Layout, sources: &'a [Source]) -> Self {
        let is_inside = |source: &&Source| !layout.is_free(layout.room_of(&source.path));
        let mut files = BTreeMap::new();
        let mut all = BTreeMap::new();
        for source in sources.iter().filter(is_inside) {
            files.insert(module_of(&source.path, layout.root), source.path.as_str());
            all.insert(source.path.as_str(), paths(source, layout.root));
        }
        Self {
            layout,
            files,
            paths: all,
        }
    }

    fn arrows(&self) -> Arrows<'a> {
        let mut arrows = BTreeMap::new();
        for (&from, paths) in &self.paths {
            for path in paths {
                let Some(to) = self.file_of(&path.parts, MOST_REEXPORTS) else {
                    continue;
                };
                let is_same_room = self.layout.room_of(from) == self.layout.room_of(to);
                let below = to.strip_prefix(from.trim_end_matches(".rs"));
                let is_below = below.is_some_and(|rest| rest.starts_with('/'));
                let only_reexports = path.only_reexports && is_below;
                if from != to && is_same_room && !only_reexports {
                    arrows.entry((from, to)).or_insert(path.line);
                }
            }
        }
        arrows
    }

    /// The file that defines what a path names.
    fn file_of(&self, parts: &[String], reexports_left: usize) -> Option<&'a str> {
        let is_module = |length: &usize| self.files.contains_key(&parts[..*length]);
        let length = (1..=parts.len()).rev().find(is_module)?;
        let file = *self.files.get(&parts[..length])?;
        let Some(name) = parts.get(length) else {
            return Some(file);
        };
        let reexport = self.paths[file]
            .iter()
            .find(|path| path.is_import && path.name == *name && path.parts != *parts);
        let elsewhere = reexport.filter(|_| reexports_left > 0);
        elsewhere
            .and_then(|reexport| self.file_of(&reexport.parts, reexports_left - 1))
            .or(Some(file))
    }
}

fn reachable<'a>(arrows: &Arrows<'a>, from: &'a str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(file) = open.pop() {
        for &(_, to) in arrows.keys().filter(|(start, _)| *start == file) {
            if found.insert(to) {
                open.push(to);
            }
        }
    }
    found
}

/// How many `pub use` of `pub use` are followed: more than any code has, and an end for two that name each other.
const MOST_REEXPORTS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout {
        root: "src/",
        order: &[&["a"], &["b"]],
        mixed: &[],
        free: &["lib"],
        with_circles: &[],
        ..Layout::SDK
    };

    fn check(layout: &Layout, files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<Source> = files
            .iter()
            .map(|(path, text)| Source::parse(path, text))
            .collect();
        findings(layout, &sources)
    }

    #[test]
    fn two_files_that_use_each_other_are_found() {
        let found = check(
            &LAYOUT,
            &[
                ("src/a/one.rs", "\nuse super::two::Two;"),
                ("src/a/two.rs", "fn two() -> crate::a::one::One {}"),
            ],
        );
        assert_eq!(
            found,
            [
                "src/a/one.rs:2: uses src/a/two.rs, which leads back to it: a circle of files",
                "src/a/two.rs:1: uses src/a/one.rs, which leads back to it: a circle of files"
            ]
        );
    }

    #[test]
    fn a_circle_of_three_files_is_found_and_a_file_that_only_uses_it_is_not_named() {
        let found = check(
            &LAYOUT,
            &[
                ("src/a.rs", "mod one;\nfn a() { one::run() }"),
                ("src/a/one.rs", "use super::two::Two;"),
                ("src/a/two.rs", "use super::three::Three;"),
                ("src/a/three.rs", "use super::one::One;"),
            ],
        );
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found.iter().all(|line| !line.starts_with("src/a.rs")));
    }

    #[test]
    fn a_parent_that_only_reexports_a_child_is_not_part_of_a_circle() {
        let parent = "mod one;\nmod two;\npub(crate) use self::one::One;\nstruct Parent;";
        let child = ("src/a/one.rs", "use super::Parent;");
        assert_eq!(check(&LAYOUT, &[("src/a.rs", parent), child]), [""; 0]);
        let used = format!("{parent}\nuse self::two::Two;");
        let two = ("src/a/two.rs", "use super::One;");
        assert_eq!(check(&LAYOUT, &[("src/a.rs", &used), child, two]).len(), 3);
    }

    #[test]
    fn a_parent_that_names_what_it_reexports_uses_it() {
        let parent = "mod one;\npub(crate) use self::one::One;\nstruct Parent(One);";
        let child = ("src/a/one.rs", "use super::Parent;");
        assert_eq!(check(&LAYOUT, &[("src/a.rs", parent), child]).len(), 2);
    }

    #[test]
    fn a_name_is_followed_to_where_it_is_defined() {
        let parent =
            "mod one;\nmod two;\npub(crate) use self::one::One;\npub(crate) use self::two::Two;";
        let one = ("src/a/one.rs", "use super::Two;");
        let two = ("src/a/two.rs", "struct Two;");
        assert_eq!(check(&LAYOUT, &[("src/a.rs", parent), one, two]), [""; 0]);
        let two = ("src/a/two.rs", "use super::One as Other;");
        assert_eq!(check(&LAYOUT, &[("src/a.rs", parent), one, two]).len(), 2);
    }

    #[test]
    fn tests_may_look_up() {
        let parent = "mod one;\nuse self::one::One;";
        let child = "#[cfg(test)]\nmod tests { use super::super::Parent; }";
        let files = [("src/a.rs", parent), ("src/a/one.rs", child)];
        assert_eq!(check(&LAYOUT, &files), [""; 0]);
    }

    #[test]
    fn a_room_on_the_list_is_exempt_as_long_as_it_needs_to_be() {
        let layout = Layout {
            with_circles: &["a"],
            ..LAYOUT
        };
        let one = ("src/a/one.rs", "use super::two::Two;");
        let two = ("src/a/two.rs", "use super::one::One;");
        assert_eq!(check(&layout, &[one, two]), [""; 0]);
        let found = check(&layout, &[one]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("take it off"), "{found:?}");
    }
}
