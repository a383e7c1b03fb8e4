//! The grammar of `WWW-Authenticate` (RFC 9110 sections 11.3 and 11.6.1), read in one pass.
//!
//! Commas separate challenges and their parameters alike, and servers forget some. So a word that a `=`
//! follows is a parameter of the challenge before it, and any other word begins a challenge.

/// One challenge: a scheme and its parameters. A token68 is skipped, since `Bearer` has none.
#[derive(Clone)]
pub(super) struct Challenge {
    pub(super) scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The value of a parameter, by its name in lower case; of several the first counts.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut all = self.parameters.iter();
        let found = all.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Reads all challenges of one header value, which may be any bytes.
pub(super) fn read(value: &[u8], challenges: &mut Vec<Challenge>) {
    let mut rest = Rest(value);
    // A parameter never belongs to a challenge of another header.
    let mut current: Option<Challenge> = None;
    loop {
        rest.skip(|byte| is_space(byte) || byte == b',');
        if rest.0.is_empty() {
            break;
        }
        let word = rest.take(is_token);
        if word.is_empty() {
            // What no word begins with is not worth more than being passed over.
            rest.advance(1);
            continue;
        }
        if let Some(value) = rest.parameter_value() {
            if let Some(challenge) = &mut current {
                let name = text(word).to_ascii_lowercase();
                challenge.parameters.push((name, value));
            }
        } else {
            challenges.extend(current.take());
            rest.skip_token68();
            current = Some(Challenge {
                scheme: text(word),
                parameters: Vec::new(),
            });
        }
    }
    challenges.extend(current);
}

/// What is not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn advance(&mut self, count: usize) {
        self.0 = self.0.get(count..).unwrap_or_default();
    }

    fn take(&mut self, is_part: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|byte| !is_part(*byte));
        let (taken, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        taken
    }

    fn skip(&mut self, is_part: impl Fn(u8) -> bool) {
        self.take(is_part);
    }

    /// RFC 9110 section 11.2: `auth-param = token BWS "=" BWS ( token / quoted-string )`.
    fn parameter_value(&mut self) -> Option<String> {
        let mut after = Rest(self.0);
        after.skip(is_space);
        if after.0.first() != Some(&b'=') {
            return None;
        }
        after.advance(1);
        after.skip(is_space);
        self.0 = after.0;
        if self.0.first() == Some(&b'"') {
            self.advance(1);
            return Some(self.quoted());
        }
        Some(text(self.take(|byte| !is_space(byte) && byte != b',')))
    }

    /// RFC 9110 section 5.6.4. One that never ends is read to the end.
    fn quoted(&mut self) -> String {
        let mut value = Vec::new();
        let mut is_escaped = false;
        let mut read = 0;
        for byte in self.0 {
            read += 1;
            match byte {
                _ if is_escaped => {
                    value.push(*byte);
                    is_escaped = false;
                }
                b'\\' => is_escaped = true,
                b'"' => break,
                _ => value.push(*byte),
            }
        }
        self.advance(read);
        text(&value)
    }

    /// RFC 9110 section 11.2: what follows a scheme as a whole, up to a comma or the end.
    fn skip_token68(&mut self) {
        let mut after = Rest(self.0);
        after.skip(is_space);
        after.skip(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte));
        after.skip(|byte| byte == b'=');
        after.skip(is_space);
        if after.0.first().is_none_or(|byte| *byte == b',') {
            self.0 = after.0;
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
