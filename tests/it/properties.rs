//! Over many lifetimes and clocks: what a token's life looks like, whatever happens around it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use intelliauth::{Client, Clock, ManualClock, Moment, RefreshAhead, TokenResponse};
use proptest::prelude::*;

use crate::support::Source;

/// A token as its source knows it, from the instant before it was asked for.
#[derive(Clone, Copy, Debug)]
struct Issued {
    at: Moment,
    is_background: bool,
    life: f64,
}

impl Issued {
    fn reserve(&self) -> f64 {
        (self.life / 10.0).min(30.0)
    }

    fn window(&self) -> f64 {
        (self.life / 5.0).min(300.0)
    }

    fn jitter_max(&self) -> f64 {
        (self.life / 10.0).min(self.window() / 2.0)
    }

    /// No refresh before this age.
    fn earliest(&self) -> f64 {
        self.life - self.reserve() - self.window() - self.jitter_max() - SLACK
    }

    fn age(&self, now: Moment) -> f64 {
        now.since(self.at).as_secs_f64()
    }
}

/// Lines are kept in milliseconds.
const SLACK: f64 = 0.004;

/// What happens between two calls, in parts of a token's life.
#[derive(Clone, Copy, Debug)]
enum Step {
    Pass(f64),
    Suspend(f64),
    SetBack(f64),
}

fn steps(with_odd_clocks: bool) -> impl Strategy<Value = Vec<Step>> {
    let pass = prop_oneof![
        8 => (0.0..0.1).prop_map(Step::Pass),
        2 => (0.0..1.5).prop_map(Step::Pass),
    ];
    let odd = prop_oneof![
        (0.0..2.0).prop_map(Step::Suspend),
        (0.0..2.0).prop_map(Step::SetBack),
    ];
    let step = if with_odd_clocks {
        prop_oneof![5 => pass, 1 => odd].boxed()
    } else {
        pass.boxed()
    };
    prop::collection::vec(step, 1..120)
}

/// A client, its clock, and what its source has issued: each `lives[n % len]` seconds, after a delay.
struct World {
    client: Client,
    clock: ManualClock,
    issued: Arc<Mutex<Vec<Issued>>>,
}

impl World {
    fn new(lives: Vec<f64>, delay: f64, mode: RefreshAhead) -> Self {
        let (clock, issued) = (ManualClock::new(), Arc::<Mutex<Vec<Issued>>>::default());
        let (at, log) = (clock.clone(), Arc::clone(&issued));
        let source = Source::new(move |call| {
            let life = lives[(call.number - 1) % lives.len()];
            log.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(Issued {
                    at: at.now(),
                    is_background: call.is_background,
                    life,
                });
            at.advance(Duration::from_secs_f64(life * delay));
            let text = (call.number - 1).to_string();
            Some(TokenResponse::new(text.as_str()).lifetime(Duration::from_secs_f64(life)))
        });
        let client = source.client(&clock).refresh_ahead(mode);
        #[expect(clippy::unwrap_used, reason = "a failure here is a failed test")]
        let client = client.build().unwrap();
        Self {
            client,
            clock,
            issued,
        }
    }

    fn issued(&self) -> Vec<Issued> {
        self.issued
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn take(&self, step: Step, life: f64) {
        let seconds = |part: f64| Duration::from_secs_f64(part * life);
        match step {
            Step::Pass(part) => self.clock.advance(seconds(part)),
            Step::Suspend(part) => self.clock.suspend(seconds(part)),
            Step::SetBack(part) => self.clock.set_wall_back(seconds(part)),
        }
    }

    /// Asks, and returns which of the issued tokens came. A refresh is not over when this returns.
    async fn ask(&self) -> Issued {
        #[expect(clippy::unwrap_used, reason = "a failure here is a failed test")]
        let number: usize = {
            let token = self.client.get_access_token("api").await.unwrap();
            token.secret().parse().unwrap()
        };
        self.issued()[number]
    }
}

/// Runs one case to its end, without a socket and on one thread.
fn run<T>(case: impl Future<Output = T>) -> T {
    #[expect(clippy::unwrap_used, reason = "a failure here is a failed test")]
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(case)
}

fn modes() -> impl Strategy<Value = RefreshAhead> {
    prop_oneof![
        2 => Just(RefreshAhead::Background),
        1 => Just(RefreshAhead::Inline),
        1 => Just(RefreshAhead::Off),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn a_served_token_is_never_inside_its_reserve_and_no_refresh_starts_before_its_window(
        lives in prop::collection::vec(1.0..100_000.0_f64, 1..4),
        delay in 0.0..0.5_f64,
        mode in modes(),
        steps in steps(true),
    ) {
        // More than a day is not believed.
        let lives: Vec<f64> = lives.into_iter().map(|life| life.min(86_400.0)).collect();
        let world = World::new(lives.clone(), delay, mode);
        run(async {
            for step in steps {
                let token = world.ask().await;
                let age = token.age(world.clock.now());
                prop_assert!(age < token.life - token.reserve() + SLACK, "{token:?} at {age}");
                world.client.close().await.unwrap();
                world.take(step, lives[0]);
            }
            for pair in world.issued().windows(2) {
                let age = pair[0].age(pair[1].at);
                prop_assert!(age >= pair[0].earliest(), "{pair:?} at {age}");
                let is_stale = age >= pair[0].life - pair[0].reserve() - SLACK;
                prop_assert!(pair[1].is_background || is_stale || mode == RefreshAhead::Inline);
                prop_assert!(is_stale || mode != RefreshAhead::Off);
            }
            Ok(())
        })?;
    }

    #[test]
    fn at_most_two_requests_are_made_in_a_lifetime_and_nobody_waits_who_asks_in_each_window(
        life in 1.0..86_400.0_f64,
        parts in prop::collection::vec(0.0..0.09_f64, 1..200),
        handles in any::<bool>(),
    ) {
        let world = World::new(vec![life], 0.0, RefreshAhead::Background);
        run(async {
            let handle = world.client.audience("api");
            for part in parts {
                if !handles || handle.current().is_none() {
                    world.ask().await;
                }
                world.client.close().await.unwrap();
                world.take(Step::Pass(part), life);
            }
            let issued = world.issued();
            for three in issued.windows(3) {
                let span = three[0].age(three[2].at);
                prop_assert!(span > life, "{three:?} in {span} s");
            }
            // Calls are closer than the window is long: only the first caller of all waits.
            if part_fits(life) {
                prop_assert!(issued.iter().skip(1).all(|issued| issued.is_background));
            }
            Ok(())
        })?;
    }
}

/// Whether a step of less than 0.09 lives cannot jump over a window of this life.
fn part_fits(life: f64) -> bool {
    (life / 5.0).min(300.0) >= life * 0.09
}
