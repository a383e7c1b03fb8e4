//! How long files and functions are. Over a mark is a question to answer, not an error.

use std::path::Path;

use anyhow::Result;

use crate::source::words::{closing, text_at};
use crate::source::{self, Source};
use crate::steps::Outcome;

/// Without the file's tests; beyond it a reader scrolls more than reads.
const FILE_LINES: usize = 300;

/// Beyond it a function no longer fits on one screen.
const FUNCTION_LINES: usize = 40;

/// Prints what is over a mark, the longest first.
pub(crate) fn print(root: &Path) -> Result<Outcome> {
    let mut rows = Vec::new();
    for folder in ["src", "crates", "examples"] {
        let sources = source::read(root, folder)?;
        rows.extend(
            sources
                .iter()
                .filter(|source| !source.path.contains("/tests/"))
                .flat_map(over_marks),
        );
    }
    rows.sort_by(|(one, _), (other, _)| other.cmp(one));
    for (lines, what) in &rows {
        println!("{lines:>5} lines: {what}");
    }
    println!(
        "{} over a mark ({FILE_LINES} lines a file, {FUNCTION_LINES} a function)",
        rows.len()
    );
    Ok(Outcome::Passed)
}

fn over_marks(source: &Source) -> Vec<(usize, String)> {
    let mut rows = Vec::new();
    if source.lines > FILE_LINES {
        rows.push((source.lines, source.path.clone()));
    }
    for (name, line, lines) in functions(source) {
        if lines > FUNCTION_LINES {
            rows.push((lines, format!("{}:{line} fn {name}", source.path)));
        }
    }
    rows
}

/// Name, line and length of every function that has a body.
fn functions(source: &Source) -> Vec<(&str, usize, usize)> {
    let words = &source.words;
    let mut functions = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let name = text_at(words, at + 1);
        if word.text != "fn" || name.is_empty() || name == "(" {
            continue;
        }
        let mut end = at + 2;
        while !["{", ";", ""].contains(&text_at(words, end)) {
            let is_bracket = ["(", "["].contains(&text_at(words, end));
            end = if is_bracket { closing(words, end) } else { end } + 1;
        }
        if text_at(words, end) == "{" {
            let last = words[closing(words, end)].line;
            functions.push((name, word.line, last - word.line + 1));
        }
    }
    functions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_measured_from_its_name_to_its_last_brace() {
        let source = Source::parse(
            "src/a.rs",
            "trait A {\n  fn a(&self, b: [u8; 4]) -> [u8; 2];\n  fn b(&self)\n  {\n    {}\n  }\n}",
        );
        assert_eq!(functions(&source), [("b", 3, 4)]);
    }

    #[test]
    fn only_what_is_over_a_mark_is_named() {
        let function = |lines: usize| format!("fn a() {{\n{}}}\n", "b;\n".repeat(lines - 2));
        assert_eq!(over_marks(&Source::parse("src/a.rs", &function(40))), []);
        let long = over_marks(&Source::parse("src/a.rs", &function(301)));
        assert_eq!(
            long,
            [
                (301, "src/a.rs".to_owned()),
                (301, "src/a.rs:1 fn a".to_owned())
            ]
        );
    }
}
