//! The SDK and the emulator against servers and clients that nobody here wrote.

mod better_auth;
mod browser;
mod calls;
mod django_oauth_toolkit;
mod emulator;
mod oidc_provider;
mod redis;
mod support;
