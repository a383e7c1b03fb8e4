//! What is measured: anything that hands out tokens for audiences.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use anyhow::Result;
use serde::Serialize;

use crate::endpoint::Endpoint;
#[cfg(feature = "peers")]
use crate::limits;

/// What a row stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Group {
    /// What the machine allows: the parts that no cache can do without.
    Limit,
    Ours,
    Peer,
}

/// A token cache, used as its documentation says.
pub(crate) trait Tokens: Send + Sync + Sized + 'static {
    const NAME: &'static str;
    const GROUP: Group = Group::Peer;
    /// Whether one of it serves many audiences (or scopes).
    const IS_KEYED: bool;
    /// A life with which its own defaults fetch the next token some three seconds after the first.
    const LIFETIME: Duration;
    /// The limit that its hit stands beside.
    #[cfg(feature = "peers")]
    const LIMIT: &'static str = if Self::IS_KEYED {
        limits::MAP_OWNED
    } else {
        limits::OWNED
    };
    type Token: Send;

    fn start(endpoint: &Endpoint) -> impl Future<Output = Result<Self>> + Send;

    /// The token for an audience of [`AUDIENCES`](crate::tokens::AUDIENCES).
    fn token(&self, audience: usize) -> impl Future<Output = Result<Self::Token>> + Send;
}

/// [`Tokens`] behind pointers, where a call's own cost does not matter.
#[derive(Clone, Copy)]
pub(crate) struct Subject {
    pub(crate) group: Group,
    pub(crate) name: &'static str,
    pub(crate) is_keyed: bool,
    pub(crate) lifetime: Duration,
    pub(crate) start: fn(Endpoint) -> Boxed<'static, Started>,
}

/// What can be called from now on.
pub(crate) type Started = Result<Arc<dyn Caller>>;

/// A future behind a pointer.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Something that can be asked for a token, which is looked at and dropped.
pub(crate) trait Caller: Send + Sync {
    fn call(&self, audience: usize) -> Boxed<'_, Result<()>>;
}

impl<T: Tokens> Caller for T {
    fn call(&self, audience: usize) -> Boxed<'_, Result<()>> {
        Box::pin(async move { self.token(audience).await.map(drop) })
    }
}

impl Subject {
    pub(crate) fn of<T: Tokens>() -> Self {
        Self {
            group: T::GROUP,
            name: T::NAME,
            is_keyed: T::IS_KEYED,
            lifetime: T::LIFETIME,
            start: |endpoint| {
                Box::pin(async move {
                    let caller: Arc<dyn Caller> = Arc::new(T::start(&endpoint).await?);
                    Ok(caller)
                })
            },
        }
    }
}
