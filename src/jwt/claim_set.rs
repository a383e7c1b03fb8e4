//! [`ClaimSet`]: the claims of a token whose signature held (RFC 7519 section 4).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{
    json::{Json, Object},
    refused::Refused,
};

/// Claims, read by their registered meaning. A registered one in a wrong form is never ignored.
pub(crate) struct ClaimSet<'a>(Object<'a>);

impl<'a> ClaimSet<'a> {
    /// Reads the payload of a token.
    pub(crate) fn read(payload: &'a [u8]) -> Result<Self, Refused> {
        Object::strict(payload).map(Self).ok_or(Refused::Json)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.has(name)
    }

    pub(crate) fn is_array(&self, name: &str) -> bool {
        self.0
            .get(name)
            .is_some_and(|value| value.as_array().is_some())
    }

    /// A claim that is a text, if it is there.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<&str>, Refused> {
        let value = self.0.get(name);
        let text = value.map(|value| value.as_text().ok_or(Refused::Malformed(name)));
        text.transpose()
    }

    /// A claim that is registered nowhere, or is for showing alone: in any other form it is not there.
    pub(crate) fn loose_text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_text()
    }

    /// A claim that is an array of texts; empty if it is not there.
    pub(crate) fn texts(&self, name: &'static str) -> Result<Vec<&str>, Refused> {
        let Some(value) = self.0.get(name) else {
            return Ok(Vec::new());
        };
        let texts = value.as_array().and_then(all_texts);
        texts.ok_or(Refused::Malformed(name))
    }

    /// A claim that is one text or an array of texts; empty if it is not there.
    pub(crate) fn one_or_many(&self, name: &'static str) -> Result<Vec<&str>, Refused> {
        match self.0.get(name) {
            Some(Json::Text(one)) => Ok(vec![one]),
            _ => self.texts(name),
        }
    }

    /// `iss`, compared as a string (RFC 7519 section 4.1.1).
    pub(crate) fn check_issuer(&self, expected: &str) -> Result<(), Refused> {
        let issuer = self.text("iss")?.ok_or(Refused::Missing("iss"))?;
        (issuer == expected).then_some(()).ok_or(Refused::Issuer)
    }

    /// `aud`, which must name `expected` (RFC 7519 section 4.1.3); how many it names.
    pub(crate) fn check_audience(&self, expected: &str) -> Result<usize, Refused> {
        let named = match self.0.get("aud") {
            None => return Err(Refused::Missing("aud")),
            Some(Json::Text(one)) => {
                return (one == expected).then_some(1).ok_or(Refused::Audience);
            }
            Some(other) => other.as_array().ok_or(Refused::Malformed("aud"))?,
        };
        self.check_texts("aud")?;
        let mut texts = named.iter().map(Json::as_text);
        let is_meant = texts.any(|name| name == Some(expected));
        is_meant.then_some(named.len()).ok_or(Refused::Audience)
    }

    /// A claim that must be an array of texts if it is there.
    pub(crate) fn check_texts(&self, name: &'static str) -> Result<(), Refused> {
        let is_text = |item: &Json<'_>| item.as_text().is_some();
        let is_right = self.0.get(name).is_none_or(|value| {
            let items = value.as_array();
            items.is_some_and(|items| items.iter().all(is_text))
        });
        is_right.then_some(()).ok_or(Refused::Malformed(name))
    }

    /// `exp`, `nbf` and `iat` (RFC 7519 sections 4.1.4 to 4.1.6) against `now`; when it expires.
    pub(crate) fn check_times(&self, now: SystemTime, leeway: Duration) -> Result<f64, Refused> {
        let (now, leeway) = (seconds(now), leeway.as_secs_f64());
        let expires = self.time("exp")?.ok_or(Refused::Missing("exp"))?;
        for name in ["nbf", "iat"] {
            if self.time(name)?.is_some_and(|start| start > now + leeway) {
                return Err(Refused::NotYetValid);
            }
        }
        let is_alive = now < expires + leeway;
        is_alive.then_some(expires).ok_or(Refused::Expired)
    }

    /// A date in seconds since 1970 (RFC 7519 section 2, `NumericDate`), if it is there.
    pub(crate) fn time(&self, name: &'static str) -> Result<Option<f64>, Refused> {
        let Some(value) = self.0.get(name) else {
            return Ok(None);
        };
        let date = value.as_number();
        let is_sane = |date: &f64| (0.0..=TIME_MAX).contains(date);
        date.filter(is_sane)
            .map(Some)
            .ok_or(Refused::Malformed(name))
    }
}

fn all_texts<'b>(items: &'b [Json<'_>]) -> Option<Vec<&'b str>> {
    items.iter().map(Json::as_text).collect()
}

/// Seconds since 1970.
pub(crate) fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

/// The end of the year 9999: a later date is a mistake, often one in milliseconds.
const TIME_MAX: f64 = 253_402_300_799.0;

/// How far the issuer's clock may differ from ours: what the platform's own SDKs allow.
pub(crate) const LEEWAY: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn check(claims: &str, now: u64) -> Result<f64, Refused> {
        let now = UNIX_EPOCH + Duration::from_secs(now);
        ClaimSet::read(claims.as_bytes())
            .unwrap()
            .check_times(now, LEEWAY)
    }

    #[test]
    fn times_have_a_leeway_on_both_sides() {
        assert_eq!(check(r#"{"exp":1000}"#, 1029), Ok(1000.0));
        assert_eq!(check(r#"{"exp":1000}"#, 1030), Err(Refused::Expired));
        for name in ["nbf", "iat"] {
            let claims = format!(r#"{{"exp":5000,"{name}":1000}}"#);
            assert_eq!(check(&claims, 970), Ok(5000.0));
            assert_eq!(check(&claims, 969), Err(Refused::NotYetValid));
        }
        assert_eq!(check(r#"{"exp":1000.5,"iat":1}"#, 1030), Ok(1000.5));
        assert_eq!(check("{}", 0), Err(Refused::Missing("exp")));
    }

    #[test]
    fn a_date_that_makes_no_sense_is_not_one() {
        for value in [
            "\"1000\"",
            "null",
            "true",
            "[]",
            "{}",
            "-1",
            "-0.5",
            "1e300",
            "1790000000000",
            "253402300800",
        ] {
            for name in ["exp", "nbf", "iat"] {
                let claims = match name {
                    "exp" => format!(r#"{{"exp":{value}}}"#),
                    name => format!(r#"{{"exp":5000,"{name}":{value}}}"#),
                };
                assert_eq!(
                    check(&claims, 10),
                    Err(Refused::Malformed(name)),
                    "{claims}"
                );
            }
        }
    }

    #[test]
    fn issuer_and_audience_are_compared_exactly() {
        let claims = |text: &'static str| ClaimSet::read(text.as_bytes()).unwrap();
        assert_eq!(
            claims(r#"{"iss":"https://a"}"#).check_issuer("https://a"),
            Ok(())
        );
        for (text, refused) in [
            (r#"{"iss":"https://a/"}"#, Refused::Issuer),
            (r#"{"iss":"HTTPS://a"}"#, Refused::Issuer),
            (r#"{"iss":["https://a"]}"#, Refused::Malformed("iss")),
            (r#"{"iss":null}"#, Refused::Malformed("iss")),
            ("{}", Refused::Missing("iss")),
        ] {
            assert_eq!(
                claims(text).check_issuer("https://a"),
                Err(refused),
                "{text}"
            );
        }
        assert_eq!(claims(r#"{"aud":"api"}"#).check_audience("api"), Ok(1));
        assert_eq!(
            claims(r#"{"aud":["x","api"]}"#).check_audience("api"),
            Ok(2)
        );
        for (text, refused) in [
            (r#"{"aud":"API"}"#, Refused::Audience),
            (r#"{"aud":"api "}"#, Refused::Audience),
            (r#"{"aud":"api other"}"#, Refused::Audience),
            (r#"{"aud":[]}"#, Refused::Audience),
            (r#"{"aud":["api",1]}"#, Refused::Malformed("aud")),
            (r#"{"aud":[["api"]]}"#, Refused::Malformed("aud")),
            (r#"{"aud":null}"#, Refused::Malformed("aud")),
            (r#"{"aud":{"api":true}}"#, Refused::Malformed("aud")),
            ("{}", Refused::Missing("aud")),
        ] {
            assert_eq!(claims(text).check_audience("api"), Err(refused), "{text}");
        }
    }
}
