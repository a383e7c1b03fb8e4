//! What the machine allows: the parts that a cached call cannot do without, and nothing around them.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use arc_swap::{ArcSwap, Guard};
use bytes::Bytes;
use foldhash::fast::RandomState;
use http::HeaderValue;
use papaya::HashMap;
use tokio::{sync::OnceCell, time::sleep};

use crate::{
    case::{Lab, Loop, Plan, repeat},
    endpoint::Endpoint,
    subject::{Group, Tokens},
    tokens::{AUDIENCES, audience, jwt},
};

/// A load of the pointer and a look at a clock: less cannot tell a fresh token from an old one.
pub(crate) const BORROW: &str = "ArcSwap load, coarse clock";
pub(crate) const OWNED: &str = "ArcSwap load, coarse clock, owned";
pub(crate) const MAP_BORROW: &str = "lock-free map, load, coarse clock";
pub(crate) const MAP_OWNED: &str = "lock-free map, load, coarse clock, owned";
pub(crate) const HEADER: &str = "HeaderValue clone";
pub(crate) const CROWD: &str = "lock-free map of all people in random order, load, coarse clock";

pub(crate) fn plans() -> Vec<Plan> {
    let plan = |name, build| Plan {
        group: Group::Limit,
        name,
        limit: name,
        build,
    };
    vec![
        plan(BORROW, |_| borrow()),
        plan(OWNED, |_| {
            let cell = cell()?;
            Ok(repeat(move || fresh(&cell).map(Guard::into_inner)))
        }),
        plan(MAP_BORROW, |_| {
            let map = map()?;
            Ok(repeat(move || find(&map)))
        }),
        plan(MAP_OWNED, |_| {
            let map = map()?;
            Ok(repeat(move || find(&map).map(Guard::into_inner)))
        }),
        plan(HEADER, header),
    ]
}

pub(crate) fn borrow() -> Result<Loop> {
    let cell = cell()?;
    Ok(repeat(move || fresh(&cell)))
}

/// Many people with some tokens each in one bare map, met in random order; its keys are kept by the caller.
pub(crate) fn crowd(people: usize, apis: usize) -> Result<Loop> {
    type Key = (Arc<str>, usize);
    let map: HashMap<Key, Cell, RandomState> = HashMap::default();
    let mut keys: Vec<Key> = Vec::with_capacity(people * apis);
    for person in 0..people {
        let name: Arc<str> = format!("person-{person:025}").into();
        for api in 0..apis {
            let key = (Arc::clone(&name), api);
            map.pin().insert(key.clone(), cell()?);
            keys.push(key);
        }
    }
    Ok(crate::people::in_random_order(
        people,
        move |person, api| {
            let key = &keys[person * apis + api];
            map.pin().get(key).and_then(fresh).is_some()
        },
    ))
}

struct Token {
    header: HeaderValue,
    until: u64,
}

type Cell = ArcSwap<Token>;
type Map = HashMap<Box<str>, Cell, RandomState>;

#[inline]
fn fresh(cell: &Cell) -> Option<Guard<Arc<Token>>> {
    let token = cell.load();
    (now() < token.until).then_some(token)
}

#[inline]
fn find(map: &Map) -> Option<Guard<Arc<Token>>> {
    map.pin().get(audience(0)).and_then(fresh)
}

fn cell() -> Result<Cell> {
    let text = format!("Bearer {}", jwt(0, audience(0), 3600));
    let header = HeaderValue::from_maybe_shared(Bytes::from(text))
        .context("a token cannot stand in a header")?;
    let until = now() + 3_600_000_000_000;
    Ok(ArcSwap::from_pointee(Token { header, until }))
}

fn map() -> Result<Map> {
    let map = Map::default();
    for number in 0..KEYS {
        map.pin().insert(audience(number).into(), cell()?);
    }
    Ok(map)
}

/// An application calls a handful of APIs.
const KEYS: usize = 8;

fn header(_: &Lab) -> Result<Loop> {
    let cell = cell()?;
    let header = cell.load().header.clone();
    Ok(repeat(move || Some(header.clone())))
}

#[cfg(target_os = "linux")]
#[inline]
fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Elsewhere there is no coarse clock.
#[cfg(not(target_os = "linux"))]
fn now() -> u64 {
    static START: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed().as_nanos() as u64
}

/// Waiting for one sleep of the endpoint's delay in each audience: no request, no token, no HTTP.
pub(crate) struct OneSleep {
    cells: Vec<OnceCell<()>>,
}

impl Tokens for OneSleep {
    const NAME: &'static str = "one sleep of the endpoint's delay";
    const GROUP: Group = Group::Limit;
    const IS_KEYED: bool = true;
    const LIFETIME: Duration = Duration::from_hours(1);
    type Token = ();

    async fn start(_: &Endpoint) -> Result<Self> {
        let cells = AUDIENCES.iter().map(|_| OnceCell::new()).collect();
        Ok(Self { cells })
    }

    async fn token(&self, audience: usize) -> Result<()> {
        self.cells[audience]
            .get_or_init(|| sleep(crate::stampede::DELAY))
            .await;
        Ok(())
    }
}
