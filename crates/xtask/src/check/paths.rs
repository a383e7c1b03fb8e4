//! Paths in Rust code that lead to other modules of the crate: by `crate::`, `super::`, `self::`, or by the
//! name of a module that the file declares.

use crate::source::Source;
use crate::source::words::{Word, text_at};

/// One path, as it reads from the crate root.
pub(super) struct Path {
    /// What follows `crate::`; empty for the crate root itself.
    pub(super) parts: Vec<String>,
    /// The name that it has in this file: its last part, or what stands behind `as`.
    pub(super) name: String,
    pub(super) line: usize,
    /// It stands in a `use`, so that its name can be found in this module.
    pub(super) is_import: bool,
    /// It stands in a `pub use`, or in one of a narrower visibility, and nothing else in this file names it.
    pub(super) only_reexports: bool,
}

/// The module of a file, as a path from the crate root. `root` is the folder of the crate root, with `/`.
pub(super) fn module_of(path: &str, root: &str) -> Vec<String> {
    let inside = path.strip_prefix(root).unwrap_or(path);
    let inside = inside.trim_end_matches(".rs").trim_end_matches("/mod");
    let is_root = ["lib", "main"].contains(&inside);
    let parts = inside.split('/').filter(|_| !is_root);
    parts.map(str::to_owned).collect()
}

/// Every path of a file that leads to a module of the crate, in order.
pub(super) fn paths(source: &Source, root: &str) -> Vec<Path> {
    let words = &source.words;
    let children = declared_modules(words);
    let mut scope = Scope::of(module_of(&source.path, root));
    let mut paths = Vec::new();
    for (at, word) in words.iter().enumerate() {
        scope.pass(words, at);
        let is_inside_use = scope.import.is_some_and(|start| start + 1 < at);
        if is_inside_use || is_inside_path(words, at) {
            continue;
        }
        let Some((prefix, start)) = base(words, at, &scope.module, &children) else {
            continue;
        };
        let first = paths.len();
        read_tree(words, start, &prefix, &mut paths);
        let is_public = scope.import.is_some_and(|start| is_public(words, start));
        for path in &mut paths[first..] {
            path.line = word.line;
            path.is_import = scope.import.is_some();
            path.only_reexports = is_public && !is_used_here(words, &path.name);
        }
    }
    paths
}

/// Where in a file a word stands.
struct Scope {
    /// The module, which may be one inside the file.
    module: Vec<String>,
    /// The open braces, and which of them are of a module.
    braces: Vec<bool>,
    /// The place of the `use` that is not over yet.
    import: Option<usize>,
}

impl Scope {
    fn of(module: Vec<String>) -> Self {
        Self {
            module,
            braces: Vec::new(),
            import: None,
        }
    }

    fn pass(&mut self, words: &[Word], at: usize) {
        match text_at(words, at) {
            "{" => {
                let is_module = at >= 2 && words[at - 2].text == "mod";
                if is_module {
                    self.module.push(words[at - 1].text.clone());
                }
                self.braces.push(is_module);
            }
            "}" => {
                let was_module = self.braces.pop().unwrap_or(false);
                self.module
                    .truncate(self.module.len() - usize::from(was_module));
            }
            "use" => self.import = Some(at),
            ";" => self.import = None,
            _ => {}
        }
    }
}

/// The names of `mod name;`.
fn declared_modules(words: &[Word]) -> Vec<&str> {
    let names = words.iter().enumerate().filter_map(|(at, word)| {
        let is_declared = word.text == "mod" && text_at(words, at + 2) == ";";
        is_declared.then(|| text_at(words, at + 1))
    });
    names.collect()
}

/// Behind `::`, or in `pub(in crate::room)`, which names a module without using it.
fn is_inside_path(words: &[Word], at: usize) -> bool {
    at > 0
        && (words[at - 1].text == "::"
            || (words[at - 1].text == "in" && at > 1 && words[at - 2].text == "("))
}

/// Where a path begins that starts at this place, and where its own names go on.
fn base(
    words: &[Word],
    at: usize,
    module: &[String],
    children: &[&str],
) -> Option<(Vec<String>, usize)> {
    if text_at(words, at + 1) != "::" {
        return None;
    }
    match text_at(words, at) {
        "crate" => Some((Vec::new(), at + 2)),
        "self" => Some((module.to_vec(), at + 2)),
        "super" => {
            let mut end = at;
            let mut prefix = module.to_vec();
            while text_at(words, end) == "super" && text_at(words, end + 1) == "::" {
                end += 2;
                prefix.pop();
            }
            Some((prefix, end))
        }
        name if children.contains(&name) => Some((module.to_vec(), at)),
        _ => None,
    }
}

fn is_public(words: &[Word], start: usize) -> bool {
    start > 0 && ["pub", ")"].contains(&words[start - 1].text.as_str())
}

/// Whether code outside of `use` has this name, other than as a field, a method or a part of a path.
fn is_used_here(words: &[Word], name: &str) -> bool {
    let mut is_inside_use = false;
    words.iter().enumerate().any(|(at, word)| {
        match word.text.as_str() {
            "use" => is_inside_use = true,
            ";" => is_inside_use = false,
            _ => {}
        }
        let before = if at == 0 { "" } else { text_at(words, at - 1) };
        let is_name = word.text == name
            && ![".", "::", "fn", "mod"].contains(&before)
            && text_at(words, at + 1) != ":";
        is_name && !is_inside_use
    })
}

/// Reads one tree of a `use` (or the path of an expression) and returns the place behind it.
fn read_tree(words: &[Word], start: usize, prefix: &[String], paths: &mut Vec<Path>) -> usize {
    let text = text_at(words, start);
    if text == "{" {
        let mut at = start + 1;
        while at < words.len() && words[at].text != "}" {
            at = read_tree(words, at, prefix, paths).max(at + 1);
        }
        return at + 1;
    }
    let is_name =
        text == "*" || text.starts_with(|first: char| first.is_alphabetic() || first == '_');
    let mut parts = prefix.to_vec();
    if is_name && text != "self" {
        parts.push(text.to_owned());
        if text_at(words, start + 1) == "::" {
            return read_tree(words, start + 2, &parts, paths);
        }
    }
    let is_renamed = text_at(words, start + 1) == "as";
    let name = if is_renamed {
        text_at(words, start + 2).to_owned()
    } else {
        parts.last().cloned().unwrap_or_default()
    };
    if text != "," {
        paths.push(Path {
            parts,
            name,
            line: 0,
            is_import: false,
            only_reexports: false,
        });
    }
    start + if is_renamed { 3 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn leads_to(path: &str, text: &str, expected: &[&str]) {
        let found = paths(&Source::parse(path, text), "src/");
        let found: Vec<String> = found.iter().map(|path| path.parts.join("::")).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_path_is_read_from_the_crate_root() {
        leads_to("src/a/b.rs", "use crate::c::D;", &["c::D"]);
        leads_to("src/a/b.rs", "use super::c::D;", &["a::c::D"]);
        leads_to("src/a/b.rs", "use super::super::c::D;", &["c::D"]);
        leads_to("src/a.rs", "pub use self::b::C;", &["a::b::C"]);
        leads_to("src/lib.rs", "pub use self::b::C;", &["b::C"]);
    }

    #[test]
    fn groups_names_and_turbofish_are_read() {
        leads_to(
            "src/a.rs",
            "use crate::b::{self, C as D, d::{E, F}};",
            &["b", "b::C", "b::d::E", "b::d::F"],
        );
        leads_to("src/a.rs", "fn a() { crate::b::c::<u8>(x) }", &["b::c"]);
    }

    #[test]
    fn a_declared_module_is_known_by_its_name_alone() {
        leads_to("src/a.rs", "mod b;\nfn c() { b::d(b.e) }", &["a::b::d"]);
        leads_to("src/a.rs", "fn c() { b::d() }", &[]);
        leads_to("src/a.rs", "mod b;\nuse x::{b::C};", &[]);
    }

    #[test]
    fn a_module_inside_the_file_is_one_step_down() {
        leads_to("src/a.rs", "mod b { use super::C; }", &["a::C"]);
        leads_to("src/a.rs", "mod b { use super::super::C; }", &["C"]);
    }

    #[test]
    fn a_public_use_only_reexports_unless_the_file_names_it() {
        let only_reexports = |text: &str| {
            let found = paths(&Source::parse("src/a.rs", text), "src/");
            found.iter().all(|path| path.only_reexports)
        };
        assert!(only_reexports(
            "pub(crate) use self::b::C;\nstruct D { C: u8 }\nfn e() { f.C(); g::C() }"
        ));
        assert!(!only_reexports("pub use self::b::C;\nfn d() -> C {}"));
        assert!(!only_reexports("use self::b::C;"));
    }

    #[test]
    fn a_visibility_is_no_path() {
        leads_to("src/a.rs", "pub(in crate::a) fn b() {}", &[]);
    }
}
