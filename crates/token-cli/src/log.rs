//! What is decided and requested, on stderr, where the person asks for it.

use std::io;

use tracing_subscriber::{
    Layer as _,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// Shows the SDK's events; of other crates only with `-vv` what they warn of. None of them holds a secret.
pub(crate) fn start(verbosity: u8) {
    let (own, others) = match verbosity {
        0 => return,
        1 => (LevelFilter::DEBUG, LevelFilter::OFF),
        _ => (LevelFilter::TRACE, LevelFilter::WARN),
    };
    let shown = Targets::new()
        .with_target("intelliauth", own)
        .with_default(others);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(false)
        .without_time()
        .with_filter(shown);
    // It is the first and only one.
    let _ = tracing_subscriber::registry().with(lines).try_init();
}
