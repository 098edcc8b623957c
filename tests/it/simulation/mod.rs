//! Random lists of operations, shrunk when they fail, compared with an independent model.
//!
//! A run has the same lists each time. `SIMULATION_SEED` (a number, or `random`), `SIMULATION_LISTS` and `SIMULATION_OPS` (the
//! maximum length of a list) select others. A failing list is printed with its seed and written, shrunk, to a file. Move it
//! to `tests/repro`: all files there are replayed.
#![expect(
    clippy::large_futures,
    reason = "a world holds whole services, and few of them exist at a time"
)]

mod access;
mod accounts;
mod bad;
mod check;
mod generate;
mod idle_apps;
mod hands;
mod journal;
mod kill;
mod letters;
mod limits;
mod model;
mod obstacles;
mod ops;
mod post;
mod rounds;
mod senders;
mod shrink;
mod situation;
mod states;
mod world;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio::task::JoinSet;

use self::idle_apps::IdleApps;
use self::ops::{Op, OpList};
use self::shrink::{Failing, SHRINKING_TIME};
use self::world::World;

/// The seed of the first list, so that a failure depends on the change under test and not on chance.
const FIRST_SEED: u64 = 20_261_124_000;
/// Lists that run at the same time: what each of them waits for is mostly its own connection.
const AT_ONCE: usize = 4;
/// Runs that shrinking a list may take.
const SHRINKING: usize = 300;
/// Lists that are shrunk; where more fail, these will tell.
const SHRUNK: usize = 2;
/// Nothing that can be done takes longer, whatever is broken.
const LONGEST: Duration = Duration::from_secs(30);

/// Carries a list out from the beginning.
async fn run(list: OpList, idle_apps: Arc<IdleApps>) -> Result<(), String> {
    let mut world = Box::pin(World::new(&list, idle_apps.take().await)).await?;
    let done = Box::pin(run_in(&mut world, &list.ops)).await;
    idle_apps.give_back(Box::pin(world.end()).await);
    done
}

/// Carries operations out, and checks whenever the service is at rest.
async fn run_in(world: &mut World, ops: &[Op]) -> Result<(), String> {
    for (position, op) in ops.iter().enumerate() {
        let done = async {
            world.perform(op).await?;
            match op {
                Op::Settle if !world.is_cut() => world.check(false).await,
                _ => Ok(()),
            }
        };
        in_time(Box::pin(done))
            .await
            .map_err(|error| format!("operation {position}, {op:?}: {error}"))?;
    }
    in_time(world.drain())
        .await
        .map_err(|error| format!("at the end: {error}"))
}

async fn in_time(work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let done = tokio::time::timeout(LONGEST, Box::pin(work)).await;
    done.unwrap_or_else(|_| Err("does not end".to_owned()))
}

impl World {
    /// All faults are over: everything that waits is done, now and when all that was announced has come.
    async fn drain(&mut self) -> Result<(), String> {
        self.restore().await?;
        self.remove_all_obstacles().await;
        for _ in 0..20 {
            self.app.advance(TimeDelta::minutes(10));
            self.settle().await?;
            let waiting = "SELECT count(*) FROM leaver.deliveries WHERE state = 'pending'";
            if self.app.count(waiting).await + i64::try_from(self.replay_failed().await).unwrap()
                == 0
            {
                break;
            }
        }
        self.check(false).await?;
        self.fix_drift().await?;
        self.check(true).await?;
        self.app.advance(TimeDelta::days(60));
        self.timer().await?;
        self.check(false).await?;
        self.fix_drift().await?;
        self.check(true).await
    }
}

/// Runs a list so that a panic is a failure like any other.
async fn outcome(list: OpList, idle_apps: &Arc<IdleApps>) -> Result<(), String> {
    let running = tokio::spawn(run(list, Arc::clone(idle_apps)));
    running.await.unwrap_or_else(|error| {
        let panic = error.into_panic();
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("panicked: {}", text.unwrap_or("without words")))
    })
}

/// The list of a seed.
fn seeded(seed: u64, most: usize) -> OpList {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    generate::lists(most)
        .new_tree(&mut runner)
        .unwrap()
        .current()
}

/// Says how to repeat a run, and what one has come to.
#[expect(clippy::print_stderr, reason = "whoever runs the tests should read it")]
fn say(words: &str) {
    eprintln!("{words}");
}

fn variable<T: FromStr>(name: &str, usual: T) -> T {
    let set = std::env::var_os(name);
    let text = set.map(|text| text.into_string().unwrap());
    text.map_or(usual, |text| text.parse().ok().unwrap())
}

/// Returns the seed of the first list.
fn first_seed() -> u64 {
    if std::env::var_os("SIMULATION_SEED").is_some_and(|set| set == "random") {
        return u64::from(uuid::Uuid::new_v4().as_fields().0);
    }
    variable("SIMULATION_SEED", FIRST_SEED)
}

fn written(seed: u64, list: &OpList) -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("simulation-{seed}.json"));
    let text = serde_json::to_string_pretty(list).unwrap();
    std::fs::write(&path, &text).unwrap();
    (path, text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_operations_end_as_the_model_predicts() {
    let first = first_seed();
    let (lists, most) = (
        variable("SIMULATION_LISTS", 40),
        variable("SIMULATION_OPS", 30),
    );
    say(&format!(
        "SIMULATION_SEED={first} SIMULATION_LISTS={lists} SIMULATION_OPS={most}"
    ));
    let mut seeds = first..first + lists;
    let idle_apps = Arc::new(IdleApps::default());
    let mut running = JoinSet::new();
    let (mut ops, mut kills, mut failed) = (0, 0, vec![]);
    loop {
        while running.len() < AT_ONCE
            && let Some(seed) = seeds.next()
        {
            let list = seeded(seed, most);
            ops += list.ops.len();
            kills += list
                .ops
                .iter()
                .filter(|op| matches!(op, Op::Kill { .. }))
                .count();
            let idle_apps = Arc::clone(&idle_apps);
            running.spawn(async move { (seed, outcome(list, &idle_apps).await) });
        }
        let Some(ended) = running.join_next().await else {
            break;
        };
        let (seed, Err(error)) = ended.unwrap() else {
            continue;
        };
        let again = format!("SIMULATION_SEED={seed} SIMULATION_LISTS=1 SIMULATION_OPS={most}");
        say(&format!("{again}: {error}"));
        failed.push(if failed.len() < SHRUNK {
            let list = seeded(seed, most);
            let mut failing = Failing {
                list,
                error,
                runs: SHRINKING,
                until: Instant::now() + SHRINKING_TIME,
            };
            failing
                .shrink(async |list| outcome(list, &idle_apps).await)
                .await;
            let (path, text) = written(seed, &failing.list);
            format!(
                "{again}, shrunk to {} operations in {}:\n{text}\n{}\n",
                failing.list.ops.len(),
                path.display(),
                failing.error
            )
        } else {
            format!("{again}: {error}")
        });
    }
    say(&format!(
        "{lists} lists, {ops} operations, {kills} of them kills"
    ));
    assert!(
        failed.is_empty(),
        "{} of {lists} lists fail\n{}",
        failed.len(),
        failed.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_operations_end_as_the_model_predicts() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/repro");
    let files: Vec<_> = std::fs::read_dir(kept)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    assert!(files.len() >= 5, "{files:?}");
    let idle_apps = Arc::new(IdleApps::default());
    let mut running = JoinSet::new();
    for file in files {
        if running.len() >= AT_ONCE {
            agree(running.join_next().await.unwrap().unwrap());
        }
        let list: OpList = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let idle_apps = Arc::clone(&idle_apps);
        running.spawn(async move { (file, outcome(list, &idle_apps).await) });
    }
    while let Some(ended) = running.join_next().await {
        agree(ended.unwrap());
    }
}

/// Fails if the replay of a file has failed.
fn agree((file, done): (PathBuf, Result<(), String>)) {
    if let Err(error) = done {
        panic!("{}: {error}", file.display());
    }
}
