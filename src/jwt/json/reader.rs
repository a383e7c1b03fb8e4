//! From text to values.

use std::borrow::Cow;

use super::{Json, Object};

/// RFC 8259, without anything that it merely permits.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// The one object that `text` is.
    pub(super) fn document(text: &'a str) -> Option<Object<'a>> {
        let mut reader = Self { text, at: 0 };
        reader.skip_space();
        let object = reader.object(0)?;
        reader.skip_space();
        (reader.at == text.len()).then_some(object)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    /// Passes bytes for as long as they are `wanted`; how many that were.
    #[inline]
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
        if depth == 1 {
            object.members.reserve(USUAL_MEMBERS);
        }
        loop {
            let name = self.string()?;
            self.skip_space();
            self.take(b':')?;
            self.skip_space();
            let value = self.value(depth)?;
            object.add(name, value);
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
        self.pass_plain();
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
            self.pass_plain();
            text.push_str(self.text.get(start..self.at)?);
        }
    }

    /// Passes what stands in a text as it is, eight bytes at a time where there are as many.
    fn pass_plain(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let (words, _) = rest.as_chunks();
        let plain = words
            .iter()
            .take_while(|word| is_plain_word(**word))
            .count();
        self.at += plain * 8;
        self.pass(is_plain);
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

    /// `\uXXXX`, or two of them that make a pair; half a pair is not valid Unicode.
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
        // Most numbers are dates in seconds, of ten digits.
        if let Ok(count) = text.parse::<u32>() {
            return Some(f64::from(count));
        }
        text.parse().ok().filter(|number: &f64| number.is_finite())
    }
}

/// Whether none of these bytes ends a text or is out of place in it.
///
/// Each lane of the sums below gets its highest bit where its byte is the one that is looked for, or
/// below 0x20; a borrow can only mark a lane too many, and then the bytes are looked at one by one.
fn is_plain_word(word: [u8; 8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHEST: u64 = ONES << 7;
    let word = u64::from_ne_bytes(word);
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGHEST;
    let quote = word ^ (ONES * 0x22);
    let backslash = word ^ (ONES * 0x5c);
    below(word, 0x20) | below(quote, 1) | below(backslash, 1) == 0
}

fn deeper(depth: usize) -> Option<usize> {
    (depth < DEPTH).then_some(depth + 1)
}

/// RFC 8259 section 7: control characters stand in a text as escapes alone.
fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

/// Claims nest a few levels; hundreds of them are an attack on the stack.
pub(super) const DEPTH: usize = 32;

/// No date, count or amount needs as many digits.
pub(super) const NUMBER_LENGTH: usize = 40;

/// Room for what a token usually says. Objects in it get what they use: room for so many in each of
/// hundreds would be memory that costs its sender three bytes an object.
const USUAL_MEMBERS: usize = 16;
