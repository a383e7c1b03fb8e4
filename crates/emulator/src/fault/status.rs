//! The status of a reply that a fault makes up.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

/// A status that a reply can end with: 200 to 599.
///
/// RFC 9110 section 15: a 1xx only announces the reply, and there is nothing below or above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "u16")]
pub(crate) struct FinalStatus(StatusCode);

/// No reply can end with this status.
#[derive(Debug, thiserror::Error)]
#[error("`status` must be from 200 to 599, not {0}")]
pub(crate) struct ImpossibleStatus(i64);

impl FinalStatus {
    /// The status, or 500 in place of an impossible one.
    pub(crate) fn or_500(status: u16) -> Self {
        Self::try_from(i64::from(status)).unwrap_or(Self(StatusCode::INTERNAL_SERVER_ERROR))
    }

    pub(crate) const fn code(self) -> StatusCode {
        self.0
    }
}

impl TryFrom<i64> for FinalStatus {
    type Error = ImpossibleStatus;

    fn try_from(status: i64) -> Result<Self, ImpossibleStatus> {
        let code = u16::try_from(status).ok();
        let code = code.and_then(|code| StatusCode::from_u16(code).ok());
        let code = code.filter(|code| (200..600).contains(&code.as_u16()));
        code.map(Self).ok_or(ImpossibleStatus(status))
    }
}

impl From<FinalStatus> for u16 {
    fn from(status: FinalStatus) -> Self {
        status.0.as_u16()
    }
}
