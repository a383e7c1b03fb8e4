//! [`SecretSource`]: where the client's secret comes from, and when it is read again.

use std::{fmt, io, sync::Arc};

use arc_swap::ArcSwapOption;

use crate::{error::Error, secret::Secret};

/// Reads a secret; it may block.
pub(crate) type ReadSecret = Arc<dyn Fn() -> io::Result<Secret> + Send + Sync>;

/// Where the client's secret comes from.
pub(crate) enum SecretSource {
    /// A public client has none.
    None,
    Fixed(Arc<Secret>),
    Read {
        read: ReadSecret,
        /// What was read last.
        last: ArcSwapOption<Secret>,
    },
}

impl SecretSource {
    pub(crate) fn fixed(secret: Secret) -> Self {
        Self::Fixed(Arc::new(secret))
    }

    pub(crate) fn read_by(read: ReadSecret) -> Self {
        Self::Read {
            read,
            last: ArcSwapOption::empty(),
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Whether there is one, and nothing in it. One that has to be read is not known yet.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Fixed(secret) if secret.is_empty())
    }

    /// The secret: what was read before, or what is read now.
    pub(super) async fn current(&self) -> Result<Option<Arc<Secret>>, Error> {
        match self {
            Self::None => Ok(None),
            Self::Fixed(secret) => Ok(Some(Arc::clone(secret))),
            Self::Read { read, last } => match last.load_full() {
                Some(secret) => Ok(Some(secret)),
                None => read_now(read, last).await.map(Some),
            },
        }
    }

    /// Another secret than `refused`, if there is one by now.
    pub(super) async fn newer(&self, refused: Option<&Arc<Secret>>) -> Option<Arc<Secret>> {
        let (Self::Read { read, last }, Some(refused)) = (self, refused) else {
            return None;
        };
        let is_other = |secret: &Arc<Secret>| secret.expose() != refused.expose();
        // Another request may have read it meanwhile.
        if let Some(secret) = last.load_full().filter(is_other) {
            return Some(secret);
        }
        match read_now(read, last).await {
            Ok(secret) => Some(secret).filter(is_other),
            Err(error) => {
                tracing::warn!(%error, "the refused client secret could not be read again");
                None
            }
        }
    }
}

async fn read_now(read: &ReadSecret, last: &ArcSwapOption<Secret>) -> Result<Arc<Secret>, Error> {
    let read = Arc::clone(read);
    let outcome = tokio::task::spawn_blocking(move || read()).await;
    let unreadable = |why: &dyn fmt::Display| {
        Error::request(format!("the client secret could not be read ({why})"))
    };
    let secret = match outcome {
        Ok(Ok(secret)) if secret.is_empty() => return Err(unreadable(&"it is empty")),
        Ok(Ok(secret)) => Arc::new(secret),
        // The kind alone: what the error says may hold the secret.
        Ok(Err(error)) => return Err(unreadable(&error.kind())),
        Err(_panicked) => return Err(unreadable(&"reading it panicked")),
    };
    last.store(Some(Arc::clone(&secret)));
    Ok(secret)
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Fixed(_) => "Fixed(hidden)",
            Self::Read { .. } => "Read(hidden)",
        })
    }
}
