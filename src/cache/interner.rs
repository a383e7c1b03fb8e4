//! One copy of an audience's name for all the sessions that ask for it.

use std::sync::Mutex;

use super::fast_path;
use crate::{scope::Audience, slot::lock};

/// The audiences of the last new slots.
///
/// A server caches the tokens of a million people for a handful of APIs, and each slot would hold its own
/// copy of the API's name.
#[derive(Default)]
pub(super) struct AudienceInterner {
    recent: [Mutex<Option<Audience>>; RECENT],
}

/// More APIs than an application usually calls; slots of further ones hold copies of their own.
const RECENT: usize = 32;

impl AudienceInterner {
    /// `audience`, as the copy that other slots hold, if there is one.
    pub(super) fn intern(&self, audience: &Audience) -> Audience {
        let mut recent = lock(&self.recent[fast_path::cell(audience.as_str()) % RECENT]);
        match &*recent {
            Some(known) if known == audience => known.clone(),
            _ => recent.insert(audience.clone()).clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_is_kept_once_and_another_is_never_mistaken_for_it() {
        let names = AudienceInterner::default();
        for n in 0..200 {
            let name = format!("api{n}");
            let first = names.intern(&name.as_str().into());
            let second = names.intern(&name.as_str().into());
            assert_eq!(first.as_str(), name);
            assert!(std::ptr::eq(first.as_str(), second.as_str()));
        }
    }
}
