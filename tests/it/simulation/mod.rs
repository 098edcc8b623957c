//! Lists of operations, made at random and shrunk where they fail, against a model that knows only the rules.
//!
//! `LEAVER_SIM_LISTS` says how many lists, `LEAVER_SIM_OPS` how long, `LEAVER_SIM_SEED` where to begin. What fails is
//! printed with its seed and written, shrunk, as a file that belongs into `tests/repro`, where every file is replayed.

mod check;
mod generate;
mod journal;
mod kill;
mod letters;
mod model;
mod ops;
mod post;
mod world;

use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio::task::JoinSet;

use self::ops::{Op, OpList};
use self::world::World;

/// Lists that run at the same time.
const AT_ONCE: usize = 4;
/// Runs that shrinking may take.
const SHRINKING: usize = 150;

/// Lists that are shrunk; where more fail, these will tell.
const SHRUNK: usize = 2;

/// Nothing that can be done takes longer, whatever is broken.
const LONGEST: Duration = Duration::from_mins(1);

/// Carries a list out from the beginning.
async fn run(list: OpList) -> Result<(), String> {
    let mut world = World::new(&list).await?;
    let done = run_in(&mut world, &list.ops).await;
    world.end().await;
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
        in_time(done)
            .await
            .map_err(|error| format!("operation {position}, {op:?}: {error}"))?;
    }
    in_time(world.drain())
        .await
        .map_err(|error| format!("at the end: {error}"))
}

async fn in_time(work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let done = tokio::time::timeout(LONGEST, work).await;
    done.unwrap_or_else(|_| Err("does not end".to_owned()))
}

impl World {
    /// All faults are over: everything that waits is done, now and when all that was announced has come.
    async fn drain(&mut self) -> Result<(), String> {
        self.restore().await?;
        for _ in 0..20 {
            self.app.advance(TimeDelta::minutes(10));
            self.settle().await?;
            let waiting = "SELECT count(*) FROM leaver.deliveries WHERE state = 'waiting'";
            if self.app.count(waiting).await + i64::try_from(self.replay_parked().await).unwrap()
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
async fn outcome(list: OpList) -> Result<(), String> {
    tokio::spawn(run(list)).await.unwrap_or_else(|error| {
        let panic = error.into_panic();
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("panicked: {}", text.unwrap_or("without words")))
    })
}

/// The list of a seed, in a form that knows how to become smaller.
fn seeded(seed: u64, most: usize) -> impl ValueTree<Value = OpList> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    generate::lists(most).new_tree(&mut runner).unwrap()
}

/// The smallest list that was found to fail, and how it does.
async fn shrunk(mut tree: impl ValueTree<Value = OpList>, error: String) -> (OpList, String) {
    let mut smallest = (tree.current(), error);
    for _ in 0..SHRINKING {
        if !tree.simplify() {
            break;
        }
        let list = tree.current();
        match outcome(list.clone()).await {
            Err(error) => smallest = (list, error),
            Ok(()) => {
                if !tree.complicate() {
                    break;
                }
            }
        }
    }
    smallest
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable)
        .ok()
        .map_or(default, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_of_operations_ends_as_the_rules_say() {
    let (first, lists) = (number("LEAVER_SIM_SEED", 1), number("LEAVER_SIM_LISTS", 40));
    let most = usize::try_from(number("LEAVER_SIM_OPS", 30)).unwrap();
    let mut seeds = first..first + lists;
    let mut running = JoinSet::new();
    let mut failed = vec![];
    loop {
        while running.len() < AT_ONCE
            && let Some(seed) = seeds.next()
        {
            let list = seeded(seed, most).current();
            running.spawn(async move { (seed, outcome(list).await) });
        }
        let Some(ended) = running.join_next().await else {
            break;
        };
        if let (seed, Err(error)) = ended.unwrap() {
            let tree = seeded(seed, most);
            let (list, error) = if failed.len() < SHRUNK {
                shrunk(tree, error).await
            } else {
                (tree.current(), error)
            };
            let name = format!("simulation-{seed}.json");
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
            let text = serde_json::to_string_pretty(&list).unwrap();
            std::fs::write(&path, &text).unwrap();
            failed.push(format!(
                "seed {seed} (LEAVER_SIM_SEED={seed} LEAVER_SIM_LISTS=1), shrunk in {}:\n{text}\n{error}",
                path.display()
            ));
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {lists} lists fail\n{}",
        failed.len(),
        failed.join("\n\n")
    );
}

#[tokio::test]
async fn every_list_that_was_kept_ends_as_the_rules_say() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/repro");
    let mut files: Vec<_> = std::fs::read_dir(kept)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let list: OpList = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        if let Err(error) = outcome(list).await {
            panic!("{}: {error}", file.display());
        }
    }
}
