//! The audiences that are asked for, and tokens that look like real ones.

use std::{
    sync::LazyLock,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};

/// As many audiences as the widest stampede has, and [`STUCK`].
pub(crate) static AUDIENCES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let usual = (0..STUCK).map(|number| format!("https://api{number}.example.com/.default"));
    usual
        .chain([format!("https://{STUCK_WORD}.example.com/.default")])
        .collect()
});

/// The audience whose requests the endpoint can be told to leave waiting.
pub(crate) const STUCK: usize = 50;

/// What the endpoint knows it by.
pub(crate) const STUCK_WORD: &str = "stuck";

/// The name of an audience.
pub(crate) fn audience(number: usize) -> &'static str {
    &AUDIENCES[number]
}

/// A JWT of about 1 KB, as an issuer would sign it with RSA; nobody has signed it.
pub(crate) fn jwt(number: usize, audience: &str, lifetime: u64) -> String {
    let issued = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    let claims = serde_json::json!({
        "iss": "https://issuer.example.com",
        "sub": "app_benchmark",
        "aud": audience,
        "iat": issued,
        "exp": issued + lifetime,
        "jti": format!("{number:016x}"),
        "org": "an organization with a name of ordinary length",
        "roles": ["reader", "writer", "auditor", "operator", "support", "billing", "release", "on-call"],
        "region": "eu-central-1", "tier": "standard", "plan": "a plan that takes some room",
        "session": "0123456789abcdef0123456789abcdef0123456789abcdef",
    });
    let parts = [
        BASE64.encode(r#"{"alg":"RS256","typ":"at+jwt","kid":"2026-01-key"}"#),
        BASE64.encode(claims.to_string()),
        BASE64.encode([(number % 251) as u8; RSA_2048]),
    ];
    parts.join(".")
}

/// The bytes of an RS256 signature.
const RSA_2048: usize = 256;

/// Every number once, in an order that no cache of the processor likes.
pub(crate) fn shuffled(entries: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..entries).collect();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for at in (1..entries).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        order.swap(at, (state % (at as u64 + 1)) as usize);
    }
    order
}
