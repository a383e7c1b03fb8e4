//! The SDK and the emulator against servers and clients that nobody here wrote.

mod browser;
mod emulator;
mod oidc_provider;
mod redis;
mod support;
