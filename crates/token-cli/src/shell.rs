//! Command lines as a person types them.

/// The words as one line that a POSIX shell reads back as the same words.
pub(crate) fn line<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| quote(word.as_ref())).collect();
    quoted.join(" ")
}

/// One word, in single quotes where it needs any.
pub(crate) fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_read_something_else() {
        let words = [
            "login",
            "--audience",
            "https://api.cymmetri.com",
            "a b",
            "it's",
            "",
            "$(id)",
        ];
        assert_eq!(
            line(words),
            r"login --audience https://api.cymmetri.com 'a b' 'it'\''s' '' '$(id)'"
        );
    }
}
