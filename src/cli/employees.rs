//! `leaver employees`.

use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use strum::VariantNames;

use super::modes::note_shadow_modes;
use super::output::{Listing, TableColumns};
use super::reads::record_read;
use super::sources::open_about;
use super::{Config, output};
use crate::config::Environment;
use crate::reports::employees::{
    self, Cursor, DEFAULT_PAGE_SIZE, EmployeeQuery, EmploymentFilter, MAX_PAGE_SIZE, Page,
};
use leaver_core::domain::SourceName;

/// List employees by time of last change, page by page
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver employees --modified-after 2026-01-31T17:00:00Z\n  leaver employees --status inactive --json | jq -r '.results[].work_email'\n\nAn employee who changes between two pages moves to the end, so none is skipped."
)]
pub(super) struct Employees {
    #[command(flatten)]
    config: Config,
    /// Only employees changed after this time; a date means midnight UTC
    #[arg(long, value_name = "TIME", value_parser = employees::parse_time)]
    modified_after: Option<DateTime<Utc>>,
    /// Only employees with this status; `unknown`: missing, or a word that Leaver does not know
    #[arg(long, value_parser = PossibleValuesParser::new(EmploymentFilter::VARIANTS).try_map(|word| word.parse::<EmploymentFilter>()))]
    status: Option<EmploymentFilter>,
    /// Only employees from this source
    #[arg(long, value_name = "NAME", value_parser = SourceName::parse)]
    source: Option<SourceName>,
    /// Maximum number of employees
    #[arg(long, default_value_t = DEFAULT_PAGE_SIZE, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_PAGE_SIZE)))]
    limit: u16,
    /// Continue after a page: its `next` value
    #[arg(long, value_parser = Cursor::parse)]
    cursor: Option<Cursor>,
    #[command(flatten)]
    listing: Listing<Columns>,
}

#[derive(Debug)]
struct Columns;

impl TableColumns for Columns {
    const COLUMNS: &'static [(&'static str, u8)] = &[
        ("employee", 0),
        ("source", 7),
        ("tenant", 6),
        ("status", 0),
        ("work e-mail", 1),
        ("termination date", 3),
        ("account", 4),
        ("deactivated", 2),
        ("modified", 5),
    ];
}

impl Employees {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let source = self.source.as_ref().map(SourceName::as_str);
        let (settings, mut conn) = open_about(&self.config, env, source).await?;
        let query = EmployeeQuery {
            modified_after: self.modified_after,
            status: self.status,
            source: self.source.clone(),
            cursor: self.cursor.clone(),
        };
        record_read(&mut conn, env, &query.describe(self.limit)).await?;
        let page = employees::store::page(&mut conn, &query, self.limit).await?;
        if self.listing.json {
            output::json(&page)?;
            return Ok(ExitCode::SUCCESS);
        }
        if page.results.is_empty() {
            output::Table::of(&self.listing).print_empty("no employees");
            return Ok(ExitCode::SUCCESS);
        }
        let next = page.next.clone();
        print(page, output::Table::of(&self.listing));
        note_shadow_modes(&mut conn, &settings).await?;
        if let Some(next) = next {
            output::note("next page:");
            output::note(&format!("  {}", self.next_command(&next)));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Returns the command line that prints the next page.
    fn next_command(&self, next: &Cursor) -> String {
        let mut words = vec!["leaver employees".to_owned()];
        if let Some(path) = &self.config.config {
            words.push(format!("--config '{}'", path.display()));
        }
        if let Some(after) = self.modified_after {
            let after = after.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            words.push(format!("--modified-after {after}"));
        }
        if let Some(status) = self.status {
            words.push(format!("--status {}", status.as_str()));
        }
        if let Some(source) = &self.source {
            words.push(format!("--source {source}"));
        }
        if self.limit != DEFAULT_PAGE_SIZE {
            words.push(format!("--limit {}", self.limit));
        }
        words.push(format!("--cursor {next}"));
        words.join(" ")
    }
}

fn print(page: Page, mut table: output::Table) {
    for employee in page.results {
        let status = match (employee.deleted, employee.status) {
            (true, _) => "deleted".to_owned(),
            (false, status) => output::or_dash(status),
        };
        table.add_row([
            employee.employee_id.to_string(),
            employee.source.to_string(),
            employee.tenant.to_string(),
            status,
            output::or_dash(employee.work_email.map(|email| email.expose().to_owned())),
            output::or_dash(employee.termination_date),
            output::or_dash(employee.account_id.map(|id| id.to_string())),
            output::yes_or_no(employee.deactivated_at.is_some()).to_owned(),
            output::time(employee.modified_at),
        ]);
    }
    table.print();
}
