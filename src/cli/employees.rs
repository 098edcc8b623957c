//! `leaver employees`: who changed, page by page.

use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use strum::VariantNames;

use super::{Config, Format, open, output};
use crate::config::Environment;
use crate::roster::listing::{
    self, Cursor, DEFAULT_PAGE_SIZE, EmployeeQuery, EmploymentFilter, MAX_PAGE_SIZE, Page,
};
use leaver_core::domain::SourceName;

/// List the employees of the roster in the order in which they changed, page by page
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver employees --modified-after 2026-01-31T17:00:00Z\n  leaver employees --status inactive --json | jq -r '.results[].work_email'\n\nWhoever changes between two pages moves to the end, so nobody is skipped."
)]
pub(super) struct Employees {
    #[command(flatten)]
    config: Config,
    /// Only those that changed after this time; a day alone means its midnight in UTC
    #[arg(long, value_name = "TIME", value_parser = listing::parse_time)]
    modified_after: Option<DateTime<Utc>>,
    /// Only those who stand so; unknown: never told, or in a word that we do not know
    #[arg(long, value_parser = PossibleValuesParser::new(EmploymentFilter::VARIANTS).try_map(|word| word.parse::<EmploymentFilter>()))]
    status: Option<EmploymentFilter>,
    /// Only those of this source
    #[arg(long, value_name = "NAME", value_parser = SourceName::parse)]
    source: Option<SourceName>,
    /// How many at most
    #[arg(long, default_value_t = DEFAULT_PAGE_SIZE, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_PAGE_SIZE)))]
    limit: u16,
    /// Go on where a page before ended: what it named as next
    #[arg(long, value_parser = Cursor::parse)]
    cursor: Option<Cursor>,
    #[command(flatten)]
    format: Format,
}

impl Employees {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (_, mut conn) = open(&self.config, env).await?;
        let wanted = EmployeeQuery {
            modified_after: self.modified_after,
            standing: self.status,
            source: self.source.clone(),
            cursor: self.cursor.clone(),
        };
        let page = listing::store::page(&mut conn, &wanted, self.limit).await?;
        if self.format.json {
            output::json(&page)?;
            return Ok(ExitCode::SUCCESS);
        }
        if page.results.is_empty() {
            println!("no employees");
            return Ok(ExitCode::SUCCESS);
        }
        let next = page.next.clone();
        show(page);
        if let Some(next) = next {
            println!("there are more; go on with:");
            println!("  {}", self.command_of(&next));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The same question from there on, as it is typed.
    fn command_of(&self, next: &Cursor) -> String {
        let mut words = vec!["leaver employees".to_owned()];
        if let Some(path) = &self.config.config {
            words.push(format!("--config '{}'", path.display()));
        }
        if let Some(after) = self.modified_after {
            let after = after.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            words.push(format!("--modified-after {after}"));
        }
        if let Some(standing) = self.status {
            words.push(format!("--status {}", standing.as_str()));
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

fn show(page: Page) {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let mut table = output::table(&[
        "employee",
        "of",
        "status",
        "work e-mail",
        "leaves",
        "account",
        "changed",
    ]);
    for entry in page.results {
        let status = match (entry.deleted, entry.status) {
            (true, _) => "deleted".to_owned(),
            (false, status) => or_dash(status),
        };
        let account = match (entry.account_id, entry.deactivated_at) {
            (Some(account), Some(_)) => format!("{account} (off)"),
            (account, _) => or_dash(account.map(|id| id.to_string())),
        };
        table.add_row([
            entry.employee_id.to_string(),
            format!("{} at {}", entry.tenant, entry.source),
            status,
            or_dash(entry.work_email.map(|email| email.expose().to_owned())),
            or_dash(entry.termination_date),
            account,
            output::moment(entry.modified_at),
        ]);
    }
    println!("{table}");
}
