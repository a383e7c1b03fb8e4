//! Rust text as a list of words, without comments and literals.

/// An identifier, a number, `::`, or any other single character.
pub(crate) struct Word {
    pub(crate) text: String,
    /// Counted from 1.
    pub(crate) line: usize,
}

/// The words of a text, in order.
pub(crate) fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let skipped = blank_length(rest);
        let length = if skipped > 0 {
            skipped
        } else {
            word_length(rest, first)
        };
        let (done, tail) = rest.split_at(length);
        if skipped == 0 {
            words.push(Word {
                text: done.to_owned(),
                line,
            });
        }
        line += done.matches('\n').count();
        rest = tail;
    }
    words
}

/// The text of the word at this place; empty past the end.
pub(crate) fn text_at(words: &[Word], at: usize) -> &str {
    words.get(at).map_or("", |word| &word.text)
}

/// The place of the bracket that closes the one at `open`, or of the last word.
pub(crate) fn closing(words: &[Word], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, word) in words.iter().enumerate().skip(open) {
        match word.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    words.len().saturating_sub(1)
}

fn word_length(rest: &str, first: char) -> usize {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    if is_part(first) {
        rest.find(|character| !is_part(character))
            .unwrap_or(rest.len())
    } else if rest.starts_with("::") {
        2
    } else {
        first.len_utf8()
    }
}

/// The length of the white space, comment or literal that starts here; 0 where a word starts.
fn blank_length(rest: &str) -> usize {
    let solid = rest.trim_start();
    if solid.len() < rest.len() {
        rest.len() - solid.len()
    } else if rest.starts_with("//") {
        rest.find('\n').unwrap_or(rest.len())
    } else if rest.starts_with("/*") {
        block_comment_length(rest)
    } else {
        literal_length(rest)
    }
}

/// Block comments nest.
fn block_comment_length(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        let opens = here.starts_with(b"/*");
        let closes = here.starts_with(b"*/");
        at += if opens || closes { 2 } else { 1 };
        if opens {
            depth += 1;
        } else if closes {
            depth -= 1;
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn literal_length(rest: &str) -> usize {
    for prefix in ["r", "br", "cr"] {
        let Some(after) = rest.strip_prefix(prefix) else {
            continue;
        };
        let body = after.trim_start_matches('#');
        let hashes = after.len() - body.len();
        if let Some(body) = body.strip_prefix('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let length = body.find(&end).map_or(body.len(), |at| at + end.len());
            return prefix.len() + hashes + 1 + length;
        }
    }
    for prefix in ["", "b", "c"] {
        let Some(after) = rest.strip_prefix(prefix) else {
            continue;
        };
        let length = if after.starts_with('"') {
            quoted_length(after)
        } else {
            character_length(after)
        };
        if length > 0 {
            return prefix.len() + length;
        }
    }
    0
}

/// `'a'` and `'\n'` have a length, the lifetime `'a` has none.
fn character_length(rest: &str) -> usize {
    let mut characters = rest.chars();
    let opens = characters.next() == Some('\'');
    match (opens, characters.next(), characters.next()) {
        (true, Some('\\'), _) => quoted_length(rest),
        (true, Some(one), Some('\'')) => one.len_utf8() + 2,
        _ => 0,
    }
}

/// From a quote to the same quote, passing escaped ones.
fn quoted_length(rest: &str) -> usize {
    let quote = rest.chars().next();
    let mut is_escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        if is_escaped {
            is_escaped = false;
        } else if character == '\\' {
            is_escaped = true;
        } else if Some(character) == quote {
            return at + 1;
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(source: &str) -> String {
        let words: Vec<String> = words(source).into_iter().map(|word| word.text).collect();
        words.join(" ")
    }

    #[test]
    fn comments_and_literals_are_no_words() {
        assert_eq!(text("a // b\n/* c /* d */ e */ f::g /// h"), "a f :: g");
        assert_eq!(
            text(r##"a("b \" c", r#"d " e"#, b"f", '"', '\'', b'g') h"##),
            "a ( , , , , , ) h"
        );
        assert_eq!(
            text("fn a<'b>(c: &'b str)"),
            "fn a < ' b > ( c : & ' b str )"
        );
    }

    #[test]
    fn a_word_knows_its_line() {
        let lines: Vec<usize> = words("a\n\"x\ny\"\nb")
            .iter()
            .map(|word| word.line)
            .collect();
        assert_eq!(lines, [1, 4]);
    }
}
