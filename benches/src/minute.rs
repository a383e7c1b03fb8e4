//! An outage's first minute, with a clock that is moved by hand: ours alone has one to move.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use intelliauth::ManualClock;

use crate::{endpoint::Endpoint, ours, stampede::runtime, tokens::audience, window::SLOW};

/// What a caller saw in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Minute {
    pub(crate) calls: usize,
    pub(crate) errors: usize,
    pub(crate) slow: usize,
    pub(crate) requests: usize,
}

/// The shortest life for which a bound is promised.
const LIFETIME: Duration = Duration::from_mins(5);

/// By now the refresh is due, whatever the jitter was (180 to 210 s), and it is usable up to 270 s.
const DUE: Duration = Duration::from_secs(210);

const STEP: Duration = Duration::from_millis(50);
const LENGTH: Duration = Duration::from_secs(59);

/// Calls every 50 ms of the minute; each step lasts a millisecond, so that requests can come back.
pub(crate) fn measure() -> Result<Minute> {
    let endpoint = Endpoint::start(LIFETIME)?;
    let clock = ManualClock::new();
    let client = ours::at(&endpoint).clock(clock.clone()).build()?;
    let runtime = runtime()?;
    runtime.block_on(client.get_access_token(audience(0)))?;
    ensure!(
        endpoint.requests() == 1,
        "the first token took more than a request"
    );
    endpoint.forget_arrivals();
    endpoint.fail();
    clock.advance(DUE);
    let mut minute = Minute {
        calls: 0,
        errors: 0,
        slow: 0,
        requests: 0,
    };
    for _ in 0..LENGTH.as_millis() / STEP.as_millis() {
        clock.advance(STEP);
        let start = Instant::now();
        let outcome = runtime.block_on(client.get_access_token(audience(0)));
        minute.calls += 1;
        minute.errors += usize::from(outcome.is_err());
        minute.slow += usize::from(start.elapsed() > SLOW);
        sleep(Duration::from_millis(1));
    }
    runtime.block_on(client.close())?;
    minute.requests = endpoint.requests();
    Ok(minute)
}
