//! An error as the answer of a back end that could not call an API.

use std::time::Duration;

use axum::{body::to_bytes, response::IntoResponse as _};
use intelliauth::{DeniedReason, StoreErrorKind, UnavailableReason, Violation, test_util::errors};

#[tokio::test]
async fn an_error_is_an_answer_with_its_kind_and_nothing_else() {
    let wait = Duration::from_millis(6500);
    let limited = || errors::unavailable(UnavailableReason::RateLimited, wait);
    for (error, status, kind) in [
        (errors::consent_required("hush", "hush"), 403, "consent"),
        (errors::login_required("hush"), 401, "login"),
        (errors::step_up_required("hush"), 401, "step_up"),
        (
            errors::denied("hush", DeniedReason::AccessDenied, "hush"),
            403,
            "denied",
        ),
        (limited(), 503, "unavailable"),
        (
            errors::protocol("hush", Violation::Callback("hush")),
            502,
            "protocol",
        ),
        (errors::invalid_request("hush"), 500, "request"),
        (errors::not_cached("hush"), 503, "not_cached"),
        (errors::store(StoreErrorKind::Locked, "hush"), 503, "store"),
        (errors::store(StoreErrorKind::Full, "hush"), 500, "store"),
    ] {
        let answer = error.into_response();
        assert_eq!(answer.status(), status, "{kind}");
        let body = to_bytes(answer.into_body(), 1024).await.unwrap();
        assert_eq!(body, format!("{{\"error\":\"{kind}\"}}"));
    }
    let answer = limited().into_response();
    assert_eq!(
        answer.headers()["retry-after"],
        "7",
        "too early would be in vain"
    );
}
