//! [`VerifiedTokens`]: tokens that were verified a moment ago, compared as a whole.

use std::{fmt, hash::BuildHasher, sync::Arc};

use arc_swap::ArcSwapOption;
use foldhash::fast::RandomState;
use zeroize::Zeroizing;

use super::claims::Claims;
use crate::jwt::{KeySet, LEEWAY};

/// A bounded table of verified tokens. Only accepted tokens get in, so no attacker can fill it.
///
/// A hit compares the whole token; the hash, with a seed of its own in each process, only says where
/// to look. The table takes no lock. A token that does not fit displaces another.
pub(super) struct VerifiedTokens {
    slots: Box<[ArcSwapOption<Entry>]>,
    hasher: RandomState,
}

struct Entry {
    token: Zeroizing<Box<str>>,
    /// The keys that it was verified with: with others it has to be verified again.
    keys: Arc<KeySet>,
    claims: Claims,
}

impl VerifiedTokens {
    /// Room for about `capacity` tokens; none at all if that is zero.
    pub(super) fn new(capacity: usize) -> Self {
        let slots = match capacity {
            0 => 0,
            some => some.checked_next_power_of_two().unwrap_or(some),
        };
        Self {
            slots: (0..slots).map(|_| ArcSwapOption::empty()).collect(),
            hasher: RandomState::default(),
        }
    }

    /// The claims of `token` if it was verified with `keys`; whether it has expired is not looked at.
    pub(super) fn get(&self, hash: TokenHash, token: &str, keys: &Arc<KeySet>) -> Option<Claims> {
        self.slots(hash).into_iter().flatten().find_map(|slot| {
            let entry = slot.load();
            let entry = entry.as_ref()?;
            let is_it = Arc::ptr_eq(&entry.keys, keys) && **entry.token == *token;
            is_it.then(|| entry.claims.clone())
        })
    }

    /// Remembers `token`, verified at `now`, which is in seconds since 1970.
    ///
    /// It displaces a token that is of no use any more, and a good one only where there is no other.
    pub(super) fn put(
        &self,
        hash: TokenHash,
        token: &str,
        (keys, claims): (&Arc<KeySet>, &Claims),
        now: f64,
    ) {
        let [Some(first), Some(second)] = self.slots(hash) else {
            return;
        };
        let is_useful = |slot: &ArcSwapOption<Entry>| {
            let entry = slot.load();
            entry.as_ref().is_some_and(|entry| {
                Arc::ptr_eq(&entry.keys, keys) && entry.claims.is_alive(now, LEEWAY)
            })
        };
        let slot = if is_useful(first) { second } else { first };
        slot.store(Some(Arc::new(Entry {
            token: Zeroizing::new(Box::from(token)),
            keys: Arc::clone(keys),
            claims: claims.clone(),
        })));
    }

    /// The hash of `token`; none if it is too large or nothing is remembered.
    pub(super) fn hash(&self, token: &str) -> TokenHash {
        let is_remembered = !self.slots.is_empty() && token.len() <= REMEMBERED_MAX;
        TokenHash(is_remembered.then(|| self.hasher.hash_one(token.as_bytes())))
    }

    /// The two slots of a hash.
    fn slots(&self, hash: TokenHash) -> [Option<&ArcSwapOption<Entry>>; 2] {
        let Some(hash) = hash.0 else {
            return [None, None];
        };
        let mask = self.slots.len().wrapping_sub(1);
        let slot = |hash: u64| {
            let at = usize::try_from(hash & u64::from(u32::MAX)).unwrap_or_default() & mask;
            self.slots.get(at)
        };
        [slot(hash), slot(hash >> 32)]
    }
}

/// The hash of a token, computed once for a look-up and an insertion.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokenHash(Option<u64>);

impl fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen")
            .field("slots", &self.slots.len())
            .finish_non_exhaustive()
    }
}

/// Larger tokens (in bytes) are verified each time: a full table holds at most 16 MiB of them.
const REMEMBERED_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{jwt::signer::Signer, resource_server::claims::Parts, scope::Scopes};

    fn claims(subject: &str) -> Claims {
        alive(subject, 0.0)
    }

    fn alive(subject: &str, expires: f64) -> Claims {
        Claims::new(Parts {
            subject: Some(subject.into()),
            client_id: None,
            scopes: Scopes::none(),
            expires,
            level: None,
            payload: Vec::new(),
        })
    }

    fn keys() -> Arc<KeySet> {
        Arc::new(Signer::ed25519().keys("k"))
    }

    #[test]
    fn a_token_is_found_as_a_whole_and_with_its_keys() {
        let (table, keys) = (VerifiedTokens::new(64), keys());
        table.put(table.hash("a.b.c"), "a.b.c", (&keys, &claims("alice")), 0.0);
        let found = |token: &str| {
            table
                .get(table.hash(token), token, &keys)
                .map(|claims| claims.subject().unwrap().to_owned())
        };
        assert_eq!(found("a.b.c").as_deref(), Some("alice"));
        for other in ["a.b.", "a.b.cc", "A.b.c", "", "a.b.d"] {
            assert_eq!(found(other), None, "{other}");
        }
        assert!(
            table
                .get(table.hash("a.b.c"), "a.b.c", &self::keys())
                .is_none()
        );
    }

    #[test]
    fn the_table_is_bounded_and_never_mixes_tokens_up() {
        let (table, keys) = (VerifiedTokens::new(8), keys());
        for n in 0..1000 {
            let token = format!("token-{n}");
            table.put(
                table.hash(&token),
                &token,
                (&keys, &claims(&format!("person-{n}"))),
                0.0,
            );
        }
        let kept: Vec<usize> = (0..1000)
            .filter(|n| {
                let found = table.get(
                    table.hash(&format!("token-{n}")),
                    &format!("token-{n}"),
                    &keys,
                );
                found.is_some_and(|claims| {
                    assert_eq!(claims.subject(), Some(format!("person-{n}").as_str()));
                    true
                })
            })
            .collect();
        assert!((1..=8).contains(&kept.len()), "{kept:?}");
    }

    #[test]
    fn tokens_that_have_expired_give_way_first() {
        let (table, keys) = (VerifiedTokens::new(8), keys());
        let now = 1000.0;
        let put = |token: &str, expires| {
            table.put(
                table.hash(token),
                token,
                (&keys, &alive(token, expires)),
                now,
            );
        };
        (0..1000).for_each(|n| put(&format!("old-{n}"), 500.0));
        // Two that want the same second slot, and each a first one of its own.
        let at = |token: &str| {
            table
                .slots(table.hash(token))
                .map(|slot| std::ptr::from_ref(slot.unwrap()))
        };
        let names: Vec<String> = (0..1000)
            .map(|n| format!("new-{n}"))
            .skip_while(|name| at(name)[0] == at(name)[1])
            .collect();
        let [one, second] = at(&names[0]);
        let other = names.iter().find(|name| {
            let [first, same] = at(name);
            same == second && first != one && first != second
        });
        for name in [&names[0], other.unwrap()] {
            put(name, 5000.0);
        }
        for name in [&names[0], other.unwrap()] {
            assert!(table.get(table.hash(name), name, &keys).is_some(), "{name}");
        }
    }

    #[test]
    fn very_large_tokens_and_a_table_of_none_are_fine() {
        let keys = keys();
        let large = "a".repeat(REMEMBERED_MAX + 1);
        let table = VerifiedTokens::new(8);
        table.put(table.hash(&large), &large, (&keys, &claims("alice")), 0.0);
        assert!(table.get(table.hash(&large), &large, &keys).is_none());
        let none = VerifiedTokens::new(0);
        none.put(none.hash("a"), "a", (&keys, &claims("alice")), 0.0);
        assert!(none.get(none.hash("a"), "a", &keys).is_none());
    }
}
