//! The trial of large bodies: time and peak memory for each, by a fresh process.

use std::fmt::Write;
use std::time::Instant;

use anyhow::ensure;
use leaver::base::clock::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::database::Database;
use crate::log_path;
use crate::sender::{connect, read_response, scheme, signed_request};
use crate::server::{Child, Kind};

/// Size of a body that is as large as the service accepts by default.
const LARGEST: usize = 10 * 1024 * 1024;

/// Sends each body to a service of its own, then all of them to one, and returns time and peak memory.
pub(crate) async fn large(database: &mut Database) -> anyhow::Result<Value> {
    let mut measured = vec![];
    for (name, body) in bodies() {
        database.reset().await?;
        database.add_people(100_000).await?;
        let mut child = Child::start(Kind::Service, database.url(), &log_path(Kind::Service))?;
        let seconds = process(&child, database, &body).await?;
        let peak_mib = child.memory_kib("VmHWM") / 1024;
        child.stop()?;
        measured.push(
            json!({"body": name, "bytes": body.len(), "seconds": seconds, "peak_mib": peak_mib}),
        );
    }
    let mut child = Child::start(Kind::Service, database.url(), &log_path(Kind::Service))?;
    for (_, body) in bodies() {
        process(&child, database, &format!("{body} ")).await?;
    }
    let peak_mib = child.memory_kib("VmHWM") / 1024;
    child.stop()?;
    Ok(json!({"each_alone": measured, "all_in_one_process_peak_mib": peak_mib}))
}

/// Sends a body, and returns the time until it is processed.
async fn process(child: &Child, database: &mut Database, body: &str) -> anyhow::Result<f64> {
    let began = Instant::now();
    let mut stream = connect(child.address()).await?;
    let request = signed_request(&scheme()?, body, SystemClock.now());
    tokio::io::AsyncWriteExt::write_all(&mut stream, &request).await?;
    let status = read_response(&mut stream, &mut vec![]).await?;
    ensure!(status == 200, "a large body got status {status}");
    database.wait_until_processed().await?;
    Ok((began.elapsed().as_secs_f64() * 10.0).round() / 10.0)
}

fn bodies() -> Vec<(&'static str, String)> {
    let list = |count: usize, entry: &dyn Fn(usize) -> String| {
        let entries: Vec<String> = (0..count).map(entry).collect();
        format!(r#"{{"employees":[{}]}}"#, entries.join(","))
    };
    let with_values = |n: usize, status: &str, employment: &str| {
        format!(
            r#"{{"id":"{n}","action":"Updated","timestamp":"2026-11-27T08:00:00Z","changedFields":["status"],"fields":{{"status":"{status}","employmentHistoryStatus":"{employment}","workEmail":"person{n}@example.com"}}}}"#
        )
    };
    let one = |member: &str, value: &str| {
        format!(
            r#"{{"employees":[{{"id":"1","fields":{{"status":"Active"}},"{member}":{value}}}]}}"#
        )
    };
    let filled = |text: &str| text.repeat((LARGEST - 300) / text.len());
    let mut form = String::new();
    for field in ["status", "employmentHistoryStatus"] {
        for n in 0..100_000 {
            write!(form, "employees%5B{n}%5D%5B{field}%5D=Active&").unwrap_or_default();
        }
    }
    vec![
        (
            "100,000 entries without values",
            list(100_000, &|n| format!(r#"{{"id":{n}}}"#)),
        ),
        (
            "50,000 entries with values, one in 100 has left",
            list(50_000, &|n| match n % 100 {
                0 => with_values(n, "Inactive", "Terminated"),
                _ => with_values(n, "Active", "Full-Time"),
            }),
        ),
        (
            "5,000 leavers",
            list(5_000, &|n| with_values(n, "Inactive", "Terminated")),
        ),
        (
            "one person 100,000 times",
            list(100_000, &|n| {
                let (hour, minute, second) = (n / 3600 % 8, n / 60 % 60, n % 60);
                format!(
                    r#"{{"id":1,"timestamp":"2026-11-27T{hour:02}:{minute:02}:{second:02}Z","fields":{{"status":"Active"}}}}"#
                )
            }),
        ),
        ("a form of 100,000 employees, keys interleaved", form),
        (
            "10 MiB of entries that are none",
            format!(r#"{{"employees":[{}1]}}"#, filled("1,")),
        ),
        (
            "10 MiB that are not needed",
            one("note", &format!("[{}1]", filled("1,"))),
        ),
        (
            "10 MiB of escapes in a needed text",
            one("timestamp", &format!("\"{}\"", filled(r"\u00e9"))),
        ),
        (
            "10 MiB to be repaired",
            one("note", &format!("[{}1]", filled("NaN,"))),
        ),
    ]
}
