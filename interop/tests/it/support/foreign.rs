//! [`Foreign`]: a server that signs its one person in by itself, asked in lines of JSON.

use intelliauth::{
    Account, AuthorizationCode, Client, ClientBuilder, Dialect, Error, FileStore, ManualClock,
    People, Session, TokenRequest,
};
use serde_json::{Value, json};

use super::{BANKING, Folder, HEALTH, PORTAL_CALLBACK, Part, http};

/// An authorization server in a process of its own, and what one client of it keeps.
pub(crate) struct Foreign {
    part: Part,
    pub(crate) issuer: String,
    client_id: String,
    pub(crate) folder: Folder,
    pub(crate) clock: ManualClock,
}

impl Foreign {
    /// npm's `better-auth`, which answers a lost refresh again for this many seconds.
    pub(crate) fn better_auth(grace: u64) -> Self {
        let apis = json!({BANKING: "read:accounts", HEALTH: "read:records"});
        let settings = json!({"apis": apis, "grace": grace});
        Self::around(Part::node("better-auth", "server.mjs", &settings))
    }

    /// `PyPI`'s `django-oauth-toolkit`, which knows these scopes beside `openid`.
    pub(crate) fn django_oauth_toolkit() -> Self {
        let settings = json!({"scopes": ["read:accounts", "read:records"]});
        let name = "django-oauth-toolkit";
        Self::around(Part::python(name, "server.py", &settings))
    }

    fn around((part, first): (Part, Value)) -> Self {
        use intelliauth::{Clock, SystemClock};
        let text = |name: &str| first[name].as_str().unwrap().to_owned();
        Self {
            part,
            issuer: text("issuer"),
            client_id: text("client_id"),
            folder: Folder::new(),
            clock: ManualClock::at(SystemClock::new().now().wall()),
        }
    }

    pub(crate) fn people(&self, dialect: Dialect) -> ClientBuilder<People> {
        Client::for_person(&self.issuer, &self.client_id)
            .dialect(dialect)
            .store(FileStore::in_directory(self.folder.path()))
            .clock(self.clock.clone())
            .retries(0)
    }

    pub(crate) fn session(&self, dialect: Dialect) -> Session {
        self.people(dialect).build().unwrap().default_session()
    }

    /// Has the person sign in and allow what is asked.
    pub(crate) async fn sign_in(
        &mut self,
        session: &Session,
        login: AuthorizationCode,
    ) -> Result<Account, Error> {
        self.visit(session, login, false).await
    }

    /// Has the person say no.
    pub(crate) async fn cancel(&mut self, session: &Session, login: AuthorizationCode) -> Error {
        self.visit(session, login, true).await.unwrap_err()
    }

    async fn visit(
        &mut self,
        session: &Session,
        login: AuthorizationCode,
        cancel: bool,
    ) -> Result<Account, Error> {
        let (url, pending) = session.begin_sign_in(login).await?;
        let command = json!({"do": "sign_in", "url": url.as_str(), "cancel": cancel});
        let back = self.part.ask(&command);
        let back = back.as_str().unwrap();
        assert!(back.starts_with(PORTAL_CALLBACK), "{back}");
        session.finish_sign_in(&pending, back).await
    }

    /// The answers to the next so many token requests are lost on their way.
    pub(crate) fn tear(&mut self, times: u32) {
        self.part.ask(&json!({"do": "tear", "times": times}));
    }

    /// How many requests got to a path that ends so.
    pub(crate) fn count(&mut self, path: &str) -> u64 {
        let count = self.part.ask(&json!({"do": "count", "path": path}));
        count.as_u64().unwrap()
    }

    /// What a thief would find in the store: the refresh tokens.
    pub(crate) fn refresh_tokens(&self) -> Vec<String> {
        let mut tokens = Vec::new();
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap_or_default();
            let record: Value = serde_json::from_str(&text).unwrap_or_default();
            let families = record["signed_in"]["families"].as_array();
            let found = families.into_iter().flatten();
            let found = found.filter_map(|family| family["refresh_token"].as_str());
            tokens.extend(found.map(str::to_owned));
        }
        tokens
    }

    /// What the server answers a thief: the status and the error.
    pub(crate) async fn redeem(
        &self,
        endpoint: &str,
        stolen: &str,
        resource: &str,
    ) -> (u16, Value) {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", stolen),
            ("client_id", &self.client_id),
            ("resource", resource),
        ];
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = http()
            .post(format!("{}{endpoint}", self.issuer))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap_or_default();
        (status, body["error"].clone())
    }
}

/// A sign-in that comes back to where the test listens.
pub(crate) fn login() -> AuthorizationCode {
    AuthorizationCode::redirect_to(PORTAL_CALLBACK)
}

pub(crate) fn accounts() -> TokenRequest<'static> {
    TokenRequest::new(BANKING).scope("read:accounts")
}

pub(crate) fn records() -> TokenRequest<'static> {
    TokenRequest::new(HEALTH).scope("read:records")
}
