//! The pages of the emulator in a real Chromium, held against axe-core's rules of accessibility.
//!
//! Pictures of each page are kept in `target/screenshots`, for a person to look at.

mod application;
mod calls;
mod devices;
mod sign_in;
