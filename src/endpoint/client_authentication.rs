//! How the client proves who it is at the token endpoint (RFC 6749 section 2.3).

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    HeaderValue, Request,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::{discovery::Metadata, secret_source::SecretSource};
use crate::{
    error::{Error, Violation},
    secret::{Secret, Wiped},
};

/// How the client proves who it is at the token endpoint.
///
/// Without a choice the issuer's metadata decides (`token_endpoint_auth_methods_supported`): Basic
/// where it is offered or nothing is said, else Post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// `client_secret_basic`: HTTP Basic, id and secret form-encoded first (RFC 6749 section 2.3.1).
    Basic,
    /// `client_secret_basic` with id and secret as they are, for servers that do not decode them.
    BasicRaw,
    /// `client_secret_post`: id and secret in the body.
    Post,
    /// `none`: a public client, which only names itself.
    None,
}

/// Who the client is, and how it was told to prove it.
#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) client_id: String,
    pub(super) secret: SecretSource,
    pub(super) configured: Option<ClientAuthentication>,
    pub(super) raw_basic: bool,
}

impl Credentials {
    /// The configured method, else the one that fits the issuer's metadata.
    pub(super) fn method(&self, metadata: &Metadata) -> Result<ClientAuthentication, Error> {
        if let Some(configured) = self.configured {
            return Ok(configured);
        }
        if self.secret.is_none() {
            return Ok(ClientAuthentication::None);
        }
        let basic = if self.raw_basic {
            ClientAuthentication::BasicRaw
        } else {
            ClientAuthentication::Basic
        };
        // RFC 8414 section 2: without the member, client_secret_basic is what there is.
        let Some(offered) = &metadata.authentication_methods else {
            return Ok(basic);
        };
        let offers = |name| offered.iter().any(|method| method == name);
        if offers("client_secret_basic") {
            Ok(basic)
        } else if offers("client_secret_post") {
            Ok(ClientAuthentication::Post)
        } else {
            let problem = format!(
                "the client has a secret, and the issuer offers no authentication by one, only {offered:?}: \
                 leave the secret out, or say what the issuer takes all the same with \
                 ClientBuilder::client_authentication"
            );
            Err(Error::protocol(None, Violation::Metadata(problem)))
        }
    }

    /// A form to post with the client's credentials.
    pub(super) fn request(
        &self,
        method: ClientAuthentication,
        endpoint: &Url,
        form: &[(&str, Cow<'_, str>)],
        secret: Option<&Secret>,
    ) -> Request<Vec<u8>> {
        let secret = secret.map_or("", Secret::expose);
        let mut request = Request::new(self.body(method, form, secret));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = endpoint.as_str().parse().unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        match method {
            ClientAuthentication::Basic => {
                let encode = |text: &str| {
                    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
                };
                set_basic(
                    &mut request,
                    &encode(&self.client_id),
                    &Zeroizing::new(encode(secret)),
                );
            }
            ClientAuthentication::BasicRaw => set_basic(&mut request, &self.client_id, secret),
            ClientAuthentication::Post | ClientAuthentication::None => {}
        }
        request
    }

    fn body(
        &self,
        method: ClientAuthentication,
        form: &[(&str, Cow<'_, str>)],
        secret: &str,
    ) -> Vec<u8> {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form);
        let is_basic = matches!(
            method,
            ClientAuthentication::Basic | ClientAuthentication::BasicRaw
        );
        if !is_basic {
            body.append_pair("client_id", &self.client_id);
        }
        if method == ClientAuthentication::Post {
            body.append_pair("client_secret", secret);
        }
        body.finish().into_bytes()
    }

    /// Replaces whatever stands in the header by the id and secret as they are.
    pub(super) fn set_raw_basic(&self, request: &mut Request<Vec<u8>>, secret: Option<&Secret>) {
        let secret = secret.map_or("", Secret::expose);
        set_basic(request, &self.client_id, secret);
    }
}

fn set_basic(request: &mut Request<Vec<u8>>, id: &str, secret: &str) {
    let pair = Zeroizing::new(format!("{id}:{secret}"));
    let value = Wiped::new(format!(
        "Basic {}",
        *Zeroizing::new(STANDARD.encode(pair.as_bytes()))
    ));
    // Base64 is always a valid header value.
    if let Ok(mut value) = HeaderValue::from_maybe_shared(Bytes::from_owner(value)) {
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(secret: Option<&str>) -> Credentials {
        Credentials {
            client_id: "app 1".to_owned(),
            secret: secret.map_or(SecretSource::None, |secret| {
                SecretSource::fixed(secret.into())
            }),
            configured: None,
            raw_basic: false,
        }
    }

    fn metadata(methods: Option<&[&str]>) -> Metadata {
        Metadata {
            token_endpoint: Some(Url::parse("https://a.example/token/").unwrap()),
            authentication_methods: methods.map(|m| m.iter().map(ToString::to_string).collect()),
            ..Metadata::default()
        }
    }

    #[test]
    fn the_metadata_decides_unless_told_otherwise() {
        let method = |methods| credentials(Some("s")).method(&metadata(methods));
        assert_eq!(method(None).unwrap(), ClientAuthentication::Basic);
        assert_eq!(
            method(Some(&["client_secret_post"])).unwrap(),
            ClientAuthentication::Post
        );
        assert_eq!(
            method(Some(&["client_secret_post", "client_secret_basic"])).unwrap(),
            ClientAuthentication::Basic
        );
        assert!(
            method(Some(&["private_key_jwt"]))
                .unwrap_err()
                .to_string()
                .contains("private_key_jwt")
        );
        let public = credentials(None).method(&metadata(Some(&["client_secret_basic"])));
        assert_eq!(public.unwrap(), ClientAuthentication::None);
    }

    #[test]
    fn basic_is_form_encoded_and_raw_basic_is_not() {
        let secret = "+%&=:/ x";
        let header = |method| {
            let endpoint = Url::parse("https://a.example/token/").unwrap();
            let request = credentials(None).request(
                method,
                &endpoint,
                &[("a", "b".into())],
                Some(&secret.into()),
            );
            assert_eq!(request.uri(), "https://a.example/token/", "used verbatim");
            assert_eq!(request.body(), b"a=b");
            let value = request.headers()[AUTHORIZATION]
                .to_str()
                .unwrap()
                .to_owned();
            String::from_utf8(
                STANDARD
                    .decode(value.strip_prefix("Basic ").unwrap())
                    .unwrap(),
            )
            .unwrap()
        };
        assert_eq!(
            header(ClientAuthentication::Basic),
            "app+1:%2B%25%26%3D%3A%2F+x"
        );
        assert_eq!(header(ClientAuthentication::BasicRaw), "app 1:+%&=:/ x");
    }

    #[test]
    fn a_secret_in_the_body_is_form_encoded() {
        let endpoint = Url::parse("https://a.example/token").unwrap();
        let secret = Secret::from("a&b");
        let request =
            credentials(None).request(ClientAuthentication::Post, &endpoint, &[], Some(&secret));
        assert_eq!(request.body(), b"client_id=app+1&client_secret=a%26b");
        assert!(request.headers().get(AUTHORIZATION).is_none());
    }
}
