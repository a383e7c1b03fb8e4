//! One call, to be made many times.

use std::{hint::black_box, sync::Arc};

use anyhow::Result;
use tokio::runtime::Handle;

#[cfg(feature = "peers")]
use crate::subject::Tokens;
use crate::{endpoint::Endpoint, subject::Group};

/// Makes the call so often.
pub(crate) type Loop = Arc<dyn Fn(u64) + Send + Sync>;

/// A case that is not built yet: building asks for its first token.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) group: Group,
    pub(crate) name: &'static str,
    /// The limit that it stands beside, by its name.
    pub(crate) limit: &'static str,
    pub(crate) build: fn(&Lab) -> Result<Loop>,
}

/// What every case runs in.
pub(crate) struct Lab {
    pub(crate) runtime: Handle,
    #[cfg_attr(
        not(feature = "peers"),
        expect(dead_code, reason = "what is hit without peers has no endpoint")
    )]
    pub(crate) endpoint: Endpoint,
}

#[cfg(feature = "peers")]
impl Plan {
    /// A hit of `T`, in its own asynchronous way.
    pub(crate) fn hit<T: Tokens>() -> Self {
        Self {
            group: T::GROUP,
            name: T::NAME,
            limit: T::LIMIT,
            build: hit::<T>,
        }
    }
}

#[cfg(feature = "peers")]
fn hit<T: Tokens>(lab: &Lab) -> Result<Loop> {
    let tokens = lab.runtime.block_on(async {
        let tokens = T::start(&lab.endpoint).await?;
        // Twice: what is set up on the first hit is not part of the others.
        tokens.token(0).await?;
        tokens.token(0).await?;
        anyhow::Ok(tokens)
    })?;
    let runtime = lab.runtime.clone();
    Ok(Arc::new(move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                let token = black_box(tokens.token(black_box(0)).await);
                assert!(token.is_ok(), "a cached call failed");
            }
        });
    }))
}

/// A call that waits for nothing.
pub(crate) fn repeat<R>(call: impl Fn() -> Option<R> + Send + Sync + 'static) -> Loop {
    Arc::new(move |times| {
        for _ in 0..times {
            let token = black_box(call());
            assert!(token.is_some(), "a cached call found nothing");
        }
    })
}
