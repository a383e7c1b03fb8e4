use std::sync::Mutex;

use tokio::sync::{Notify, oneshot};

use super::*;

/// Notes what the tasks of a test do, in their order.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

fn run(executor: &Executor) {
    while matches!(executor.step(), Step::Polled | Step::Waited) {}
}

/// Two processes on one host that has been up for a minute.
fn two() -> (Arc<Executor>, HostId, ProcessId, ProcessId) {
    let executor = Executor::new(1);
    let host = executor.add_host(Duration::from_secs(60), 0);
    let (one, other) = (executor.start_process(host), executor.start_process(host));
    (executor, host, one, other)
}

fn sleeper(executor: &Arc<Executor>, process: ProcessId, seconds: u64, notes: &Notes) {
    let sleep = executor.sleep(process, Duration::from_secs(seconds));
    let (notes, clock) = (notes.clone(), Arc::clone(executor));
    executor.spawn(
        process,
        Box::pin(async move {
            sleep.await;
            let now = clock.now().since(Instant(0)).as_secs();
            notes.note(format!("{} after {now}", process.number()));
        }),
    );
}

#[test]
fn timers_end_in_their_order_and_time_moves_only_to_them() {
    let (executor, _, one, other) = two();
    let notes = Notes::default();
    sleeper(&executor, one, 3, &notes);
    sleeper(&executor, other, 2, &notes);
    sleeper(&executor, WORLD, 5, &notes);
    run(&executor);
    assert_eq!(notes.all(), ["2 after 2", "1 after 3", "0 after 5"]);
}

#[test]
fn a_paused_process_finds_its_timers_due_when_it_goes_on() {
    let (executor, _, one, _) = two();
    let notes = Notes::default();
    sleeper(&executor, one, 3, &notes);
    sleeper(&executor, WORLD, 10, &notes);
    executor.pause(one);
    run(&executor);
    assert_eq!(notes.all(), ["0 after 10"]);
    executor.resume(one);
    run(&executor);
    assert_eq!(notes.all(), ["0 after 10", "1 after 10"]);
    assert_eq!(executor.stopped_since(one, Instant(0)).as_secs(), 10);
}

#[test]
fn a_host_that_sleeps_has_its_timers_later_and_its_wall_clock_right() {
    let (executor, host, one, _) = two();
    let notes = Notes::default();
    let before = executor.clocks(one);
    sleeper(&executor, one, 3, &notes);
    sleeper(&executor, WORLD, 10, &notes);
    executor.suspend(host);
    run(&executor);
    executor.wake_host(host);
    run(&executor);
    assert_eq!(notes.all(), ["0 after 10", "1 after 13"]);
    let after = executor.clocks(one);
    let wall = after.wall().duration_since(before.wall()).unwrap();
    assert_eq!(wall.as_secs(), 13);
    assert!(!after.has_reached(before.plus(Duration::from_secs(14))));
    assert!(after.has_reached(before.plus(Duration::from_secs(13))));
}

#[test]
fn a_killed_process_is_dropped_and_runs_no_more() {
    let (executor, _, one, other) = two();
    let notes = Notes::default();
    let (sender, receiver) = oneshot::channel::<()>();
    executor.spawn(
        one,
        Box::pin(async move {
            let _held = sender;
            std::future::pending::<()>().await;
        }),
    );
    let heard = notes.clone();
    executor.spawn(
        other,
        Box::pin(async move {
            heard.note(format!("{}", receiver.await.is_err()));
        }),
    );
    sleeper(&executor, one, 3, &notes);
    run_some(&executor, 3);
    executor.kill(one);
    executor.spawn(one, Box::pin(async { unreachable!("its process is dead") }));
    run(&executor);
    assert_eq!(notes.all(), ["true"]);
}

fn run_some(executor: &Executor, steps: usize) {
    for _ in 0..steps {
        executor.step();
    }
}

#[test]
fn one_seed_is_one_order() {
    let order = |seed| {
        let executor = Executor::new(seed);
        let (notes, gate) = (Notes::default(), Arc::new(Notify::new()));
        for number in 0..20 {
            let (notes, gate) = (notes.clone(), Arc::clone(&gate));
            executor.spawn(
                WORLD,
                Box::pin(async move {
                    notes.note(format!("{number} waits"));
                    gate.notified().await;
                    notes.note(format!("{number} goes on"));
                    gate.notify_one();
                }),
            );
        }
        while executor.step() == Step::Polled {}
        gate.notify_one();
        while executor.step() == Step::Polled {}
        executor.end();
        notes.all()
    };
    assert_eq!(order(3), order(3));
    assert_ne!(order(3), order(4));
    assert_eq!(order(3).len(), 40);
}

#[test]
fn work_that_never_ends_is_noticed() {
    let executor = Executor::new(1);
    executor.spawn(
        WORLD,
        Box::pin(std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Pending
        })),
    );
    while executor.step() == Step::Polled {}
    assert_eq!(executor.step(), Step::Runaway);
    executor.end();
}

#[test]
fn a_clock_that_is_set_and_a_host_that_starts_again_show_it() {
    let (executor, host, one, _) = two();
    let before = executor.clocks(one);
    executor.step_clock(host, -1_000_000_000);
    assert!(executor.clocks(one).wall() < before.wall());
    executor.reboot(host);
    let restarted = executor.clocks(one);
    let zero = Moment::new(
        Duration::ZERO,
        Duration::from_secs(u64::MAX / 2_000_000_000),
    );
    assert!(restarted.has_reached(zero));
    let later = Moment::new(
        Duration::from_nanos(1),
        Duration::from_secs(u64::MAX / 2_000_000_000),
    );
    assert!(!restarted.has_reached(later), "up for no time");
}
