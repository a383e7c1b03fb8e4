//! Either way to have a person sign in.

use std::sync::Arc;

use tokio::time::timeout;
use url::Url;

use super::{
    Authorization, AuthorizationCode, DeviceCode, PendingLogin, Prompt,
    authorization_code::{Back, PasteBack},
    device_code::DeviceTokens,
    loopback::{AwaitedPage, Judge, Loopback},
};
use crate::{
    endpoint::Endpoint,
    error::Error,
    secret::Secret,
    session::{LoginTokens, PromptRequest},
    time::TimeSource,
};

/// How a person signs in: [`AuthorizationCode`] or [`DeviceCode`].
#[derive(Debug)]
pub struct SignIn(How);

#[derive(Debug)]
enum How {
    AuthorizationCode(Box<AuthorizationCode>),
    DeviceCode(Box<DeviceCode>),
}

impl From<AuthorizationCode> for SignIn {
    fn from(login: AuthorizationCode) -> Self {
        Self(How::AuthorizationCode(Box::new(login)))
    }
}

impl From<DeviceCode> for SignIn {
    fn from(login: DeviceCode) -> Self {
        Self(How::DeviceCode(Box::new(login)))
    }
}

impl SignIn {
    /// What the prompt asks of the person.
    pub(crate) fn prompt_request(&self, is_step_up: bool) -> PromptRequest {
        let (requested, prompt) = match &self.0 {
            How::AuthorizationCode(login) => (&login.requested, login.prompt),
            How::DeviceCode(login) => (&login.requested, None),
        };
        PromptRequest {
            asked: requested.asked().to_vec(),
            is_step_up,
            is_silent: prompt == Some(Prompt::None),
        }
    }

    /// Whether another prompt for the same APIs would do: not if this one has more to it.
    pub(crate) fn can_be_shared(&self) -> bool {
        match &self.0 {
            How::AuthorizationCode(login) => {
                login.parameters.is_empty() && login.prompt.is_none() && login.max_age.is_none()
            }
            How::DeviceCode(_) => true,
        }
    }

    /// The same, asking for what `error` needs and for all that the session covered before.
    pub(crate) fn going_on(self, error: &Error) -> Self {
        let Some((asked, resume)) = error.person_needed() else {
            return self;
        };
        Self(match self.0 {
            How::AuthorizationCode(login) => {
                let login = login.going_on(asked, resume);
                How::AuthorizationCode(Box::new(match error {
                    Error::StepUp(step_up) => login.anew(step_up.acr_values()),
                    _ => login,
                }))
            }
            How::DeviceCode(login) => How::DeviceCode(Box::new(login.going_on(asked, resume))),
        })
    }

    /// Runs the person's part of the sign-in.
    pub(crate) async fn run(
        self,
        endpoint: &Arc<Endpoint>,
        session: &str,
        clock: &TimeSource,
    ) -> Result<LoginGrant, Error> {
        match self.0 {
            How::AuthorizationCode(login) => {
                let authorization = endpoint.authorization().await?;
                login.code(authorization, session, clock).await
            }
            How::DeviceCode(login) => {
                let answered = login.run(endpoint, clock).await?;
                Ok(LoginGrant::Reply(Box::new(answered)))
            }
        }
    }
}

/// What the person's part of a sign-in ended with: what follows needs no person.
pub(crate) enum LoginGrant {
    Code {
        pending: Box<PendingLogin>,
        code: Secret,
        /// Where the person's browser waits to hear whether it worked.
        page: Option<AwaitedPage>,
    },
    Reply(Box<DeviceTokens>),
}

impl LoginGrant {
    /// The grant of a callback that a web back end, or another listener at the redirect URI, received.
    pub(crate) fn by_callback(pending: PendingLogin, code: Secret) -> Self {
        let (pending, page) = (Box::new(pending), None);
        Self::Code {
            pending,
            code,
            page,
        }
    }

    /// The page that is still to be shown.
    pub(crate) fn take_page(&mut self) -> Option<AwaitedPage> {
        match self {
            Self::Code { page, .. } => page.take(),
            Self::Reply(_) => None,
        }
    }

    /// Redeems what has to be redeemed, and finds out who it was.
    pub(crate) async fn obtain(
        self,
        endpoint: &Arc<Endpoint>,
        clock: &TimeSource,
    ) -> Result<LoginTokens, Error> {
        match self {
            Self::Code { pending, code, .. } => pending.redeem(endpoint, &code, clock).await,
            Self::Reply(answered) => answered.obtain(endpoint, clock).await,
        }
    }
}

impl AuthorizationCode {
    /// Sends the person to the issuer and waits for the code that they come back with.
    async fn code(
        mut self,
        authorization: Authorization,
        session: &str,
        clock: &TimeSource,
    ) -> Result<LoginGrant, Error> {
        let loopback = match &self.back {
            Back::Loopback { ports, path } => Some(Loopback::bind(ports, path).await?),
            Back::Redirect(_) if self.paste_back.is_some() => None,
            Back::Redirect(_) => {
                return Err(Error::request(
                    "the application listens at the redirect URI itself: use Session::begin_sign_in and finish_sign_in, or paste_back",
                ));
            }
        };
        let redirect_uri = match (&loopback, &self.back) {
            (Some(loopback), _) => loopback.redirect_uri(),
            (None, Back::Redirect(uri)) => uri.clone(),
            (None, Back::Loopback { .. }) => String::new(),
        };
        let (url, pending) = self.begin_at(&redirect_uri, &authorization, session, clock.now())?;
        let judge: Judge<Secret> = {
            let (pending, clock) = (pending.clone(), clock.clone());
            Arc::new(move |callback| pending.accept(callback, &authorization, clock.now()))
        };
        let (announce, shown) = (Arc::clone(&self.announce), url.clone());
        let announced = callback(move || announce(&shown)).await;
        if self.opens_browser {
            open_browser(&url);
        } else {
            // No other way leads the person to the page.
            announced?;
        }
        let paste_back = self.paste_back.take();
        let answer = first_answer(loopback, paste_back, judge);
        let Ok(answered) = timeout(self.time_limit, answer).await else {
            return Err(Error::nobody_came(&self.requested.first()));
        };
        let (code, page) = answered?;
        Ok(LoginGrant::Code {
            pending: Box::new(pending),
            code,
            page,
        })
    }
}

/// The code from the loopback port or from what is pasted, whichever comes first.
async fn first_answer(
    loopback: Option<Loopback>,
    paste_back: Option<PasteBack>,
    judge: Judge<Secret>,
) -> Result<(Secret, Option<AwaitedPage>), Error> {
    let pasting = Arc::clone(&judge);
    let pasted = async move {
        match paste_back {
            Some(source) => match source.await {
                Ok(line) => match pasting(&line) {
                    // That was no answer: the browser may still come back.
                    Err(Error::Request(_)) => std::future::pending().await,
                    outcome => outcome,
                },
                Err(_) => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    };
    let came_back = async move {
        match loopback {
            Some(loopback) => loopback.answer(judge).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        answer = came_back => answer.map(|(code, page)| (code, Some(page))),
        code = pasted => code.map(|code| (code, None)),
    }
}

/// Calls what the application gave, where it may block; an error if it panicked, and so may have shown nothing.
pub(super) async fn callback(call: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    let called = tokio::task::spawn_blocking(call).await;
    called.map_err(|_its_panic_was_reported| {
        Error::request("the program's callback, which shows the person how to go on, has panicked")
    })
}

/// Opens the system's browser on a thread of its own: some browsers do not return before they close.
#[cfg(feature = "browser")]
pub(super) fn open_browser(url: &Url) {
    let url = url.to_string();
    let open = move || {
        if let Err(error) = webbrowser::open(&url) {
            tracing::debug!(kind = ?error.kind(), "no browser opened, the person has the URL");
        }
    };
    let thread = std::thread::Builder::new()
        .name("sign-in browser".to_owned())
        .spawn(open);
    if thread.is_err() {
        tracing::debug!("no thread to open a browser, the person has the URL");
    }
}

#[cfg(not(feature = "browser"))]
pub(super) fn open_browser(_url: &Url) {}

impl Endpoint {
    /// Where a person is sent.
    pub(crate) async fn authorization(&self) -> Result<Authorization, Error> {
        // An authentication that the token endpoint would refuse is reported before the person is asked.
        let found = self.authorization_endpoint(false).await?.authenticated()?;
        let endpoint = found.url.ok_or_else(|| {
            Error::request(
                "the issuer's metadata names no authorization_endpoint: it has no sign-in in a browser, or \
                 does not say where (ClientBuilder::authorization_endpoint)",
            )
        })?;
        Ok(Authorization {
            endpoint,
            issuer: self.issuer().to_owned(),
            client_id: self.client_id().to_owned(),
            audience_parameters: self.dialect().audience_parameter.names(),
            names_issuer: found.names_issuer,
            identity_scopes: self.dialect().sign_in_scopes(),
            offline_needs_consent: self.dialect().offline_needs_consent,
        })
    }
}
