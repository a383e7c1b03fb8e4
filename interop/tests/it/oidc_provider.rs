//! [`Dialect::resource_indicators`](intelliauth::Dialect::resource_indicators) against npm's `oidc-provider`.

mod lifetimes;
mod outages;
mod refusals;
mod secrets;
mod tokens;
mod verified;
