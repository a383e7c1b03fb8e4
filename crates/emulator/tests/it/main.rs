//! The emulator through its public face: HTTP and the handle.

mod support;
mod token;
