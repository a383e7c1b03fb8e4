//! A strict reader for the JSON of tokens and key sets.
//!
//! RFC 7515 section 4 and RFC 7519 section 4 leave it to the reader whether a member that stands
//! there twice is refused; two readers that pick different ones are a hole, so it is. `serde_json`
//! takes the last, and hands over numbers in a form that another crate of the same program decides.

mod reader;

use std::borrow::Cow;

use reader::Reader;

/// A value, borrowed from its text where it has no escapes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'a, str>),
    Array(Vec<Self>),
    Object(Object<'a>),
}

/// The members of an object in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object<'a> {
    members: Vec<(Cow<'a, str>, Json<'a>)>,
    /// The [`mark`]s of all names: most questions are about names that are not there.
    marks: u128,
    /// Whether a name stands here twice, or in something below.
    has_duplicates: bool,
}

impl<'a> Object<'a> {
    /// Reads an object whose members, at any depth, all have different names.
    pub(crate) fn strict(bytes: &'a [u8]) -> Option<Self> {
        Self::lenient(bytes).filter(|object| !object.has_duplicates)
    }

    /// Reads an object; each object in it knows whether a name stands in it twice.
    pub(crate) fn lenient(bytes: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        Reader::document(text)
    }

    #[inline]
    pub(crate) fn get(&self, name: &str) -> Option<&Json<'a>> {
        if self.marks & mark(name) == 0 {
            return None;
        }
        self.members
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(crate) fn has_duplicates(&self) -> bool {
        self.has_duplicates
    }

    fn add(&mut self, name: Cow<'a, str>, value: Json<'a>) {
        let is_few = self.members.len() < FEW;
        self.has_duplicates |= value.has_duplicates() || (is_few && self.has(&name));
        self.marks |= mark(&name);
        self.members.push((name, value));
    }

    /// Whether one of very many names stands here twice; of few, each was compared as it came.
    fn is_repeated(&self) -> bool {
        if self.members.len() <= FEW {
            return false;
        }
        let mut names: Vec<&str> = self.members.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair.first() == pair.last())
    }
}

/// One bit of 128 for a name, by its length and three of its bytes.
#[inline]
fn mark(name: &str) -> u128 {
    let bytes = name.as_bytes();
    let byte = |at: usize| bytes.get(at).map_or(0, |byte| usize::from(*byte));
    let last = byte(bytes.len().wrapping_sub(1));
    let mixed = byte(0) * 5 + byte(1) * 17 + last * 3 + bytes.len() * 29;
    1 << (mixed % 128)
}

impl<'a> Json<'a> {
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    fn has_duplicates(&self) -> bool {
        match self {
            Self::Object(object) => object.has_duplicates,
            Self::Array(items) => items.iter().any(Self::has_duplicates),
            _ => false,
        }
    }
}

/// From here on names are sorted to find those that are the same: comparing each with all others would
/// let a large header cost its sender less than its reader.
const FEW: usize = 32;

#[cfg(test)]
mod tests {
    use super::{
        reader::{DEPTH, NUMBER_LENGTH},
        *,
    };

    fn reads(text: &str) -> bool {
        Object::strict(text.as_bytes()).is_some()
    }

    #[test]
    fn values_of_each_kind_are_read() {
        let text = r#" { "a" : "x\n\u00e9\ud83d\ude00\/" , "b":[1,-0.5,2e3,true,false,null,{}],"c":{"d":[]} } "#;
        let object = Object::strict(text.as_bytes()).unwrap();
        assert_eq!(object.get("a").unwrap().as_text(), Some("x\né😀/"));
        let items = object.get("b").unwrap().as_array().unwrap();
        assert_eq!(items[1].as_number(), Some(-0.5));
        assert_eq!(items[2].as_number(), Some(2000.0));
        assert_eq!(items.len(), 7);
        let inner = object.get("c").unwrap().as_object().unwrap();
        assert!(inner.has("d") && !inner.has("e"));
    }

    #[test]
    fn names_that_stand_there_twice_are_refused_at_any_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"{"x":[[{"a":1,"b":2,"a":3}]]}"#,
        ] {
            assert!(!reads(text), "{text}");
            assert!(
                Object::lenient(text.as_bytes()).unwrap().has_duplicates(),
                "{text}"
            );
        }
        let many = |last: usize| {
            let members: Vec<String> = (0..40)
                .chain([last])
                .map(|n| format!("\"{n}\":0"))
                .collect();
            format!("{{{}}}", members.join(","))
        };
        assert!(reads(&many(40)));
        assert!(!reads(&many(3)));
        assert!(reads(r#"{"a":1,"A":1,"x":{"a":1}}"#));
    }

    #[test]
    fn what_is_no_json_object_is_refused() {
        for text in [
            "",
            "{",
            "}",
            "[]",
            "1",
            "null",
            "\"a\"",
            "{}x",
            "{}{}",
            "{a:1}",
            "{'a':1}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{\"a\":[1,]}",
            "{\"a\":01}",
            "{\"a\":+1}",
            "{\"a\":.5}",
            "{\"a\":1.}",
            "{\"a\":1e}",
            "{\"a\":-}",
            "{\"a\":0x1}",
            "{\"a\":NaN}",
            "{\"a\":Infinity}",
            "{\"a\":1e999}",
            "{\"a\":tru}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\\udc00\"}",
            "{\"a\":\"\\ud800\\u0041\"}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":\"\\u+123\"}",
            "\u{feff}{}",
            "{/**/}",
            "{\"a\":1 \"b\":2}",
        ] {
            assert!(!reads(text), "{text}");
        }
        assert!(Object::strict(b"{\"a\":\"\xff\"}").is_none());
    }

    #[test]
    fn depth_and_digits_are_bounded() {
        let nested = |depth| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(reads(&nested(DEPTH - 1)));
        assert!(!reads(&nested(DEPTH)));
        assert!(!reads(&nested(100_000)));
        let digits = |count| format!("{{\"a\":{}}}", "1".repeat(count));
        assert!(reads(&digits(NUMBER_LENGTH)));
        assert!(!reads(&digits(NUMBER_LENGTH + 1)));
    }

    #[test]
    fn many_small_objects_take_little_room() {
        let text = format!(r#"{{"a":[{}]}}"#, vec![r#"{"":0}"#; 400].join(","));
        let object = Object::strict(text.as_bytes()).unwrap();
        let inner = object.get("a").and_then(Json::as_array).unwrap();
        let room = |item: &Json<'_>| item.as_object().unwrap().members.capacity();
        assert_eq!(inner.len(), 400);
        assert!(inner.iter().all(|item| room(item) <= 4));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
            let _ = Object::lenient(&bytes);
        }

        #[test]
        fn texts_end_where_they_end(text in "[ -~\u{80}-\u{ff}\u{1}\u{1f}]{0,30}", more in "[a-z\"\\\\]{0,12}") {
            let json = format!("{{\"a\":\"{text}\",\"b\":\"{more}\"}}");
            let expected: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(&json).ok();
            let found = Object::lenient(json.as_bytes());
            proptest::prop_assert_eq!(found.is_some(), expected.is_some(), "{}", json);
            if let (Some(found), Some(expected)) = (found, expected) {
                let read = found.get("a").and_then(Json::as_text);
                proptest::prop_assert_eq!(read, expected["a"].as_str());
            }
        }

        #[test]
        fn what_it_reads_is_json(text in r#"[{}\[\]:,"a\\0-9.eu \n]{0,40}"#) {
            if Object::lenient(text.as_bytes()).is_some() {
                let read: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(&text);
                proptest::prop_assert!(read.is_ok(), "{}", text);
            }
        }
    }
}
