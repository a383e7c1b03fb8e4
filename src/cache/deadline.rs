//! How long one caller waits.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use tokio::runtime::Handle;

use crate::{
    error::{Error, UnavailableReason},
    time::timer,
};

/// Awaits `work`, at most for `limit`. The caller pins it: an `async fn` would keep a future that it is
/// given twice, and ten thousand callers may wait.
///
/// Outside of a runtime there is no timer, and a flight on another runtime may never be driven.
pub(super) async fn within<T>(
    limit: Duration,
    mut work: Pin<&mut impl Future<Output = Result<T, Error>>>,
) -> Result<T, Error> {
    if Handle::try_current().is_err() {
        return Err(Error::request(NO_RUNTIME));
    }
    let Some(timer) = timer(limit) else {
        return Err(Error::request(
            "the tokio runtime has no timer: build it with enable_all()",
        ));
    };
    let mut timer = pin!(timer);
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(outcome) => Poll::Ready(outcome),
        Poll::Pending => timer
            .as_mut()
            .poll(cx)
            .map(|()| Err(Error::unavailable(UnavailableReason::Timeout))),
    })
    .await
}

/// The error text where a request can be neither made nor waited for.
pub(super) const NO_RUNTIME: &str =
    "there is no tokio runtime to run the request: call this inside of one";

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn a_runtime_without_a_timer_is_an_error_and_not_a_panic() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let outcome = runtime.block_on(within(Duration::from_secs(1), pin!(async { Ok(()) })));
        assert!(matches!(outcome, Err(Error::Request(_))), "{outcome:?}");
    }

    #[test]
    fn work_that_takes_longer_is_given_up() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let never = std::future::pending::<Result<(), Error>>();
        let outcome = runtime.block_on(within(Duration::from_millis(1), pin!(never)));
        assert!(outcome.is_err_and(|error| error.is_retryable()));
    }
}
