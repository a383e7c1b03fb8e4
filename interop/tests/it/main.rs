//! The SDK and the emulator against servers and clients that nobody here wrote.

mod emulator;
mod oidc_provider;
mod support;
