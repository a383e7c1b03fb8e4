//! A million pairs of session and audience: what they need beside their tokens, and what they cost.

use std::{hint::black_box, sync::Arc, time::Instant};

use anyhow::{Result, ensure};
use foldhash::fast::RandomState;
use intelliauth::{Client, Error, Flow, FlowContext, TokenResponse};
use moka::sync::Cache;
use papaya::HashMap;
use tokio::runtime::{Builder, Runtime};

use crate::{allocator::counted, subject::Group, tokens::shuffled};

/// What one structure needs for each entry.
#[derive(Clone, Debug)]
pub(crate) struct Million {
    pub(crate) group: Group,
    pub(crate) name: &'static str,
    pub(crate) entries: usize,
    /// Heap bytes over the texts of token and key.
    pub(crate) bytes: f64,
    pub(crate) insert_ns: f64,
    pub(crate) hit_ns: f64,
}

/// Whether a full cache stays within its bound and keeps what is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) capacity: usize,
    pub(crate) inserted: usize,
    pub(crate) kept: usize,
    pub(crate) hot: usize,
    pub(crate) hot_kept: usize,
}

pub(crate) const OURS: &str = "intelliauth";
pub(crate) const MOKA: &str = "moka, key to token";
pub(crate) const MOKA_AND_PAPAYA: &str = "moka u64 to u32, and papaya, key to token";

/// Everything, each built twice: counting is not free, so the time is taken without it.
pub(crate) fn measure(entries: usize) -> Result<Vec<Million>> {
    let moka = || -> Result<Moka> { Ok(Moka::new(entries)) };
    let both = || -> Result<Both> { Ok(Both::new(entries)) };
    let ours = || Ours::new(entries);
    Ok(vec![
        of(Group::Limit, MOKA, entries, moka)?,
        of(Group::Limit, MOKA_AND_PAPAYA, entries, both)?,
        of(Group::Ours, OURS, entries, ours)?,
    ])
}

/// A structure that holds a token for each number.
trait Store {
    fn insert(&self, number: usize);
    /// Whether it is there.
    fn hit(&self, number: usize) -> bool;
}

fn of<S: Store>(
    group: Group,
    name: &'static str,
    entries: usize,
    build: impl Fn() -> Result<S>,
) -> Result<Million> {
    let fill = |store: &S| (0..entries).for_each(|number| store.insert(number));
    let store = build()?;
    let heap = counted(|| fill(&store));
    drop(store);
    let store = build()?;
    let start = Instant::now();
    fill(&store);
    let insert = start.elapsed();
    let order = shuffled(entries);
    let start = Instant::now();
    let found = order.iter().filter(|number| store.hit(**number)).count();
    let hit = start.elapsed();
    ensure!(
        found == entries,
        "{name}: only {found} of {entries} entries were kept"
    );
    let each = |figure: f64| figure / entries as f64;
    Ok(Million {
        group,
        name,
        entries,
        bytes: each(heap.live_bytes as f64) - payload(),
        insert_ns: each(insert.as_nanos() as f64),
        hit_ns: each(hit.as_nanos() as f64),
    })
}

/// The texts of one entry.
fn payload() -> f64 {
    (TOKEN + session(0).len() + AUDIENCE.len()) as f64
}

const TOKEN: usize = 1024;
const AUDIENCE: &str = "https://api.example.com/";

fn session(number: usize) -> String {
    format!("session-{number:024}")
}

/// Opaque, so that nothing is read in it; and made quickly, since that is part of every insertion.
fn token(number: usize) -> String {
    let digits = format!("{number:08}");
    let mut token = "x".repeat(TOKEN);
    token.replace_range(..digits.len(), &digits);
    token
}

struct Kept {
    token: Box<str>,
}

type Key = (Arc<str>, &'static str);

fn kept(number: usize) -> Arc<Kept> {
    let token = token(number).into_boxed_str();
    Arc::new(Kept { token })
}

fn key(number: usize) -> Key {
    (session(number).into(), AUDIENCE)
}

/// What people reach for.
struct Moka(Cache<Key, Arc<Kept>, RandomState>);

impl Moka {
    fn new(entries: usize) -> Self {
        let builder = Cache::builder().max_capacity(2 * entries as u64);
        Self(builder.build_with_hasher(RandomState::default()))
    }
}

impl Store for Moka {
    fn insert(&self, number: usize) {
        self.0.insert(key(number), kept(number));
    }

    fn hit(&self, number: usize) -> bool {
        let kept = self.0.get(black_box(&key(number)));
        kept.is_some_and(|kept| kept.token.len() == TOKEN)
    }
}

/// The parts of a cache that is bounded and yet hit without a lock.
struct Both {
    bound: Cache<u64, u32, RandomState>,
    map: HashMap<Key, Arc<Kept>, RandomState>,
}

impl Both {
    fn new(entries: usize) -> Self {
        let builder = Cache::builder().max_capacity(2 * entries as u64);
        Self {
            bound: builder.build_with_hasher(RandomState::default()),
            map: HashMap::default(),
        }
    }
}

impl Store for Both {
    fn insert(&self, number: usize) {
        self.map.pin().insert(key(number), kept(number));
        self.bound.insert(number as u64, number as u32);
    }

    fn hit(&self, number: usize) -> bool {
        let map = self.map.pin();
        let kept = map.get(black_box(&key(number)));
        kept.is_some_and(|kept| kept.token.len() == TOKEN)
    }
}

/// One client, and of it a partition for each number.
struct Ours {
    client: Client,
    runtime: Runtime,
}

impl Ours {
    fn new(entries: usize) -> Result<Self> {
        let client = Client::builder("https://issuer.example.com", "app_benchmark", Opaque)
            .cache_capacity(2 * entries as u64)
            .build()?;
        // On one thread, so that what a flight does is part of what an insertion costs.
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { client, runtime })
    }
}

impl Store for Ours {
    fn insert(&self, number: usize) {
        let client = self.client.partition(session(number));
        let token = self.runtime.block_on(client.get_access_token(AUDIENCE));
        assert!(token.is_ok(), "the flow always has a token");
    }

    fn hit(&self, number: usize) -> bool {
        let token = self.client.partition(session(number)).current(AUDIENCE);
        token.is_some_and(|token| token.secret().len() == TOKEN)
    }
}

#[derive(Debug)]
struct Opaque;

impl Flow for Opaque {
    async fn acquire(&self, cx: FlowContext<'_>) -> Result<TokenResponse, Error> {
        let number = cx.partition().and_then(|name| name.rsplit('-').next());
        let number = number
            .and_then(|digits| digits.parse().ok())
            .unwrap_or_default();
        let life = std::time::Duration::from_hours(1);
        Ok(TokenResponse::new(token(number)).lifetime(life))
    }
}

/// Three times as many as fit, and a few of them in use all the time.
pub(crate) fn bound() -> Result<Bound> {
    let (capacity, hot) = (10_000, 100);
    let ours = Ours::new(capacity / 2)?;
    let inserted = 3 * capacity;
    (0..inserted).for_each(|number| {
        ours.insert(number);
        if number % 500 == 0 {
            for number in 0..hot {
                let _still_there = ours.hit(number);
            }
        }
    });
    let kept = |numbers: std::ops::Range<usize>| numbers.filter(|&number| ours.hit(number)).count();
    Ok(Bound {
        capacity,
        inserted,
        hot_kept: kept(0..hot),
        kept: kept(0..inserted),
        hot,
    })
}
