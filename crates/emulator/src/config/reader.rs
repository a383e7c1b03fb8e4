//! Reads TOML tables key by key, and knows where each of them stands.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Position};

/// The text that is being read, and the place of every value met so far.
#[derive(Debug)]
pub(super) struct Source<'a> {
    text: &'a str,
    places: RefCell<BTreeMap<String, usize>>,
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            places: RefCell::new(BTreeMap::new()),
        }
    }

    /// An error at a byte offset.
    pub(super) fn error(&self, offset: usize, message: impl Into<String>) -> ConfigError {
        ConfigError::new(message, Some(self.position(offset)))
    }

    /// An error at the place of `path`, or of the nearest table around it.
    pub(super) fn error_at(&self, path: &str, message: impl Into<String>) -> ConfigError {
        let places = self.places.borrow();
        let mut path = path;
        loop {
            if let Some(offset) = places.get(path) {
                return self.error(*offset, message);
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = path.get(..end).unwrap_or_default(),
                None => return self.error(0, message),
            }
        }
    }

    fn note(&self, path: &str, offset: usize) {
        self.places.borrow_mut().insert(path.to_owned(), offset);
    }

    fn position(&self, offset: usize) -> Position {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        }
    }
}

/// One table: its keys are checked at once, its values as they are asked for.
#[derive(Debug)]
pub(super) struct Reader<'a, 'i> {
    source: &'a Source<'a>,
    table: &'a DeTable<'i>,
    path: String,
    /// What people call this table in a message.
    what: &'static str,
    offset: usize,
}

impl<'a, 'i> Reader<'a, 'i> {
    /// The whole document.
    pub(super) fn document(
        source: &'a Source<'a>,
        table: &'a DeTable<'i>,
        keys: &[&str],
    ) -> Result<Self, ConfigError> {
        let reader = Self {
            source,
            table,
            path: String::new(),
            what: "the configuration",
            offset: 0,
        };
        reader.refuse_unknown_keys(keys)
    }

    /// The path of a key of this table, as [`Source::error_at`] wants it.
    pub(super) fn path_of(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }

    pub(super) fn error(&self, message: impl Into<String>) -> ConfigError {
        self.source.error(self.offset, message)
    }

    pub(super) fn value(&self, key: &str) -> Option<&'a Spanned<DeValue<'i>>> {
        let value = self.table.get(key)?;
        self.source.note(&self.path_of(key), value.span().start);
        Some(value)
    }

    pub(super) fn required_string(&self, key: &str) -> Result<String, ConfigError> {
        self.string(key)?.ok_or_else(|| {
            let what = self.what;
            self.error(format!("{what} has no `{key}`; add {key} = \"...\""))
        })
    }

    pub(super) fn string(&self, key: &str) -> Result<Option<String>, ConfigError> {
        self.read(key, "a string in quotes", |value| {
            value.as_str().map(str::to_owned)
        })
    }

    pub(super) fn boolean(&self, key: &str) -> Result<Option<bool>, ConfigError> {
        self.read(key, "true or false", DeValue::as_bool)
    }

    pub(super) fn seconds(&self, key: &str) -> Result<Option<Duration>, ConfigError> {
        self.read(key, "a whole number of seconds", |value| {
            let integer = value.as_integer()?;
            u64::from_str_radix(integer.as_str(), integer.radix())
                .ok()
                .map(Duration::from_secs)
        })
    }

    pub(super) fn strings(&self, key: &str) -> Result<Vec<String>, ConfigError> {
        let expected = "an array of strings";
        let Some(value) = self.value(key) else {
            return Ok(Vec::new());
        };
        let array = value
            .get_ref()
            .as_array()
            .ok_or_else(|| self.mistyped(key, value, expected))?;
        let path = self.path_of(key);
        let strings = array.iter().map(|item| {
            let text = item
                .get_ref()
                .as_str()
                .ok_or_else(|| self.mistyped(key, item, expected))?;
            self.source
                .note(&format!("{path}={text}"), item.span().start);
            Ok(text.to_owned())
        });
        strings.collect()
    }

    pub(super) fn table(
        &self,
        key: &str,
        what: &'static str,
        keys: &[&str],
    ) -> Result<Option<Self>, ConfigError> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let path = self.path_of(key);
        self.nested(key, value, path, what, keys).map(Some)
    }

    pub(super) fn tables(
        &self,
        key: &str,
        what: &'static str,
        keys: &[&str],
    ) -> Result<Vec<Self>, ConfigError> {
        let Some(value) = self.value(key) else {
            return Ok(Vec::new());
        };
        let expected = format!("an array of tables, [[{key}]] or [{{ .. }}]");
        let array = value
            .get_ref()
            .as_array()
            .ok_or_else(|| self.mistyped(key, value, &expected))?;
        let path = self.path_of(key);
        let tables = array.iter().enumerate().map(|(index, item)| {
            let path = format!("{path}[{index}]");
            self.source.note(&path, item.span().start);
            self.nested(key, item, path, what, keys)
        });
        tables.collect()
    }

    fn nested(
        &self,
        key: &str,
        value: &'a Spanned<DeValue<'i>>,
        path: String,
        what: &'static str,
        keys: &[&str],
    ) -> Result<Self, ConfigError> {
        let table = value
            .get_ref()
            .as_table()
            .ok_or_else(|| self.mistyped(key, value, "a table"))?;
        let offset = value.span().start;
        Self {
            source: self.source,
            table,
            path,
            what,
            offset,
        }
        .refuse_unknown_keys(keys)
    }

    fn read<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&DeValue<'i>) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let read = read(value.get_ref());
        read.map(Some)
            .ok_or_else(|| self.mistyped(key, value, expected))
    }

    fn mistyped(&self, key: &str, value: &Spanned<DeValue<'i>>, expected: &str) -> ConfigError {
        let found = value.get_ref().type_str();
        let message = format!("`{key}` must be {expected}, and is of type {found}");
        self.source.error(value.span().start, message)
    }

    fn refuse_unknown_keys(self, keys: &[&str]) -> Result<Self, ConfigError> {
        let unknown = self
            .table
            .keys()
            .filter(|key| !keys.contains(&key.get_ref().as_ref()));
        // The map may be sorted by name: the first in the file is the one to report.
        let Some(key) = unknown.min_by_key(|key| key.span().start) else {
            return Ok(self);
        };
        let name = key.get_ref();
        let fix = match nearest(name, keys) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}", listed(keys)),
        };
        let message = format!("unknown key `{name}` in {}; {fix}", self.what);
        Err(self.source.error(key.span().start, message))
    }
}

/// The known word that a typing error most likely meant.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let candidates = known
        .iter()
        .map(|known| (strsim::jaro_winkler(word, known), *known));
    let best = candidates.max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|(similarity, _)| *similarity >= SIMILAR)
        .map(|(_, known)| known)
}

/// Words for a message: `` `a`, `b` ``.
pub(super) fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

/// Below this a suggestion is more likely wrong than right (`allow_scopes` for `allowed_scopes`
/// is at 0.97, `secret` for `scopes` at 0.74).
const SIMILAR: f64 = 0.8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_suggested_and_a_far_one_is_not() {
        let keys = ["allowed_scopes", "allowed_audiences", "secret"];
        assert_eq!(nearest("allow_scopes", &keys), Some("allowed_scopes"));
        assert_eq!(nearest("secrets", &keys), Some("secret"));
        assert_eq!(nearest("colour", &keys), None);
    }

    #[test]
    fn positions_count_characters_from_one() {
        let source = Source::new("a = 1\né = 2\n");
        assert_eq!(source.position(0), Position { line: 1, column: 1 });
        assert_eq!(source.position(9), Position { line: 2, column: 3 });
    }

    #[test]
    fn an_unknown_place_falls_back_to_the_table_around_it() {
        let source = Source::new("[a]\nb = 1\n");
        source.note("a", 0);
        source.note("a.b", 4);
        assert_eq!(source.error_at("a.b", "x").line(), Some(2));
        assert_eq!(source.error_at("a.c[1].d", "x").line(), Some(1));
    }
}
