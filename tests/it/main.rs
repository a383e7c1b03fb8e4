//! What a user of the public surface is promised, held by counting requests.

mod support;

mod once;
