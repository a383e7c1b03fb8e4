//! Ending the session that a person's browser has at the issuer (`OpenID` Connect RP-Initiated Logout 1.0).

use std::{fmt, sync::Arc, time::Duration};

use oauth2::CsrfToken;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use url::Url;

use super::{
    loopback::{Judge, Loopback},
    sign_in::{callback, open_browser},
};
use crate::{
    error::{Error, Violation},
    secret::{self, Secret},
};

/// How a person signs out at the issuer too: through a page of the issuer, in their browser.
///
/// For [`Session::begin_sign_out`](crate::Session::begin_sign_out) and
/// [`Session::sign_out_in_browser`](crate::Session::sign_out_in_browser). The address to come back to has to be
/// registered at the issuer, as one for after a sign-out.
#[must_use]
pub struct EndSession {
    back: Back,
    announce: Arc<dyn Fn(&Url) + Send + Sync>,
    opens_browser: bool,
    time_limit: Duration,
}

#[derive(Clone, Debug)]
enum Back {
    /// The person stays at the issuer's page.
    Nowhere,
    Redirect(String),
    Loopback {
        ports: Vec<u16>,
        path: String,
    },
}

/// What has to be kept while a person signs out at the issuer. It holds no secret of theirs.
#[derive(Clone, Serialize, Deserialize)]
pub struct PendingLogout {
    #[serde(with = "secret::written")]
    state: Secret,
    redirect_uri: String,
}

impl EndSession {
    /// Stays at the issuer's page.
    pub fn at_issuer() -> Self {
        Self::new(Back::Nowhere)
    }

    /// Comes back to `uri` (`post_logout_redirect_uri`), which the application listens at itself.
    pub fn redirect_to(uri: impl Into<String>) -> Self {
        Self::new(Back::Redirect(uri.into()))
    }

    /// Comes back to `http://127.0.0.1:<port>/signed-out`, a port of this machine that is listened at meanwhile.
    pub fn loopback() -> Self {
        Self::new(Back::Loopback {
            ports: Vec::new(),
            path: "/signed-out".to_owned(),
        })
    }

    fn new(back: Back) -> Self {
        Self {
            back,
            announce: Arc::new(|url| tracing::debug!(path = url.path(), "sign out there")),
            opens_browser: true,
            time_limit: TIME_LIMIT,
        }
    }

    /// Listens at the first of these ports that is free; at any by default. For a loopback address alone.
    pub fn ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        if let Back::Loopback { ports: own, .. } = &mut self.back {
            *own = ports.into_iter().collect();
        }
        self
    }

    /// The path of the loopback address; `/signed-out` by default.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        if let Back::Loopback { path: own, .. } = &mut self.back {
            *own = path.into();
        }
        self
    }

    /// Called with the page's URL before the browser opens, on a thread where it may block.
    ///
    /// The URL has the ID token in it, which names the person: it is not for logs.
    pub fn announce(mut self, announce: impl Fn(&Url) + Send + Sync + 'static) -> Self {
        self.announce = Arc::new(announce);
        self
    }

    /// Opens no browser: the person follows the announced URL.
    pub fn without_browser(mut self) -> Self {
        self.opens_browser = false;
        self
    }

    /// How long the person may take to come back; 180 s by default.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// The URL for a person who comes back to an address of the application's own, or not at all.
    pub(crate) fn away(&self, leaving: &Leaving<'_>) -> Result<(Url, PendingLogout), Error> {
        match &self.back {
            Back::Nowhere => Ok(leaving.url(None)),
            Back::Redirect(uri) => Ok(leaving.url(Some(uri))),
            Back::Loopback { .. } => Err(Error::request(
                "a loopback sign-out listens itself: use Session::sign_out_in_browser, or redirect_to",
            )),
        }
    }

    /// Listens where the person comes back to, and says where they are sent.
    pub(crate) async fn listening(self, leaving: &Leaving<'_>) -> Result<ComingBack, Error> {
        let loopback = match &self.back {
            Back::Loopback { ports, path } => {
                Some(Loopback::bind(ports, path).await?.for_sign_out())
            }
            Back::Nowhere | Back::Redirect(_) => None,
        };
        let (url, pending) = match (&loopback, &self.back) {
            (Some(loopback), _) => leaving.url(Some(&loopback.redirect_uri())),
            (None, Back::Redirect(uri)) => leaving.url(Some(uri)),
            (None, _) => leaving.url(None),
        };
        Ok(ComingBack {
            how: self,
            loopback,
            url,
            pending,
        })
    }
}

/// What a person is sent away with.
pub(crate) struct Leaving<'a> {
    pub(crate) endpoint: Url,
    pub(crate) client_id: &'a str,
    pub(crate) id_token: Option<Secret>,
}

impl Leaving<'_> {
    /// Section 2: `id_token_hint` says whose session it is, and `client_id` whose address they come back to.
    fn url(&self, back: Option<&str>) -> (Url, PendingLogout) {
        let pending = PendingLogout {
            state: Secret::from(CsrfToken::new_random().into_secret()),
            redirect_uri: back.unwrap_or_default().to_owned(),
        };
        let mut url = self.endpoint.clone();
        let mut query = url.query_pairs_mut();
        query.append_pair("client_id", self.client_id);
        if let Some(id_token) = &self.id_token {
            query.append_pair("id_token_hint", id_token.expose());
        }
        if let Some(back) = back {
            query
                .append_pair("post_logout_redirect_uri", back)
                .append_pair("state", pending.state.expose());
        }
        drop(query);
        (url, pending)
    }
}

/// A person who is about to be sent away.
pub(crate) struct ComingBack {
    how: EndSession,
    loopback: Option<Loopback>,
    url: Url,
    pending: PendingLogout,
}

impl ComingBack {
    /// Sends the person away, and waits until they are back where that can be known.
    pub(crate) async fn wait(self) -> Result<(), Error> {
        let Self {
            how,
            loopback,
            url,
            pending,
        } = self;
        let (announce, shown) = (Arc::clone(&how.announce), url.clone());
        let announced = callback(move || announce(&shown)).await;
        if how.opens_browser {
            open_browser(&url);
        } else {
            announced?;
        }
        let Some(loopback) = loopback else {
            return Ok(());
        };
        let judge: Judge<()> = Arc::new(move |target| pending.accept(target));
        match timeout(how.time_limit, loopback.answer(judge)).await {
            Ok(answered) => {
                let ((), page) = answered?;
                page.show_signed_out().await;
                Ok(())
            }
            Err(_elapsed) => Err(Error::request(
                "the person did not come back from the issuer's page in time: the session here has ended, and whether the \
                 one there has is not known; an address that is not registered for after a sign-out shows its \
                 error there",
            )),
        }
    }
}

impl PendingLogout {
    /// Whether `callback`, the URL that the person came back to, is the answer to this sign-out.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] if its `state` is another one's: then it says nothing about this person.
    pub fn accept(&self, callback: &str) -> Result<(), Error> {
        let violation = |problem| Error::protocol(None, Violation::Callback(problem));
        let expected = Url::parse(&self.redirect_uri)
            .map_err(|_unshown| Error::request("this sign-out comes back to no address"))?;
        let url = expected
            .join(callback.trim())
            .map_err(|_unshown| Error::request("the answer is not a valid URL: pass all of it"))?;
        if url.path() != expected.path() {
            return Err(violation(
                "it came to another path than the one that was named",
            ));
        }
        let mut states = url.query_pairs().filter(|(name, _)| name == "state");
        let is_ours = match (states.next(), states.next()) {
            (Some((_, state)), None) => secret::is_equal(&state, self.state.expose()),
            _ => false,
        };
        is_ours
            .then_some(())
            .ok_or_else(|| violation("its state is not the one that was sent"))
    }
}

impl fmt::Debug for EndSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndSession")
            .field("back", &self.back)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PendingLogout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingLogout")
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}

/// As long as for a sign-in.
const TIME_LIMIT: Duration = Duration::from_secs(180);
