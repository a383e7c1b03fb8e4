//! Looks for secrets in texts, in every form in which a program could have written them.

use std::{
    fmt::{self, Write as _},
    sync::{Arc, Mutex, OnceLock},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    util::SubscriberInitExt,
};

/// Secrets in all the forms that are looked for.
pub(crate) struct Leaks(Vec<(&'static str, String)>);

impl Leaks {
    pub(crate) fn of(secrets: &[&str]) -> Self {
        let mut forms = Vec::new();
        for secret in secrets {
            // A Basic header holds it form-encoded, and the whole of that in base64.
            let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            let spaced = encoded.replace('+', "%20");
            for text in [(*secret).to_owned(), encoded, spaced] {
                add_forms(&text, &mut forms);
            }
        }
        Self(forms)
    }

    /// The form in which a secret stands in `text`, if one does.
    pub(crate) fn find(&self, text: &str) -> Option<&'static str> {
        let found = self.0.iter().find(|(_, needle)| text.contains(needle));
        found.map(|(form, _)| *form)
    }

    /// Fails if a secret stands in `text`, and says in which form.
    pub(crate) fn refuse(&self, what: &str, text: &str) {
        if let Some(form) = self.find(text) {
            panic!("{what} shows a secret ({form}): {text}");
        }
    }
}

fn add_forms(text: &str, forms: &mut Vec<(&'static str, String)>) {
    let bytes = text.as_bytes();
    let list = |separator: &str| {
        let numbers: Vec<String> = bytes.iter().map(ToString::to_string).collect();
        numbers.join(separator)
    };
    let each = |write: fn(u8) -> String| bytes.iter().map(|byte| write(*byte)).collect::<String>();
    let json = serde_json::to_string(text).unwrap();
    let json = json.trim_matches('"').to_owned();
    let debug = format!("{text:?}");
    forms.extend([
        ("plain", text.to_owned()),
        ("JSON", json.clone()),
        ("JSON with escaped slashes", json.replace('/', "\\/")),
        ("JSON within JSON", json.escape_debug().to_string()),
        ("Debug", debug[1..debug.len() - 1].to_owned()),
        (
            "percent-encoded throughout",
            each(|byte| format!("%{byte:02X}")),
        ),
        (
            "percent-encoded, lower case",
            each(|byte| format!("%{byte:02x}")),
        ),
        ("percent-encoded space", percent_encoded(text)),
        ("hex", each(|byte| format!("{byte:02x}"))),
        ("upper hex", each(|byte| format!("{byte:02X}"))),
        ("decimal bytes", list(", ")),
        ("decimal bytes without spaces", list(",")),
    ]);
    for shift in 0..3 {
        forms.push(("base64", shifted_base64(&STANDARD_NO_PAD, bytes, shift)));
        forms.push(("base64url", shifted_base64(&URL_SAFE_NO_PAD, bytes, shift)));
    }
}

/// RFC 3986 section 2: a space is `%20`, and unreserved characters stand for themselves.
fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").unwrap();
        }
        out
    })
}

/// What base64 makes of `bytes` wherever they start and end: the characters that hold nothing else.
fn shifted_base64(engine: &impl Engine, bytes: &[u8], shift: usize) -> String {
    let mut shifted = vec![0; shift];
    shifted.extend_from_slice(bytes);
    let own = (shift * 8).div_ceil(6)..shifted.len() * 8 / 6;
    engine.encode(&shifted)[own].to_owned()
}

/// Every event and span of the whole process, as text.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<Vec<String>>>);

impl Recorder {
    /// The recorder of this process; it runs from the first call on.
    pub(crate) fn running() -> Self {
        static RUNNING: OnceLock<Recorder> = OnceLock::new();
        let running = RUNNING.get_or_init(|| {
            let recorder = Self::default();
            // What the `log` crate gets is recorded too.
            let subscriber = tracing_subscriber::registry().with(recorder.clone());
            subscriber.try_init().unwrap();
            recorder
        });
        running.clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// How many lines hold both texts.
    pub(crate) fn count(&self, one: &str, other: &str) -> usize {
        let lines = self.0.lock().unwrap();
        let both = lines
            .iter()
            .filter(|line| line.contains(one) && line.contains(other));
        both.count()
    }

    fn write(&self, mut line: Line) {
        line.0.push('\n');
        self.0.lock().unwrap().push(line.0);
    }
}

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_new_span(&self, span: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
        let mut line = Line::new(span.metadata());
        span.record(&mut line);
        self.write(line);
    }

    fn on_record(&self, _: &span::Id, values: &span::Record<'_>, _: Context<'_, S>) {
        let mut line = Line(String::new());
        values.record(&mut line);
        self.write(line);
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line::new(event.metadata());
        event.record(&mut line);
        self.write(line);
    }
}

struct Line(String);

impl Line {
    fn new(metadata: &tracing::Metadata<'_>) -> Self {
        Self(format!("{} {}", metadata.level(), metadata.target()))
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        write!(self.0, " {field}={value}").unwrap();
    }
}
