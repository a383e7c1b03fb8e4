//! A browser without scripts: one cookie jar, and forms that are sent as they stand on the page.

use std::collections::BTreeMap;

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};

use crate::support::{Reply, World, encoded};

/// A browser at one emulator.
pub(crate) struct Browser<'w> {
    world: &'w World,
    pub(crate) cookie: Option<String>,
}

/// A page: its address and what is on it.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) reply: Reply,
}

impl<'w> Browser<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        Self {
            world,
            cookie: None,
        }
    }

    /// Opens an address and follows redirects within the emulator.
    pub(crate) async fn open(&mut self, address: &str) -> Page {
        let mut page = self.get(address).await;
        while let Some(next) = self.inside(&page) {
            page = self.get(&next).await;
        }
        page
    }

    /// Sends the form with these fields, and follows redirects within the emulator.
    pub(crate) async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let mut page = self.post(path, fields).await;
        while let Some(next) = self.inside(&page) {
            page = self.get(&next).await;
        }
        page
    }

    /// Signs in on the sign-in page.
    pub(crate) async fn sign_in(&mut self, page: &Page, who: (&str, &str)) -> Page {
        let fields = [
            ("csrf", page.hidden("csrf")),
            ("ticket", page.hidden("ticket")),
            ("email", who.0.to_owned()),
            ("password", who.1.to_owned()),
        ];
        self.submit("/sign-in", &borrowed(&fields)).await
    }

    /// Presses a button of the page's form.
    pub(crate) async fn press(&mut self, page: &Page, path: &str, action: &str) -> Page {
        let fields = [
            ("csrf", page.hidden("csrf")),
            ("ticket", page.hidden("ticket")),
            ("action", action.to_owned()),
        ];
        self.submit(path, &borrowed(&fields)).await
    }

    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let request = self.world.http().post(self.world.emulator.url(path));
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(encoded(fields))).await
    }

    /// Opens an address and follows nothing.
    pub(crate) async fn get_raw(&mut self, address: &str) -> Page {
        self.get(address).await
    }

    async fn get(&mut self, address: &str) -> Page {
        let address = match address.strip_prefix('/') {
            Some(_) => format!("{}{address}", self.world.emulator.issuer()),
            None => address.to_owned(),
        };
        self.send(self.world.http().get(address)).await
    }

    async fn send(&mut self, mut request: reqwest::RequestBuilder) -> Page {
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let reply = Reply::of(request).await.unwrap();
        if let Some(cookie) = reply.header(SET_COOKIE.as_str()) {
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        Page { reply }
    }

    #[expect(clippy::unused_self, reason = "it reads as a question to the browser")]
    fn inside(&self, page: &Page) -> Option<String> {
        let location = page.reply.header(LOCATION.as_str())?;
        location.starts_with('/').then(|| location.to_owned())
    }
}

impl Page {
    /// The name of the page, as it stands in `data-page`.
    pub(crate) fn name(&self) -> String {
        self.between("data-page=\"").unwrap_or_default()
    }

    pub(crate) fn hidden(&self, name: &str) -> String {
        self.between(&format!("name=\"{name}\" value=\""))
            .unwrap_or_default()
    }

    pub(crate) fn heading(&self) -> String {
        self.between("<h1>").unwrap_or_default()
    }

    pub(crate) fn error_code(&self) -> String {
        self.between("<code>").unwrap_or_default()
    }

    /// Where the browser is sent, outside of the emulator.
    pub(crate) fn location(&self) -> Option<reqwest::Url> {
        self.reply
            .header("location")
            .map(|location| location.parse().unwrap())
    }

    /// A parameter of the callback.
    pub(crate) fn callback(&self, name: &str) -> Option<String> {
        let location = self
            .location()
            .unwrap_or_else(|| panic!("no callback: {self:?}"));
        crate::person::parameter(&location, name)
    }

    /// The scopes on the consent page, and which of them are marked as new.
    pub(crate) fn scopes(&self) -> BTreeMap<String, bool> {
        let items = self.reply.text.split("data-scope=\"").skip(1);
        let read = items.map(|item| {
            let (scope, rest) = item.split_once('"').unwrap();
            (scope.to_owned(), rest.contains("data-new=\"true\""))
        });
        read.collect()
    }

    fn between(&self, before: &str) -> Option<String> {
        let (_, after) = self.reply.text.split_once(before)?;
        let end = after.find(['"', '<']).unwrap_or(after.len());
        Some(after[..end].to_owned())
    }
}

fn borrowed<'f>(fields: &'f [(&'f str, String)]) -> Vec<(&'f str, &'f str)> {
    fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}
