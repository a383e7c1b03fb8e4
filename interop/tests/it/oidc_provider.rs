//! [`Dialect::resource_indicators`](intelliauth::Dialect::resource_indicators) against npm's `oidc-provider`.

mod lifetimes;
mod outages;
mod people;
mod refusals;
mod secrets;
mod tokens;
mod verified;
