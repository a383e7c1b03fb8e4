//! A deterministic simulation: many processes, their store and their issuer, in an order drawn by a seed.
//!
//! It drives the sessions themselves. Only what they ask of the world is a model: time, tasks, chance, the
//! store and the issuer. What has to hold is said in [`invariants`], and told from outside.

mod calls;
mod environment;
mod executor;
mod invariants;
mod issuer;
mod people;
mod program;
mod random;
mod runner;
mod scenario;
mod settings;
mod store;
mod summary;
mod tokens;
mod trace;
mod weather;
mod world;

use crate::store::SessionKey;

/// The issuer and the application of every schedule.
const ISSUER: &str = "https://issuer.example";
const CLIENT_ID: &str = "app";

/// The APIs that there are.
const AUDIENCES: &[&str] = &["bank", "health", "mail"];

fn session_name(number: usize) -> String {
    format!("s{number}")
}

/// The number of the session whose key this is.
fn session_number(key: &SessionKey) -> usize {
    let number = key.session().strip_prefix('s');
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
