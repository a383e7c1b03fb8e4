//! The grant of RFC 8628 section 3.4: a device asks whether the person has decided.

use super::mint::Minted;
use super::person;
use super::request::TokenRequest;
use crate::person::Poll;
use crate::refusal::{Code, Refusal};

pub(super) fn poll(request: &TokenRequest<'_>) -> Result<Minted, Refusal> {
    let device_code = request.form.require("device_code")?;
    let now = request.tenant.now();
    let (found, says_slow_down) = {
        let mut live = request.tenant.live();
        let ttl = live.switches.device_code_ttl;
        let client_id = &request.application.id;
        let found = live.people.devices.poll(device_code, client_id, now, ttl);
        (found, live.switches.device_slow_down)
    };
    let (code, description) = match found {
        Poll::Allowed(grant) => return person::first(request, &grant),
        Poll::TooFast if says_slow_down => {
            (Code::SlowDown, "wait five seconds longer between two polls")
        }
        Poll::Pending | Poll::TooFast => {
            (Code::AuthorizationPending, "the person has not decided yet")
        }
        Poll::Denied => (Code::AccessDenied, "the person did not allow it"),
        Poll::Expired => (Code::ExpiredToken, "the device code has expired"),
        Poll::Unknown => (Code::InvalidGrant, "the device code is not known here"),
    };
    Err(Refusal::new(code, description))
}
