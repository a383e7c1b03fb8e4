//! The right access token for every API.
