//! [`Person`]: somebody with a browser of their own, at the pages that `oidc-provider` brings.

use std::{collections::BTreeMap, sync::Mutex};

use reqwest::{Response, header, redirect::Policy};
use url::Url;

/// Somebody who fills in the forms of one server, and whose browser keeps its cookies.
///
/// The pages take any name with any password.
pub(crate) struct Person {
    name: String,
    http: reqwest::Client,
    cookies: Mutex<BTreeMap<String, String>>,
}

/// What a person saw, and where it ended.
#[derive(Debug)]
pub(crate) struct Visit {
    /// The pages on the way, as they were written.
    pub(crate) pages: Vec<String>,
    /// Where the browser was sent back to; nothing if the last page was the end.
    pub(crate) callback: Option<String>,
}

/// What a person says when they are asked to consent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Allow,
    Deny,
}

impl Person {
    pub(crate) fn new(name: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy();
        Self {
            name: name.to_owned(),
            http: http.redirect(Policy::none()).build().unwrap(),
            cookies: Mutex::default(),
        }
    }

    /// Signs in where that is asked, and allows what is asked.
    pub(crate) async fn approve(&self, page: &Url) -> Visit {
        self.visit(page, Word::Allow).await
    }

    /// Signs in where that is asked, and then says no.
    pub(crate) async fn deny(&self, page: &Url) -> Visit {
        self.visit(page, Word::Deny).await
    }

    async fn visit(&self, page: &Url, word: Word) -> Visit {
        let mut pages = Vec::new();
        let mut at = page.clone();
        let mut form = None;
        // Sign-in and consent take six requests.
        for _ in 0..20 {
            let response = self.send(&at, form.take()).await;
            if response.status().is_redirection() {
                let location = response.headers()[header::LOCATION].to_str().unwrap();
                at = at.join(location).unwrap();
                if at.origin() != page.origin() {
                    let callback = Some(at.into());
                    return Visit { pages, callback };
                }
                continue;
            }
            let html = response.text().await.unwrap();
            let next = self.answer(&html, word);
            pages.push(html);
            let Some((address, fields)) = next else {
                let callback = None;
                return Visit { pages, callback };
            };
            (at, form) = (at.join(&address).unwrap(), fields);
        }
        panic!("{} never comes to an end: {pages:#?}", self.name);
    }

    /// Where the form of this page goes, or another way out of it; nothing if it has none.
    fn answer(&self, html: &str, word: Word) -> Option<(String, Option<Fields>)> {
        let action = between(html, "action=\"", "\"")?.to_owned();
        let mut fields = hidden(html);
        let is_denial = word == Word::Deny;
        if html.contains("name=\"login\"") {
            fields.push(("login".to_owned(), self.name.clone()));
            fields.push(("password".to_owned(), "any".to_owned()));
        } else if is_denial && html.contains("name=\"prompt\" value=\"consent\"") {
            let way_out = between(html, "<a href=\"", "\"").unwrap();
            return Some((way_out.to_owned(), None));
        } else if is_denial && html.contains("name=\"abort\"") {
            fields.push(("abort".to_owned(), "yes".to_owned()));
        } else if html.contains("id=\"op.deviceInputForm\"") {
            // Nobody knows the code here, or it was just refused.
            return None;
        }
        Some((action, Some(fields)))
    }

    async fn send(&self, to: &Url, form: Option<Fields>) -> Response {
        let request = match form {
            None => self.http.get(to.clone()),
            Some(fields) => {
                let mut body = form_urlencoded::Serializer::new(String::new());
                body.extend_pairs(fields);
                let request = self.http.post(to.clone()).body(body.finish());
                request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            }
        };
        let cookies: Vec<String> = {
            let known = self.cookies.lock().unwrap();
            known.iter().map(|(k, v)| format!("{k}={v}")).collect()
        };
        let request = request
            .header(header::ACCEPT, "text/html")
            .header(header::COOKIE, cookies.join("; "));
        let response = request.send().await.unwrap();
        self.keep_cookies(&response);
        response
    }

    /// Each is for a path of its own, but a newer one with the same name is always the one to send.
    fn keep_cookies(&self, response: &Response) {
        let mut known = self.cookies.lock().unwrap();
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = cookie.split_once('=').unwrap();
            if value.is_empty() {
                known.remove(name);
            } else {
                known.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

impl Visit {
    /// Where the person came back to.
    pub(crate) fn callback(&self) -> &str {
        let callback = self.callback.as_deref();
        callback.unwrap_or_else(|| panic!("the person is still there: {:#?}", self.pages))
    }

    /// The headings of the pages, in order.
    pub(crate) fn headings(&self) -> Vec<&str> {
        let pages = self.pages.iter();
        pages
            .filter_map(|page| between(page, "<h1>", "</h1>"))
            .collect()
    }

    /// The items of the page that asked for consent, one after the other.
    pub(crate) fn consent(&self) -> String {
        let mut pages = self.pages.iter();
        let page = pages.find(|page| page.contains("value=\"consent\""));
        let list = between(page.expect("there was one"), "<ul>", "<form").unwrap();
        let text = list.replace("<li>", " ").replace("</li>", " ");
        let text = text.replace("<ul>", " ").replace("</ul>", " ");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

type Fields = Vec<(String, String)>;

fn hidden(html: &str) -> Fields {
    let inputs = html.split("<input type=\"hidden\" ").skip(1);
    let field = |input: &str| {
        let name = between(input, "name=\"", "\"").unwrap();
        let value = between(input, "value=\"", "\"").unwrap();
        (name.to_owned(), value.to_owned())
    };
    inputs.map(field).collect()
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(found, _)| found)
}
