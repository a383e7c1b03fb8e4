//! How it works and why, for those who want to know before they rely on it.

pub mod caching;
pub mod calls;
pub mod consent;
pub mod defaults;
pub mod servers;
pub mod stores;
pub mod tenants;
pub mod testing;
