//! The form that every OAuth endpoint reads, and every page.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;

use crate::refusal::Refusal;

/// The parameters of a request: each at most once, none of them empty.
#[derive(Debug, Default)]
pub(crate) struct Form {
    parameters: BTreeMap<String, Vec<String>>,
    duplicates: Vec<String>,
}

impl Form {
    /// Reads what is there, without any rule, for the logs.
    ///
    /// RFC 6749 section 3.1: a parameter without a value counts as omitted.
    pub(crate) fn read_leniently(body: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            if value.is_empty() {
                continue;
            }
            match form.parameters.entry(name.into_owned()) {
                Entry::Vacant(free) => drop(free.insert(vec![value.into_owned()])),
                Entry::Occupied(mut taken) => {
                    form.duplicates.push(taken.key().clone());
                    taken.get_mut().push(value.into_owned());
                }
            }
        }
        form
    }

    /// Reads a form that keeps the rules.
    pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        Self::read_repeatable(headers, body, &[])
    }

    /// As [`Self::read`], where these parameters may be there more than once.
    pub(crate) fn read_repeatable(
        headers: &HeaderMap,
        body: &[u8],
        except: &[&str],
    ) -> Result<Self, Refusal> {
        if !is_form(headers) {
            let description = "the body must be of type application/x-www-form-urlencoded";
            return Err(Refusal::invalid_request(description));
        }
        Self::read_leniently(body).without_duplicates(except)
    }

    /// RFC 6749 section 3.1: parameters must not be included more than once, but for these.
    pub(crate) fn without_duplicates(self, except: &[&str]) -> Result<Self, Refusal> {
        let mut duplicates = self.duplicates.iter();
        match duplicates.find(|name| !except.contains(&name.as_str())) {
            Some(name) => {
                let name = name.escape_default();
                let description = format!("the parameter `{name}` is there more than once");
                Err(Refusal::invalid_request(description))
            }
            None => Ok(self),
        }
    }

    /// Every value of a parameter that may be repeated.
    pub(crate) fn all(&self, name: &str) -> &[String] {
        self.parameters.get(name).map_or(&[], Vec::as_slice)
    }

    /// Every parameter, by its first value.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&str, &str)> {
        let parameters = self.parameters.iter();
        parameters.filter_map(|(name, values)| Some((name.as_str(), values.first()?.as_str())))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).first().map(String::as_str)
    }

    pub(crate) fn require(&self, name: &str) -> Result<&str, Refusal> {
        let missing = || Refusal::invalid_request(format!("the parameter `{name}` is missing"));
        self.get(name).ok_or_else(missing)
    }
}

pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| {
        let essence = value.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(content_type: &'static str) -> HeaderMap {
        let value = axum::http::HeaderValue::from_static(content_type);
        HeaderMap::from_iter([(CONTENT_TYPE, value)])
    }

    #[test]
    fn parameters_without_a_value_count_as_omitted() {
        let form = Form::read_leniently(b"scope=&audience=api.a&scope=");
        assert_eq!(form.get("scope"), None);
        assert_eq!(form.get("audience"), Some("api.a"));
    }

    #[test]
    fn repeated_parameters_are_refused() {
        let form = headers("application/x-www-form-urlencoded; charset=utf-8");
        let refusal = Form::read(&form, b"a=1&a=1").unwrap_err();
        assert_eq!(
            refusal.description,
            "the parameter `a` is there more than once"
        );
    }

    #[test]
    fn only_forms_are_read() {
        assert!(Form::read(&headers("application/json"), b"{}").is_err());
        assert!(Form::read(&HeaderMap::new(), b"a=1").is_err());
        assert!(Form::read(&headers("Application/X-WWW-Form-Urlencoded"), b"a=1").is_ok());
    }
}
