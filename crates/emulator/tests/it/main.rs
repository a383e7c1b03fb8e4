//! The emulator through its public face: HTTP and the handle.

mod admin;
#[cfg(feature = "binary")]
mod command;
mod config;
mod control;
mod discovery;
mod faults;
mod introspection;
mod lifecycle;
mod secrets;
mod support;
mod switches;
mod token;
