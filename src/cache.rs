//! Which token answers a request: one slot per audience, one flight per key, nothing shared on a hit.
//!
//! A call is a [`hit`], or else a [`miss`] that [`join`]s a flight; a flight is a [`fetch_task`]. What they
//! share is the [`token_cache`].

mod admission;
mod deadline;
mod fast_path;
mod fetch_task;
mod hit;
mod index;
mod interner;
mod join;
mod key;
mod miss;
mod pinned;
mod settings;
mod stats;
mod throttle;
mod token_cache;

pub(crate) use hit::OnStale;
pub(crate) use pinned::Pinned;
pub(crate) use settings::CacheSettings;
pub use settings::RefreshAhead;
pub use stats::Stats;
pub(crate) use token_cache::TokenCache;
