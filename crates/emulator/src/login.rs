//! A person without a browser: drives the real pages, so that tests need none.

mod driver;
mod error;
mod http;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};
use std::thread;

use tokio::sync::oneshot;
use url::Url;

use self::driver::{Driver, End, Wish};
pub use self::error::PageError;
use crate::config::User;
use crate::routes;
use crate::tenant::Tenant;

/// A person at a browser. Clones share the browser: a person who signed in stays signed in there,
/// and does one thing after the other.
///
/// # Examples
///
/// ```
/// use intelliauth_emulator::{Config, Emulator, sample};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let emulator = Emulator::start(Config::sample()).await?;
/// let url = emulator.url(&format!(
///     "/oauth2/authorize?response_type=code&client_id={}&state=s1\
///      &redirect_uri=http://127.0.0.1:4000/callback&scope=openid+read:transactions\
///      &code_challenge={}&code_challenge_method=S256",
///     sample::NATIVE,
///     "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
/// ));
///
/// let alice = emulator.login_as(sample::ALICE);
/// let callback = alice.approve(&url).await?;
/// assert!(callback.as_str().starts_with("http://127.0.0.1:4000/callback?code="));
/// assert_eq!(emulator.consents()[0].user, sample::ALICE);
///
/// let bob = emulator.login_as(sample::BOB);
/// let callback = bob.deny(&url).await?;
/// assert!(callback.as_str().contains("error=access_denied"));
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(example()).unwrap();
/// ```
#[derive(Clone)]
pub struct Person {
    tenant: Arc<Tenant>,
    user: String,
    cookie: Arc<Mutex<Option<String>>>,
}

impl Person {
    pub(crate) fn new(tenant: Arc<Tenant>, user: String) -> Self {
        Self {
            tenant,
            user,
            cookie: Arc::default(),
        }
    }

    /// Opens an authorization URL, signs in, says yes, and returns the callback.
    ///
    /// Pages that the platform does not show are not waited for: a person who is signed in and allowed it
    /// before comes straight back. A callback with an error is returned as well.
    ///
    /// # Errors
    ///
    /// [`PageError`] if the pages end anywhere but at a callback.
    pub async fn approve(&self, url: impl AsRef<str>) -> Result<Url, PageError> {
        self.authorize(url.as_ref(), Wish::Allow).await
    }

    /// As [`approve`](Self::approve), and says no where the consent page asks.
    ///
    /// # Errors
    ///
    /// [`PageError`] if the pages end anywhere but at a callback.
    pub async fn deny(&self, url: impl AsRef<str>) -> Result<Url, PageError> {
        self.authorize(url.as_ref(), Wish::Deny).await
    }

    /// Types the code of a device, signs in, and lets the device in.
    ///
    /// # Errors
    ///
    /// [`PageError::Refused`] if no device waits with this code.
    pub async fn device_approve(&self, user_code: &str) -> Result<(), PageError> {
        self.activate(user_code, Wish::Allow).await
    }

    /// Types the code of a device, signs in, and turns the device away.
    ///
    /// # Errors
    ///
    /// [`PageError::Refused`] if no device waits with this code.
    pub async fn device_deny(&self, user_code: &str) -> Result<(), PageError> {
        self.activate(user_code, Wish::Deny).await
    }

    async fn authorize(&self, url: &str, wish: Wish) -> Result<Url, PageError> {
        let authority = self.tenant.issuer_authority();
        let target = url
            .strip_prefix(authority)
            .filter(|target| target.starts_with('/'));
        let target = target.ok_or(PageError::Elsewhere)?.to_owned();
        match self
            .drive(move |driver| driver.visit(&target, wish))
            .await?
        {
            End::Callback(url) => Ok(url),
            End::Page => Err(PageError::NoPage(200)),
        }
    }

    async fn activate(&self, user_code: &str, wish: Wish) -> Result<(), PageError> {
        let target = format!("{}{}", self.tenant.issuer_path(), routes::ACTIVATE);
        let user_code = user_code.to_owned();
        let driven = self.drive(move |driver| {
            driver.user_code = user_code;
            driver.visit(&target, wish)
        });
        match driven.await? {
            End::Page => Ok(()),
            End::Callback(_) => Err(PageError::Elsewhere),
        }
    }

    /// Works on a thread of its own: any executor may await it, and no runtime is blocked.
    async fn drive(
        &self,
        visit: impl FnOnce(&mut Driver) -> Result<End, PageError> + Send + 'static,
    ) -> Result<End, PageError> {
        let mut driver = self.driver()?;
        let (sender, receiver) = oneshot::channel();
        let work = move || drop(sender.send(visit(&mut driver)));
        thread::Builder::new().spawn(work)?;
        receiver.await.unwrap_or_else(|_ended| {
            Err(PageError::Connection(io::Error::other("the driver ended")))
        })
    }

    fn driver(&self) -> Result<Driver, PageError> {
        let live = self.tenant.live();
        let is_meant =
            |user: &&User| user.id == self.user || user.email.eq_ignore_ascii_case(&self.user);
        let user = live.users.iter().find(is_meant);
        let user = user.ok_or_else(|| PageError::UnknownUser(self.user.clone()))?;
        let authority = self.tenant.issuer_authority();
        let address = authority.trim_start_matches("http://").parse();
        Ok(Driver {
            address: address.map_err(|_not_one| PageError::Elsewhere)?,
            prefix: self.tenant.issuer_path().to_owned(),
            authority: authority.to_owned(),
            user: user.clone(),
            user_code: String::new(),
            cookie: Arc::clone(&self.cookie),
        })
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
