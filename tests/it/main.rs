//! What a user of the public surface is promised, held by counting requests.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what helps a test may fail it"
)]

mod support;

mod answers;
mod audience_check;
mod bounded;
mod building;
mod circle;
mod client_authentication;
mod connections;
mod device;
mod discovery;
mod errors;
#[cfg(unix)]
mod every_flow;
mod fakes;
mod flows;
mod forced;
mod fresh;
mod gentle;
mod http;
mod lifetimes;
mod model;
mod narrowed;
mod once;
mod people;
mod per_audience;
mod processes;
mod properties;
mod refresh_ahead;
mod rejected;
#[cfg(feature = "axum")]
mod resource_server;
mod retries;
mod right_token;
mod runtime;
mod scopes;
mod secrets;
mod secrets_of_people;
mod servers;
mod sessions;
mod sign_in_age;
mod stampede;
mod step_up;
mod store;
mod token_source;
