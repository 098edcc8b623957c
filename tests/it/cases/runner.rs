//! Runs one case: its steps in order, then its expectation.

use std::time::{Duration, Instant};

use leaver::base::clock::{Clock, SystemClock};
use tokio::sync::Semaphore;

use super::case::{Case, Command, Encoding, Request, Step};
use super::company::Company;
use super::expectation::{Expectation, contains, lacks};

/// Cases that run at the same time: each has a process and some connections to the one Postgres.
static RUNNING: Semaphore = Semaphore::const_new(6);

/// How long an expectation may take to hold once nothing is pending. `/health` is cached for a second of it.
const GRACE: Duration = Duration::from_secs(4);

/// Interval of polling.
const POLL: Duration = Duration::from_millis(50);

/// Runs a case with each of its encodings.
pub(super) async fn run(folder: &str, name: &str) {
    let case = Case::load(folder, name);
    assert!(!case.encodings.is_empty(), "{name} has no encoding");
    for encoding in &case.encodings {
        let _permit = RUNNING.acquire().await.unwrap();
        let mut company = Company::start(&case).await;
        let differences = steps(&case, *encoding, &mut company).await;
        assert!(
            differences.is_empty(),
            "{} ({encoding:?}): {}\nright: {}\n{}\n{}",
            case.id,
            case.title,
            case.right,
            differences.join("\n"),
            explained(&case, &company),
        );
    }
}

/// Runs all steps, and returns the differences from the expectation.
async fn steps(case: &Case, encoding: Encoding, company: &mut Company) -> Vec<String> {
    let mut requested_before = company.provider.single_reads();
    let mut last_wait = Duration::ZERO;
    for (number, step) in case.steps.iter().enumerate() {
        if step.to_string().contains("{{hold}}") {
            let newest = "SELECT max(id)::text FROM leaver.holds WHERE state = 'open'";
            company.context.hold = company.value(newest).await;
        }
        last_wait = Duration::ZERO;
        let found = match serde_json::from_value(company.context.resolve(step)).unwrap() {
            Step::Post(post) => {
                requested_before = company.provider.single_reads();
                company.post(&post, encoding).await;
                vec![]
            }
            Step::Api { set } => {
                company.provider.set(&set);
                vec![]
            }
            Step::Settle {} => {
                company.settle().await;
                vec![]
            }
            Step::Wait { seconds } => {
                let wait = Duration::from_secs_f64(seconds);
                company.settle().await;
                if number + 1 == case.steps.len() {
                    last_wait = wait;
                } else {
                    // What follows may compare its time with what was read before.
                    tokio::time::sleep(wait).await;
                }
                vec![]
            }
            Step::Pause { seconds } => {
                tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
                vec![]
            }
            Step::UntilRead {} => {
                company.settle_reads(requested_before).await;
                vec![]
            }
            Step::Cli(command) => cli(&command, company),
            Step::Restart { config } => {
                company.restart(config.as_deref());
                vec![]
            }
            Step::Mark {} => {
                company.context.mark = Some(next_second().await);
                vec![]
            }
            Step::Request(request) => send(&request, company).await,
            Step::Sql { run } => {
                company.session.sql(&run).await;
                vec![]
            }
            Step::Expect { holds } => {
                company.settle().await;
                let expected = Expectation::parse(holds);
                until(&expected, GRACE, company).await
            }
        };
        if !found.is_empty() {
            return vec![format!("step {}: {}", number + 1, found.join("\n"))];
        }
    }
    if company.service.is_some() {
        company.settle().await;
    }
    let expected = Expectation::parse(company.context.resolve(&case.expect));
    until(&expected, GRACE + last_wait, company).await
}

/// Polls an expectation until it holds or time is up. Returns the differences then.
async fn until(expected: &Expectation, limit: Duration, company: &mut Company) -> Vec<String> {
    let began = Instant::now();
    loop {
        let differences = expected.differences(company).await;
        if differences.is_empty() || began.elapsed() > limit {
            return differences;
        }
        tokio::time::sleep(POLL).await;
    }
}

fn cli(command: &Command, company: &Company) -> Vec<String> {
    let args: Vec<&str> = command.args.iter().map(String::as_str).collect();
    let output = company.run(&args, &command.env);
    let mut found = vec![];
    let mut codes = command.codes.clone();
    codes.extend(command.code);
    if !codes.is_empty() && !output.code.is_some_and(|code| codes.contains(&code)) {
        found.push(format!("exit code {:?}, not {codes:?}", output.code));
    }
    let text = format!("{}{}", output.out, output.err);
    contains(&mut found, "the output", &text, &command.contains);
    lacks(&mut found, "the output", &text, &command.lacks);
    if !found.is_empty() {
        found.push(format!("leaver {}: {text}", command.args.join(" ")));
    }
    found
}

async fn send(request: &Request, company: &Company) -> Vec<String> {
    let base = if request.admin {
        &company.context.admin_url
    } else {
        &company.context.url
    };
    let client = leaver::connect::client::new(Duration::from_secs(10)).unwrap();
    let method = request.method.parse().unwrap();
    let answer = client
        .request(method, format!("{base}{}", request.path))
        .body(request.text.clone())
        .send()
        .await
        .unwrap();
    let mut found = vec![];
    let status = answer.status().as_u16();
    if status != request.status {
        found.push(format!("status {status}, not {}", request.status));
    }
    let text = answer.text().await.unwrap();
    contains(&mut found, "the response", &text, &request.contains);
    found
}

/// Waits for the start of a second, so that what follows happens within it.
async fn next_second() -> chrono::DateTime<chrono::Utc> {
    let now = SystemClock.now();
    let rest = 1_000 - u64::from(now.timestamp_subsec_millis().min(999));
    tokio::time::sleep(Duration::from_millis(rest)).await;
    let now = SystemClock.now();
    chrono::DateTime::from_timestamp(now.timestamp(), 0).unwrap()
}

/// Returns what `leaver explain` and `leaver deliveries` show, for the reader of a failure.
fn explained(case: &Case, company: &Company) -> String {
    let none = std::collections::BTreeMap::new();
    let mut text = company.run(&["deliveries"], &none).out;
    for who in &case.explain {
        let who = company.context.text(who);
        text += &company.run(&["explain", &who], &none).out;
    }
    text
}
