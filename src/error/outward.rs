//! How an error leaves a program: out of another library's, and as an HTTP answer of a back end.

use http::StatusCode;

use super::{Error, StoreErrorKind};

impl Error {
    /// The error of this crate that caused another one, if one did.
    ///
    /// HTTP libraries wrap it: `reqwest_middleware::Error`, `tower::BoxError`, `tonic::Status`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{error::Error as StdError, fmt};
    ///
    /// #[derive(Debug)]
    /// struct Failed(intelliauth::Error);
    /// # impl fmt::Display for Failed {
    /// #     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str("failed") }
    /// # }
    /// impl StdError for Failed {
    ///     fn source(&self) -> Option<&(dyn StdError + 'static)> {
    ///         Some(&self.0)
    ///     }
    /// }
    ///
    /// # fn f(error: intelliauth::Error) {
    /// assert!(intelliauth::Error::find(&Failed(error)).is_some());
    /// # }
    /// ```
    pub fn find<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        let mut current = Some(error);
        while let Some(error) = current {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            current = error.source();
        }
        None
    }

    /// The status that a back end answers with if it could not call an API because of this.
    ///
    /// | error | status |
    /// |---|---|
    /// | [`Login`](Self::Login), [`StepUp`](Self::StepUp) | 401 |
    /// | [`Consent`](Self::Consent), [`Denied`](Self::Denied) | 403 |
    /// | [`Unavailable`](Self::Unavailable), [`NotCached`](Self::NotCached), a [`Store`](Self::Store) that is in use | 503, with [`retry_after`](crate::Unavailable::retry_after) |
    /// | [`Protocol`](Self::Protocol) | 502 |
    /// | [`Request`](Self::Request), another [`Store`](Self::Store) | 500 |
    ///
    /// With the feature `axum` an error is an answer (`IntoResponse`): this status, `Retry-After`, and
    /// [`kind`](Self::kind) as the `error` of a JSON object, nothing else.
    pub fn suggested_status(&self) -> StatusCode {
        match self {
            Self::Login(_) | Self::StepUp(_) => StatusCode::UNAUTHORIZED,
            Self::Consent(_) | Self::Denied(_) => StatusCode::FORBIDDEN,
            Self::Unavailable(_) | Self::NotCached(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(error) if error.kind() == StoreErrorKind::Locked => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Protocol(_) => StatusCode::BAD_GATEWAY,
            Self::Request(_) | Self::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}
