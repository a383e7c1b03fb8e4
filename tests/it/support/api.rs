//! An API that answers as a test likes, and keeps what it was sent.

use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers};

use super::VerifiedElsewhere;

/// An API that looks at the token of each request.
pub(crate) struct Api(VerifiedElsewhere);

impl Api {
    /// Answers by the token that comes: empty if none does.
    pub(crate) async fn answering(
        answer: impl Fn(&str) -> ResponseTemplate + Send + Sync + 'static,
    ) -> Self {
        let mock = MockServer::start().await;
        Mock::given(matchers::any())
            .respond_with(move |request: &Request| answer(&token(request)))
            .mount(&mock)
            .await;
        Self(VerifiedElsewhere(Some(mock)))
    }

    /// Takes any token but these, which it challenges like this.
    pub(crate) async fn refusing(
        tokens: &'static [&'static str],
        status: u16,
        challenge: &'static str,
    ) -> Self {
        Self::answering(move |token| {
            if tokens.contains(&token) {
                refusal(status, challenge)
            } else {
                ResponseTemplate::new(200).set_body_string("done")
            }
        })
        .await
    }

    pub(crate) fn url(&self) -> String {
        self.0.uri()
    }

    /// The tokens of the requests that came, in their order.
    pub(crate) async fn tokens(&self) -> Vec<String> {
        let requests = self.0.received_requests().await.unwrap_or_default();
        requests.iter().map(token).collect()
    }
}

pub(crate) fn refusal(status: u16, challenge: &str) -> ResponseTemplate {
    let answer = ResponseTemplate::new(status).set_body_string("refused");
    answer.insert_header("www-authenticate", challenge)
}

/// A client that knows no proxy.
pub(crate) fn plain() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn token(request: &Request) -> String {
    let value = request.headers.get("authorization");
    let value = value.and_then(|value| value.to_str().ok());
    value.map_or_else(String::new, |value| {
        value.strip_prefix("Bearer ").unwrap_or(value).to_owned()
    })
}
