//! `leaver events`.

use std::process::ExitCode;

use anyhow::ensure;
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use sqlx::PgConnection;

use super::super::Config;
use super::super::output::{self, Listing, TableColumns};
use super::super::sources::WrongUse;
use super::{names, open_about};
use crate::base::clock::{Clock, SystemClock};
use crate::config::{Environment, Settings};
use crate::reports::employees::parse_time;
use crate::reports::events::{self, EventFilter, EventSummary};
use leaver_core::events::EventType;

const DEFAULT_LIMIT: i64 = 20;

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only events for this destination
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// Only events in this state
    #[arg(long)]
    state: Option<State>,
    /// Only events of this type, or of a group such as `account.*`
    #[arg(long = "type", value_name = "TYPE", value_parser = parse_types)]
    types: Option<Types>,
    /// Only events since this time; a date means midnight UTC
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<DateTime<Utc>>,
    /// Maximum number of lines
    #[arg(long, default_value_t = DEFAULT_LIMIT, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
}

#[derive(Debug, Clone)]
struct Types(Vec<&'static str>);

fn parse_types(text: &str) -> Result<Types, String> {
    let types = EventType::matching(text.trim()).map_err(|error| error.to_string())?;
    Ok(Types(types.into_iter().map(EventType::as_str).collect()))
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    Due,
    Leased,
    Done,
    Dead,
}

#[derive(Debug)]
pub(super) struct Columns;

impl TableColumns for Columns {
    const COLUMNS: &'static [(&'static str, u8)] = &[
        ("event", 0),
        ("type", 0),
        ("employee", 2),
        ("source", 6),
        ("tenant", 7),
        ("occurred", 4),
        ("destination", 0),
        ("state", 0),
        ("failed", 5),
        ("next", 3),
        ("last error", 1),
    ];
}

impl List {
    /// Returns an error if an option of the list stands before a subcommand.
    pub(super) fn ensure_unused(&self) -> anyhow::Result<()> {
        let is_used = self.destination.is_some()
            || self.state.is_some()
            || self.types.is_some()
            || self.since.is_some()
            || self.limit != DEFAULT_LIMIT;
        ensure!(
            !is_used,
            WrongUse::new(
                "an option of the list stands before a subcommand; write it after it, if it has that option"
            )
        );
        Ok(())
    }

    pub(super) async fn run(
        self,
        config: &Config,
        listing: &Listing<Columns>,
        env: &Environment,
    ) -> anyhow::Result<ExitCode> {
        let (settings, mut conn) = open_about(config, env, self.destination.as_deref()).await?;
        let filter = EventFilter {
            destination: self.destination,
            state: self.state.map(|state| match state {
                State::Due => "due",
                State::Leased => "leased",
                State::Done => "done",
                State::Dead => "dead",
            }),
            types: self.types.map(|types| types.0),
            since: self.since,
        };
        let names = names(&settings);
        let list = events::store::list(&mut conn, &filter, &names, self.limit).await?;
        if listing.json {
            output::json(&list)?;
            return Ok(ExitCode::SUCCESS);
        }
        if list.is_empty() {
            output::Table::of(listing).print_empty("no events");
        } else {
            print(list, output::Table::of(listing));
        }
        note_destinations(&mut conn, &settings).await?;
        Ok(ExitCode::SUCCESS)
    }
}

fn print(list: Vec<EventSummary>, mut table: output::Table) {
    for event in list {
        table.add_row([
            event.id.to_string(),
            event.kind,
            output::or_dash(event.employee_id),
            output::or_dash(event.source),
            output::or_dash(event.tenant),
            output::time(event.occurred_at),
            event.destination,
            event.state,
            event.attempts.to_string(),
            output::time_or_dash(event.next_at),
            output::or_dash(event.last_error),
        ]);
    }
    table.print();
}

/// Notes which destinations are paused, and for which nothing is sent any more.
async fn note_destinations(conn: &mut PgConnection, settings: &Settings) -> anyhow::Result<()> {
    let names = names(settings);
    let now = SystemClock.now();
    for one in events::store::destinations(conn, &names, now).await? {
        if let Some(at) = one.paused_at {
            output::note(&format!(
                "destination {} is paused since {}: {}; {} for it, `leaver events resume {}` sends them now",
                one.name,
                output::time(at),
                output::text(one.paused_because.unwrap_or_default()),
                waiting(one.pending),
                one.name
            ));
        }
    }
    for one in events::store::unconfigured(conn, &names).await? {
        output::note(&format!(
            "destination {} is not configured any more; {} for it, and nothing is sent until it is configured again",
            output::text(&one.destination),
            waiting(one.pending)
        ));
    }
    Ok(())
}

fn waiting(pending: i64) -> String {
    let events = events::counted(pending);
    let verb = if pending == 1 { "waits" } else { "wait" };
    format!("{events} {verb}")
}
