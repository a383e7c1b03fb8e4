//! A person in a test: signs in by hand, and the rest is up to the client.

use intelliauth::{
    Account, AuthorizationCode, Client, ClientBuilder, Error, People, Session, TokenRequest,
};
use serde_json::{Value, json};
use url::Url;
use wiremock::{Mock, ResponseTemplate, matchers};

use super::{CLIENT_ID, Server, TokenMock};

pub(crate) const REDIRECT: &str = "https://app.example/callback";
pub(crate) const BANKING: &str = "api.banking";
pub(crate) const HEALTH: &str = "api.health";

impl Server {
    /// A server that people can sign in at, as far as its metadata is concerned.
    pub(crate) async fn for_people() -> Self {
        let server = Self::bare().await;
        let mut document = server.metadata();
        document["authorization_endpoint"] = json!(server.url("/oauth2/authorize"));
        document["revocation_endpoint"] = json!(server.url("/oauth2/revoke"));
        server.json(super::DISCOVERY_PATH, 200, &document).await;
        server
    }

    /// The next so many reads of the metadata find an issuer in trouble.
    pub(crate) async fn metadata_fails(&self, times: u64) {
        Mock::given(matchers::method("GET"))
            .and(matchers::path(super::DISCOVERY_PATH))
            .respond_with(ResponseTemplate::new(503))
            .up_to_n_times(times)
            .with_priority(1)
            .expect(times)
            .mount(&self.mock)
            .await;
    }

    /// A client of people, on this clock, that tries each request once.
    pub(crate) fn person(&self) -> ClientBuilder<People> {
        Client::for_person(self.issuer(), CLIENT_ID)
            .clock(self.clock.clone())
            .retries(0)
    }

    /// The answer to this refresh token.
    pub(crate) fn refresh(&self, refresh_token: &str) -> TokenMock<'_> {
        self.token()
            .with_parameter("grant_type", "refresh_token")
            .with_parameter("refresh_token", refresh_token)
    }

    /// The answer to this refresh token: a new one comes with it.
    pub(crate) fn rotates(&self, refresh_token: &str, new: &str) -> TokenMock<'_> {
        self.refresh(refresh_token)
            .member("refresh_token", json!(new))
    }

    /// How many requests redeemed a refresh token.
    pub(crate) async fn redemptions(&self) -> Vec<String> {
        let requests = self.token_requests().await;
        requests
            .iter()
            .map(|seen| seen.parameter("refresh_token").to_owned())
            .filter(|token| !token.is_empty())
            .collect()
    }

    /// The tokens that were revoked, in their order.
    pub(crate) async fn revoked(&self) -> Vec<String> {
        let requests = self.mock.received_requests().await.unwrap_or_default();
        let revocations = requests
            .iter()
            .filter(|request| request.url.path() == "/oauth2/revoke");
        let tokens = revocations.flat_map(|request| {
            let form = url::form_urlencoded::parse(&request.body);
            form.filter(|(name, _)| name == "token")
                .map(|(_, value)| value.into_owned())
                .collect::<Vec<_>>()
        });
        tokens.collect()
    }

    /// Signs somebody in for two audiences; the refresh token is `R0` and no access token is left over.
    pub(crate) async fn sign_in(&self, session: &Session) -> Account {
        self.sign_in_as(session, json!("R0"), &[BANKING, HEALTH])
            .await
    }

    pub(crate) async fn sign_in_as(
        &self,
        session: &Session,
        refresh_token: Value,
        audiences: &[&str],
    ) -> Account {
        let code = format!("code-{}", fastrand_like(self).await);
        self.token()
            .with_parameter("code", &code)
            .member("refresh_token", refresh_token)
            // So short that nobody uses it: each test starts with a refresh.
            .grants(1)
            .mount()
            .await;
        sign_in_with(session, &code, audiences).await.unwrap()
    }
}

/// A number that no other sign-in of this server has.
async fn fastrand_like(server: &Server) -> usize {
    server.count().await
}

/// Plays the person and their browser.
pub(crate) async fn sign_in_with(
    session: &Session,
    code: &str,
    audiences: &[&str],
) -> Result<Account, Error> {
    let login = audiences.iter().fold(
        AuthorizationCode::redirect_to(REDIRECT),
        |login, audience| {
            login.request(TokenRequest::new(*audience).scope(format!("read:{audience}")))
        },
    );
    let (url, pending) = session.begin_sign_in(login).await?;
    session
        .finish_sign_in(&pending, &callback(&url, code))
        .await
}

/// Where the person's browser is sent after they said yes.
pub(crate) fn callback(url: &Url, code: &str) -> String {
    let state = url
        .query_pairs()
        .find(|(name, _)| name == "state")
        .map(|(_, value)| value.into_owned())
        .unwrap();
    format!("{REDIRECT}?code={code}&state={state}")
}
