//! What a user of the public surface is promised, held by counting requests.

mod support;

mod audience_check;
mod bounded;
mod forced;
mod fresh;
mod lifetimes;
mod model;
mod narrowed;
mod once;
mod properties;
mod refresh_ahead;
mod rejected;
mod right_token;
mod runtime;
mod scopes;
mod stampede;
