//! Sessions in files that several processes share, some of which are killed.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use intelliauth::{FileStore, Saved, SessionRecord, SessionStore, StoreErrorKind};
use tokio::{runtime::Runtime, task::JoinSet};

use super::{
    PATIENCE, alice, family,
    files::{above, names_in, store_in},
    kept, put, record,
};

/// Names the part that another process plays, and where.
const PART: &str = "INTELLIAUTH_TEST_PART";
const PLACE: &str = "INTELLIAUTH_TEST_PLACE";

/// What a process says when it has come to the point that a test waits for.
const READY: &str = "ready";

/// Not a test by itself: the parts that tests give to processes of their own.
#[test]
fn a_part_of_another_test() {
    let (Ok(part), Some(place)) = (env::var(PART), env::var_os(PLACE)) else {
        return;
    };
    let place = PathBuf::from(place);
    let store = store_in(&place);
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        match part.as_str() {
            "count" => count(store, false).await,
            "count_locked" => count(store, true).await,
            "hold" => hold(&store).await,
            "write" => write(&store).await,
            "overflow" => overflow(&store).await,
            "default" => {
                let store = FileStore::default();
                put(&store, &record("kept")).await.unwrap();
            }
            other => panic!("there is no part {other}"),
        }
    });
}

const TASKS: u32 = 2;
const TIMES: u32 = 3;

/// Adds to the number that is kept, in several tasks.
async fn count(store: FileStore, is_locked: bool) {
    let store = Arc::new(store);
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for _ in 0..TIMES {
                if is_locked {
                    count_locked(&store).await;
                } else {
                    while add_one(&store).await == Saved::Superseded {}
                }
            }
        });
    }
    while let Some(outcome) = tasks.join_next().await {
        outcome.unwrap();
    }
}

/// All of them take the lock, so none comes in between.
async fn count_locked(store: &FileStore) {
    let held = store.lock(&family(), PATIENCE).await.unwrap();
    assert_eq!(add_one(store).await, Saved::Saved);
    assert!(held.is_held().await);
    held.release().await;
}

async fn add_one(store: &FileStore) -> Saved {
    let there = store.load(&alice()).await.unwrap();
    let next = there.as_ref().map_or(0, counted) + 1;
    let there = there.map(|there| there.version());
    let next = record(next.to_string());
    store.save(&alice(), &next, there).await.unwrap()
}

fn counted(record: &SessionRecord) -> u32 {
    let text = std::str::from_utf8(record.as_bytes()).unwrap();
    text.parse().unwrap()
}

async fn hold(store: &FileStore) {
    let _held = store.lock(&family(), PATIENCE).await.unwrap();
    say(READY);
    // Until it is killed, or the test that would do that has ended.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// Long enough that a write takes more than one system call's worth of time.
const LENGTH: usize = 256 * 1024;

async fn write(store: &FileStore) {
    for round in 0_usize.. {
        let held = store.lock(&family(), PATIENCE).await.unwrap();
        let letter = b'a' + u8::try_from(round % 26).unwrap();
        let content = vec![letter; LENGTH + round % 7];
        put(store, &record(content)).await.unwrap();
        drop(held);
        if round == 0 {
            say(READY);
        }
    }
}

/// Runs where no file may be larger than a few blocks.
async fn overflow(store: &FileStore) {
    put(store, &record("small")).await.unwrap();
    let large = record("larger ".repeat(LENGTH / 8));
    let error = put(store, &large).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TooLarge, "{error:?}");
    assert!(!format!("{error:?}").contains("larger"));
    assert_eq!(kept(store).await.unwrap(), b"small");
}

/// On a line of its own: the test harness writes to the same place.
fn say(word: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{word}").unwrap();
    out.flush().unwrap();
}

/// A process that plays a part. It is killed when this is dropped.
struct Player(Child);

impl Player {
    fn start(part: &str, place: &Path) -> Self {
        let program = env::current_exe().unwrap();
        Self::of(Command::new(program), part, place)
    }

    /// `command` ends with this test program, to which the rest is given.
    fn of(mut command: Command, part: &str, place: &Path) -> Self {
        let this = "store::processes::a_part_of_another_test";
        command
            .args(["--exact", this, "--nocapture", "--test-threads=1"])
            .env(PART, part)
            .env(PLACE, place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        Self(command.spawn().unwrap())
    }

    fn until_ready(&mut self) {
        let out = self.0.stdout.take().unwrap();
        let mut lines = BufReader::new(out).lines().map_while(Result::ok);
        assert!(
            lines.any(|line| line == READY),
            "it ended before it was ready"
        );
    }

    /// `kill -9`.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    fn finish(mut self) -> ExitStatus {
        // Read it all, so that it does not wait for a reader.
        let mut said = String::new();
        let mut out = self.0.stdout.take().unwrap();
        out.read_to_string(&mut said).unwrap();
        assert!(said.contains("1 passed"), "{said}");
        self.0.wait().unwrap()
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn no_update_is_lost_among_processes_that_take_no_lock() {
    assert_counted("count", 10).await;
}

#[tokio::test]
async fn one_of_forty_processes_with_several_tasks_each_holds_the_lock() {
    assert_counted("count_locked", 40).await;
}

async fn assert_counted(part: &str, processes: u32) {
    let above = above();
    let players: Vec<Player> = (0..processes)
        .map(|_| Player::start(part, above.path()))
        .collect();
    for player in players {
        assert!(player.finish().success());
    }
    let found = store_in(above.path()).load(&alice()).await.unwrap();
    assert_eq!(counted(&found.unwrap()), processes * TASKS * TIMES);
}

#[tokio::test]
async fn a_session_is_free_at_once_when_its_holder_is_killed() {
    let above = above();
    let store = store_in(above.path());
    for _ in 0..3 {
        let mut player = Player::start("hold", above.path());
        player.until_ready();
        let error = store.lock(&family(), Duration::from_millis(50)).await;
        assert_eq!(error.unwrap_err().kind(), StoreErrorKind::Locked);
        player.kill();
        drop(store.lock(&family(), Duration::ZERO).await.unwrap());
    }
}

#[tokio::test]
async fn those_who_wait_get_the_session_when_its_holder_is_killed() {
    let above = above();
    let store = store_in(above.path());
    let mut player = Player::start("hold", above.path());
    player.until_ready();
    let key = family();
    let killing = async {
        tokio::task::yield_now().await;
        player.kill();
    };
    let (held, ()) = tokio::join!(store.lock(&key, PATIENCE), killing);
    drop(held.unwrap());
}

#[tokio::test]
async fn killed_in_the_middle_of_a_write_leaves_the_old_or_the_new_record() {
    let above = above();
    let store = store_in(above.path());
    let written_aside = || {
        let is_aside = |name: &String| Path::new(name).extension().is_some_and(|end| end == "tmp");
        names_in(above.path()).into_iter().filter(is_aside).count()
    };
    let mut left_behind = 0;
    for round in 0..40_u64 {
        let mut player = Player::start("write", above.path());
        player.until_ready();
        // A write is begun, and then anything from its first byte to some later write.
        while written_aside() == left_behind {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_micros(37 * round * round));
        player.kill();

        left_behind = written_aside();
        let found = kept(&store).await.expect("there was one, so there is one");
        let is_whole = found.iter().all(|byte| *byte == found[0]);
        assert!(
            is_whole && (LENGTH..LENGTH + 7).contains(&found.len()),
            "torn: {} bytes",
            found.len()
        );
        // What comes after it works as ever.
        let held = store.lock(&family(), Duration::ZERO).await.unwrap();
        put(&store, &record(&found)).await.unwrap();
        drop(held);
    }
    assert!(
        left_behind > 0,
        "no kill came in the middle of a write, so this shows nothing"
    );
}

#[test]
fn where_no_more_can_be_written_the_old_record_stays() {
    let above = above();
    let mut shell = Command::new("sh");
    let limited = r#"trap "" XFSZ; ulimit -f 64; exec "$0" "$@""#;
    shell.args(["-c", limited]).arg(env::current_exe().unwrap());
    assert!(
        Player::of(shell, "overflow", above.path())
            .finish()
            .success()
    );
    let named = |ending: &str| format!("{}.{ending}", alice().digest());
    let expected = [named("json"), named("write.lock")];
    assert_eq!(names_in(above.path()), expected, "no litter");
}

#[cfg(not(target_vendor = "apple"))]
#[test]
fn the_default_place_is_the_users_state() {
    let above = above();
    let mut program = Command::new(env::current_exe().unwrap());
    program.env("XDG_STATE_HOME", above.path().join("state"));
    assert!(
        Player::of(program, "default", above.path())
            .finish()
            .success()
    );
    let directory = above.path().join("state/intelliauth/sessions");
    let path = directory.join(format!("{}.json", alice().digest()));
    assert_eq!(fs::read(path).unwrap(), b"kept");
    let permissions = fs::metadata(directory).unwrap().permissions();
    assert_eq!(permissions.mode() & 0o777, 0o700);
}
