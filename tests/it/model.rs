//! Random sequences of requests, compared with a model: no key ever answers for another.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use intelliauth::{CacheMode, Client, Error, ManualClock, Scopes, TokenRequest, TokenResponse};
use proptest::prelude::*;

use crate::support::Source;

type Set = BTreeSet<&'static str>;

/// Names that a join, a prefix or a change of case would confuse.
const AUDIENCES: [&str; 4] = ["a", "A", "a b", "a::b"];
const SCOPES: [&str; 4] = ["b", "b::c", "a", "read:b"];
const PARTITIONS: [Option<&str>; 3] = [None, Some(""), Some("a")];
const PARAMETERS: [Option<(&str, &str)>; 3] = [None, Some(("a", "b")), Some(("a b", ""))];

/// What makes two requests meet in one slot.
type Slot = (usize, usize, usize);

#[derive(Clone, Debug)]
struct Asked {
    slot: Slot,
    scopes: Set,
    is_exact: bool,
    mode: CacheMode,
    grant: Grant,
    through_handle: bool,
}

/// What the issuer grants, should this request reach it.
#[derive(Clone, Debug)]
enum Grant {
    /// It does not say.
    Unsaid,
    /// What was asked for, and these.
    More(Set),
    /// These and nothing else.
    Just(Set),
}

impl Grant {
    fn reported(&self, asked: &Set) -> Option<Set> {
        match self {
            Self::Unsaid => None,
            Self::More(more) => Some(asked.union(more).copied().collect()),
            Self::Just(these) => Some(these.clone()),
        }
    }
}

/// What the cache must do: every set of scopes of every slot with its last usable grant.
#[derive(Default)]
struct Model {
    entries: HashMap<(Slot, Set), Entry>,
    issued: usize,
}

#[derive(Clone, Default)]
struct Entry {
    token: Option<(usize, Option<Set>)>,
    is_refused: bool,
}

#[derive(Debug, PartialEq)]
enum Expected {
    /// One of these tokens, and no request.
    Cached(Vec<usize>),
    Issued(usize),
    Narrowed,
    NotCached,
}

impl Model {
    fn ask(&mut self, asked: &Asked) -> Expected {
        if asked.mode != CacheMode::Refresh {
            let cached = self.cached(asked);
            if !cached.is_empty() {
                return Expected::Cached(cached);
            }
            if asked.mode == CacheMode::Only {
                return Expected::NotCached;
            }
            let key = (asked.slot, asked.scopes.clone());
            if self.entries.get(&key).is_some_and(|entry| entry.is_refused) {
                return Expected::Narrowed;
            }
        }
        self.issue(asked)
    }

    /// The token fetched for exactly these scopes, else the smallest whose reported grant has them.
    fn cached(&self, asked: &Asked) -> Vec<usize> {
        let own = self.entries.get(&(asked.slot, asked.scopes.clone()));
        let own = own.and_then(|entry| entry.token.as_ref());
        if let Some((number, grant)) = own
            && grant
                .as_ref()
                .is_none_or(|grant| grant.is_superset(&asked.scopes))
        {
            return vec![*number];
        }
        if asked.is_exact || asked.scopes.is_empty() {
            return Vec::new();
        }
        let others = self
            .entries
            .iter()
            .filter(|((slot, _), _)| *slot == asked.slot);
        let mut fitting: Vec<(usize, usize)> = others
            .filter_map(|(_, entry)| entry.token.as_ref())
            .filter_map(|(number, grant)| Some((grant.as_ref()?, *number)))
            .filter(|(grant, _)| grant.is_superset(&asked.scopes))
            .map(|(grant, number)| (grant.len(), number))
            .collect();
        let smallest = fitting.iter().map(|(size, _)| *size).min();
        fitting.retain(|(size, _)| Some(*size) == smallest);
        fitting.into_iter().map(|(_, number)| number).collect()
    }

    fn issue(&mut self, asked: &Asked) -> Expected {
        self.issued += 1;
        let grant = asked.grant.reported(&asked.scopes);
        let suffices =
            |grant: &Option<Set>| grant.as_ref().is_none_or(|g| g.is_superset(&asked.scopes));
        let is_narrowed = !suffices(&grant);
        let entry = self
            .entries
            .entry((asked.slot, asked.scopes.clone()))
            .or_default();
        // A request that got less than what is there has failed, and leaves it in use.
        let is_kept = is_narrowed
            && entry
                .token
                .as_ref()
                .is_some_and(|(_, grant)| suffices(grant));
        if !is_kept {
            entry.token = Some((self.issued, grant));
        }
        entry.is_refused = is_narrowed;
        if is_narrowed {
            Expected::Narrowed
        } else {
            Expected::Issued(self.issued)
        }
    }
}

fn set(of: &'static [&'static str]) -> impl Strategy<Value = Set> {
    prop::sample::subsequence(of, 0..=of.len()).prop_map(|list| list.into_iter().collect())
}

fn asked() -> impl Strategy<Value = Asked> {
    let mode = prop_oneof![
        8 => Just(CacheMode::Prefer),
        1 => Just(CacheMode::Only),
        1 => Just(CacheMode::Refresh),
    ];
    let grant = prop_oneof![
        Just(Grant::Unsaid),
        set(&SCOPES).prop_map(Grant::More),
        set(&SCOPES).prop_map(Grant::Just),
    ];
    // The first of each is drawn often, so that slots are met again.
    let index = |len| prop_oneof![Just(0_usize), 0..len];
    let slot = (
        index(AUDIENCES.len()),
        index(PARTITIONS.len()),
        index(PARAMETERS.len()),
    );
    (
        slot,
        set(&SCOPES),
        prop::bool::weighted(0.2),
        mode,
        grant,
        any::<bool>(),
    )
        .prop_map(
            |(slot, scopes, is_exact, mode, grant, through_handle)| Asked {
                slot,
                scopes,
                is_exact,
                mode,
                grant,
                through_handle,
            },
        )
}

fn request(asked: &Asked) -> TokenRequest<'static> {
    let (audience, _, parameter) = asked.slot;
    // In any order: the set counts.
    let scopes = asked.scopes.iter().rev();
    let mut request = TokenRequest::new(AUDIENCES[audience])
        .scopes(scopes)
        .cache_mode(asked.mode);
    if asked.is_exact {
        request = request.exact_scopes();
    }
    match PARAMETERS[parameter] {
        Some((name, value)) => request.parameter(name, value),
        None => request,
    }
}

async fn get(client: &Client, asked: &Asked) -> Result<String, Error> {
    let client = PARTITIONS[asked.slot.1].map_or(client.clone(), |name| client.partition(name));
    let token = if asked.through_handle {
        client.audience(request(asked)).get_access_token().await?
    } else {
        client.get_access_token(request(asked)).await?
    };
    Ok(token.secret().to_owned())
}

/// A source that grants what the current request says, in a token that says what it is for.
fn source(current: &Arc<Mutex<Option<Asked>>>) -> Source {
    let current = Arc::clone(current);
    Source::new(move |call| {
        let current = current.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = current.as_ref()?;
        let text = format!(
            "{}|{}|{:?}|{:?}",
            call.number, call.audience, call.partition, call.parameters
        );
        let response = TokenResponse::new(text.as_str()).lifetime(Duration::from_secs(3600));
        let Some(reported) = asked.grant.reported(&asked.scopes) else {
            return Some(response);
        };
        let list: Vec<&str> = reported.into_iter().collect();
        let scopes: Scopes = list.join(" ").parse().unwrap_or_default();
        Some(response.scopes(scopes))
    })
}

/// What a token for this slot must say of itself.
fn named(slot: Slot) -> String {
    let (audience, partition, parameter) =
        (AUDIENCES[slot.0], PARTITIONS[slot.1], PARAMETERS[slot.2]);
    let parameters: Vec<_> = parameter.into_iter().collect();
    format!("|{audience}|{partition:?}|{parameters:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn no_request_is_answered_by_what_was_fetched_for_another(
        sequence in prop::collection::vec(asked(), 1..150),
    ) {
        let current = Arc::<Mutex<Option<Asked>>>::default();
        let (source, mut model) = (source(&current), Model::default());
        let client = source.client(&ManualClock::new()).build().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        for asked in &sequence {
            *current.lock().unwrap() = Some(asked.clone());
            let result = runtime.block_on(get(&client, asked));
            let expected = model.ask(asked);
            prop_assert_eq!(source.count(), model.issued, "requests after {:?}", asked);
            match (&expected, &result) {
                (Expected::Cached(_) | Expected::Issued(_), Ok(token)) => {
                    let number: String = token.chars().take_while(char::is_ascii_digit).collect();
                    let number: usize = number.parse().unwrap();
                    prop_assert!(token.ends_with(&named(asked.slot)), "{token} for {asked:?}");
                    let is_right = match &expected {
                        Expected::Cached(numbers) => numbers.contains(&number),
                        other => *other == Expected::Issued(number),
                    };
                    prop_assert!(is_right, "{token} for {asked:?}, {expected:?}");
                }
                (Expected::Narrowed, Err(Error::Denied(denied))) => {
                    prop_assert!(!denied.missing().is_empty());
                }
                (Expected::NotCached, Err(Error::NotCached(_))) => {}
                _ => prop_assert!(false, "{result:?} for {asked:?}, {expected:?}"),
            }
        }
    }
}
