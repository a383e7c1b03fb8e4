//! Rust files as the checks need them: a list of words, without comments, literals and tests.

pub(crate) mod words;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use self::words::{Word, closing, text_at, words};

/// A file without its `#[cfg(test)]` modules.
pub(crate) struct Source {
    /// From the root of the repository, with `/` on every system.
    pub(crate) path: String,
    pub(crate) words: Vec<Word>,
    /// Lines of the file outside its test modules.
    pub(crate) lines: usize,
    /// Files that a `#[cfg(test)] mod name;` here names, without `.rs`.
    test_files: Vec<String>,
}

impl Source {
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let mut source = Self {
            path: path.to_owned(),
            words: Vec::new(),
            lines: text.lines().count(),
            test_files: Vec::new(),
        };
        let mut words = words(text);
        let mut at = 0;
        while at < words.len() {
            let Some(module) = test_module(&words, at) else {
                at += 1;
                continue;
            };
            source.lines -= words[module.end].line - words[at].line + 1;
            if text_at(&words, module.end) == ";" {
                source
                    .test_files
                    .push(format!("{}/{}", children(path), words[module.name].text));
            }
            words.drain(at..=module.end);
        }
        source.words = words;
        source
    }
}

/// Every Rust file under `folder`, in order, without those that only tests see.
pub(crate) fn read(root: &Path, folder: &str) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    collect(root, folder, &mut sources)?;
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    let test_files: Vec<String> = sources
        .iter()
        .flat_map(|source| source.test_files.clone())
        .collect();
    sources.retain(|source| {
        let is_under = |test_file: &String| {
            let rest = source.path.strip_prefix(test_file.as_str());
            rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        };
        !test_files.iter().any(is_under)
    });
    Ok(sources)
}

fn collect(root: &Path, folder: &str, sources: &mut Vec<Source>) -> Result<()> {
    let Ok(entries) = fs::read_dir(root.join(folder)) else {
        return Ok(()); // A folder that is not there holds no files.
    };
    for entry in entries {
        let entry = entry?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(root, &path, sources)?;
        } else if entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "rs")
        {
            let text = fs::read_to_string(entry.path()).with_context(|| path.clone())?;
            sources.push(Source::parse(&path, &text));
        }
    }
    Ok(())
}

struct TestModule {
    name: usize,
    /// Its closing brace, or the semicolon of `mod name;`.
    end: usize,
}

/// The module that the attribute at this place keeps out of everything but tests.
fn test_module(words: &[Word], at: usize) -> Option<TestModule> {
    let is_attribute = |at| text_at(words, at) == "#" && text_at(words, at + 1) == "[";
    if !is_attribute(at) || text_at(words, at + 2) != "cfg" {
        return None;
    }
    let mut end = closing(words, at + 1);
    let condition = &words[at + 3..end];
    let names = |name: &str| condition.iter().any(|word| word.text == name);
    if !names("test") || names("not") {
        return None;
    }
    while is_attribute(end + 1) {
        end = closing(words, end + 2);
    }
    let is_visibility = |text: &str| ["pub", "(", "crate", "super", ")"].contains(&text);
    let keyword = (end + 1..words.len()).find(|at| !is_visibility(text_at(words, *at)))?;
    if text_at(words, keyword) != "mod" {
        return None;
    }
    let after = keyword + 2;
    let end = if text_at(words, after) == "{" {
        closing(words, after)
    } else {
        after
    };
    (end < words.len()).then_some(TestModule {
        name: keyword + 1,
        end,
    })
}

/// The folder in which a file's modules are.
fn children(path: &str) -> &str {
    let (folder, file) = path.rsplit_once('/').unwrap_or((".", path));
    if ["lib.rs", "main.rs", "mod.rs"].contains(&file) {
        folder
    } else {
        path.trim_end_matches(".rs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_modules_are_left_out_of_words_and_lines() {
        let source = Source::parse(
            "src/a.rs",
            "fn a() {}\n#[cfg(test)]\n#[allow(x)]\npub(crate) mod tests {\n    fn b() {}\n}\n#[cfg(not(test))]\nmod c {}\n",
        );
        assert_eq!(source.lines, 3);
        assert!(!source.words.iter().any(|word| word.text == "b"));
        assert!(source.words.iter().any(|word| word.text == "c"));
    }

    #[test]
    fn a_test_module_in_its_own_file_is_known_by_its_place() {
        assert_eq!(
            Source::parse("src/a.rs", "#[cfg(test)] mod b;").test_files,
            ["src/a/b"]
        );
        assert_eq!(
            Source::parse("src/lib.rs", "#[cfg(test)] mod b;").test_files,
            ["src/b"]
        );
    }
}
