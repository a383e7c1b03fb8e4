//! What no committed file may contain.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::source::words::{text_at, words};
use crate::tools;

/// Folders at the root of a file system that belong to a machine or a person.
const PRIVATE_FOLDERS: [&str; 3] = ["home", "root", "work"];

/// The only place that packages come from.
const CRATES_IO: &str = "\"registry+https://github.com/rust-lang/crates.io-index\"";

/// What is wrong in the files that git tracks, one line each.
pub(crate) fn findings(root: &Path) -> Result<Vec<String>> {
    tools::system("git", &["git"])?;
    let mut findings = Vec::new();
    for path in tracked(root)? {
        let Ok(bytes) = fs::read(root.join(&path)) else {
            continue; // Deleted, and not committed yet.
        };
        let Ok(text) = String::from_utf8(bytes) else {
            continue; // Not a text.
        };
        findings.extend(private_paths(&path, &text));
        if path.ends_with("package-lock.json") || path.ends_with("Cargo.lock") {
            findings.extend(foreign_sources(&path, &text));
        }
        if Path::new(&path)
            .extension()
            .is_some_and(|extension| extension == "rs")
        {
            findings.extend(ignored_tests(&path, &text));
        }
    }
    Ok(findings)
}

fn tracked(root: &Path) -> Result<Vec<String>> {
    let mut git = Command::new("git");
    // In a container the files often belong to another user, which git refuses unless told.
    git.current_dir(root)
        .args(["-c", "safe.directory=*", "ls-files", "-z"]);
    let output = git
        .output()
        .context("git lists the files to look at, and could not be started")?;
    if !output.status.success() {
        bail!(
            "git could not list the files: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let list =
        String::from_utf8(output.stdout).context("a tracked file has a name that is not UTF-8")?;
    Ok(list.split_terminator('\0').map(str::to_owned).collect())
}

/// A path of somebody's machine helps nobody else and tells who they are.
fn private_paths(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for folder in PRIVATE_FOLDERS {
            let pattern = format!("/{folder}/");
            if line
                .match_indices(&pattern)
                .any(|(at, _)| starts_a_path(&line[..at]))
            {
                findings.push(format!(
                    "{path}:{}: `{pattern}` is a path of one machine",
                    index + 1
                ));
            }
        }
    }
    findings
}

/// Not the middle of a longer path or of a web address.
fn starts_a_path(before: &str) -> bool {
    let is_part = |last: char| last.is_alphanumeric() || "._-~}>)*".contains(last);
    !before.ends_with(is_part)
}

/// A lock file says which packages and with which hashes, not where one machine fetched them.
fn foreign_sources(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().enumerate();
    let findings = lines.filter_map(|(index, line)| {
        let is_address = line.trim_start().starts_with("\"resolved\"");
        let source = line.strip_prefix("source = ");
        let problem = if is_address {
            "an address; set `omit-lockfile-registry-resolved=true` in .npmrc and write the file anew"
        } else if source.is_some_and(|source| source != CRATES_IO) {
            "a package that is not from crates.io"
        } else {
            return None;
        };
        Some(format!("{path}:{}: {problem}", index + 1))
    });
    findings.collect()
}

/// A test that does not run, or an example in the docs that is not compiled, proves nothing.
fn ignored_tests(path: &str, text: &str) -> Vec<String> {
    let words = words(text);
    let starts = (0..words.len()).filter(|at| {
        let found = ["#", "[", "ignore"];
        found
            .iter()
            .enumerate()
            .all(|(offset, word)| text_at(&words, at + offset) == *word)
    });
    let tests = starts.map(|at| words[at].line);
    let examples = text.lines().enumerate().filter(|(_, line)| {
        let fence = line
            .trim_start()
            .strip_prefix("//")
            .and_then(|comment| comment.split_once("```"));
        fence.is_some_and(|(_, flags)| {
            flags
                .split(',')
                .any(|flag| flag.trim().starts_with("ignore"))
        })
    });
    let lines = tests.chain(examples.map(|(index, _)| index + 1));
    lines
        .map(|line| format!("{path}:{line}: ignored; make it run or remove it"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_a_machine_are_found_and_web_addresses_are_not() {
        let found = |text: &str| private_paths("a.md", &text.replace('|', "/")).len();
        assert_eq!(found("see |home|alice|notes"), 1);
        assert_eq!(found("open(\"|root|x\")\nfile:||work|y"), 2);
        assert_eq!(found("https:||example.com|home|alice, target|work|y"), 0);
    }

    #[test]
    fn lock_files_name_no_download_address() {
        assert_eq!(
            foreign_sources(
                "package-lock.json",
                "{\n  \"resolved\": \"https://a.example/b.tgz\"\n}"
            )
            .len(),
            1
        );
        assert_eq!(
            foreign_sources("Cargo.lock", &format!("source = {CRATES_IO}")).len(),
            0
        );
        assert_eq!(
            foreign_sources("Cargo.lock", "source = \"git+https://a.example/b\"").len(),
            1
        );
    }

    #[test]
    fn ignored_tests_and_examples_are_found() {
        let found = |text: &str| ignored_tests("src/a.rs", text).len();
        assert_eq!(
            found("#[cfg(test)]\nmod tests {\n    #[ignore = \"slow\"]\n    fn a() {}\n}"),
            1
        );
        assert_eq!(found("/// ```rust,ignore\n/// a\n/// ```"), 1);
        assert_eq!(found("/// ```no_run\nfn ignore() {} // #[ignore]"), 0);
    }
}
