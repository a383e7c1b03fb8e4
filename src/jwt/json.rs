//! A strict reader for the JSON of tokens and key sets.
//!
//! RFC 7515 section 4 and RFC 7519 section 4 leave it to the reader whether a member that stands
//! there twice is refused; two readers that pick different ones are a hole, so it is. `serde_json`
//! takes the last, and hands over numbers in a form that another crate of the same program decides.

use std::borrow::Cow;

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
        let mut reader = Reader { text, at: 0 };
        reader.skip_space();
        let object = reader.object(0)?;
        reader.skip_space();
        (reader.at == text.len()).then_some(object)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Json<'a>> {
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

    fn is_repeated(&self) -> bool {
        if self.members.len() <= FEW {
            let is_new = |(at, (name, _)): (usize, &(Cow<'_, str>, Json<'_>))| {
                self.members.iter().take(at).all(|(other, _)| other != name)
            };
            return !self.members.iter().enumerate().all(is_new);
        }
        let mut names: Vec<&str> = self.members.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair.first() == pair.last())
    }
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

/// RFC 8259, without anything that it merely permits.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    /// Passes bytes for as long as they are `wanted`; how many that were.
    fn pass(&mut self, wanted: impl Fn(u8) -> bool) -> usize {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let length = rest
            .iter()
            .position(|byte| !wanted(*byte))
            .unwrap_or(rest.len());
        self.at += length;
        length
    }

    fn skip_space(&mut self) {
        self.pass(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    }

    fn value(&mut self, depth: usize) -> Option<Json<'a>> {
        match self.peek()? {
            b'{' => self.object(depth).map(Json::Object),
            b'[' => self.array(depth).map(Json::Array),
            b'"' => self.string().map(Json::Text),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'n' => self.word("null", Json::Null),
            _ => self.number().map(Json::Number),
        }
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Option<Json<'a>> {
        self.text.get(self.at..)?.starts_with(word).then(|| {
            self.at += word.len();
            value
        })
    }

    fn object(&mut self, depth: usize) -> Option<Object<'a>> {
        self.take(b'{')?;
        let depth = deeper(depth)?;
        let mut object = Object::default();
        self.skip_space();
        if self.take(b'}').is_some() {
            return Some(object);
        }
        object.members.reserve(USUAL_MEMBERS);
        loop {
            let name = self.string()?;
            self.skip_space();
            self.take(b':')?;
            self.skip_space();
            let value = self.value(depth)?;
            object.has_duplicates |= value.has_duplicates();
            object.members.push((name, value));
            self.skip_space();
            if self.take(b'}').is_some() {
                object.has_duplicates |= object.is_repeated();
                return Some(object);
            }
            self.take(b',')?;
            self.skip_space();
        }
    }

    fn array(&mut self, depth: usize) -> Option<Vec<Json<'a>>> {
        self.take(b'[')?;
        let depth = deeper(depth)?;
        let mut items = Vec::new();
        self.skip_space();
        if self.take(b']').is_some() {
            return Some(items);
        }
        loop {
            items.push(self.value(depth)?);
            self.skip_space();
            if self.take(b']').is_some() {
                return Some(items);
            }
            self.take(b',')?;
            self.skip_space();
        }
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        self.take(b'"')?;
        let start = self.at;
        self.pass(is_plain);
        let plain = self.text.get(start..self.at)?;
        if self.take(b'"').is_some() {
            return Some(Cow::Borrowed(plain));
        }
        let mut text = plain.to_owned();
        loop {
            if self.take(b'"').is_some() {
                return Some(Cow::Owned(text));
            }
            self.take(b'\\')?;
            text.push(self.escape()?);
            let start = self.at;
            self.pass(is_plain);
            text.push_str(self.text.get(start..self.at)?);
        }
    }

    fn escape(&mut self) -> Option<char> {
        let kind = self.peek()?;
        self.at += 1;
        Some(match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return None,
        })
    }

    /// `\uXXXX`, or two of them that make a pair; half a pair is no text.
    fn unicode(&mut self) -> Option<char> {
        let high = self.hex()?;
        if !(0xD800..0xDC00).contains(&high) {
            return char::from_u32(high);
        }
        self.take(b'\\')?;
        self.take(b'u')?;
        let low = self.hex()?;
        let is_pair = (0xDC00..0xE000).contains(&low);
        is_pair.then(|| char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00)))?
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.at += 4;
        is_hex.then(|| u32::from_str_radix(digits, 16).ok())?
    }

    fn number(&mut self) -> Option<f64> {
        let start = self.at;
        let is_digit = |byte: u8| byte.is_ascii_digit();
        let _sign = self.take(b'-');
        if self.take(b'0').is_none() && self.pass(is_digit) == 0 {
            return None;
        }
        if self.take(b'.').is_some() && self.pass(is_digit) == 0 {
            return None;
        }
        if self.take(b'e').or_else(|| self.take(b'E')).is_some() {
            let _sign = self.take(b'+').or_else(|| self.take(b'-'));
            if self.pass(is_digit) == 0 {
                return None;
            }
        }
        let text = self.text.get(start..self.at)?;
        if text.len() > NUMBER_LENGTH {
            return None;
        }
        text.parse().ok().filter(|number: &f64| number.is_finite())
    }
}

fn deeper(depth: usize) -> Option<usize> {
    (depth < DEPTH).then_some(depth + 1)
}

/// RFC 8259 section 7: control characters stand in a text as escapes alone.
fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

/// Claims nest a few levels; hundreds of them are an attack on the stack.
const DEPTH: usize = 32;

/// No date, count or amount needs as many digits.
const NUMBER_LENGTH: usize = 40;

/// Up to as many names are compared pairwise, which is quicker than sorting them.
const FEW: usize = 16;

/// Room for what a token usually says.
const USUAL_MEMBERS: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

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

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
            let _ = Object::lenient(&bytes);
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
