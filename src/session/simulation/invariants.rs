//! What has to hold in every schedule, whatever goes wrong in it.
//!
//! Each is told from outside: by what the issuer and the store have seen, what people did, and what the
//! processes were told and handed out. None of them restates a rule of the sessions.

pub(super) mod causes;
pub(super) mod ending;
pub(super) mod handed_out;
pub(super) mod redemptions;
pub(super) mod yielding;
