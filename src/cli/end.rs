//! `leaver end`.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use sqlx::PgConnection;

use super::output::{Listing, Table, TableColumns};
use super::person::Person;
use super::reads::record_read;
use super::sources::open_about;
use super::{Config, output, wrong_usage};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::engine::accounts::AccountsTable;
use crate::engine::end::{Candidate, Ended, Found, Who, end_access, find};
use crate::service;
use leaver_core::domain::{AccountId, EmployeeKey, SourceName, Tenant, WorkEmail, is_unprintable};

/// Longest reason, in characters.
const MAX_REASON: usize = 500;

/// End a person's access now, without the HR system
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver end dana.ruiz@example.com --reason \"left today, ticket 4711\"\n  leaver end account:42 --reason \"shared login retired\" --yes\n\nExit codes: 1 no account is found or you answer no, 2 several accounts fit or a flag is missing, 3 the database did not do it"
)]
pub(super) struct End {
    #[command(flatten)]
    config: Config,
    /// Work e-mail, employee ID or account ID; or `employee:ID`, `account:ID`
    #[arg(value_name = "WHO")]
    who: String,
    /// Why, for the audit log; without names and e-mails
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    reason: String,
    /// Only employees of this source
    #[arg(long, value_name = "NAME", value_parser = SourceName::parse)]
    source: Option<SourceName>,
    /// Only employees and accounts of this tenant
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// End all accounts that fit
    #[arg(long)]
    all: bool,
    /// Also end a protected account (`accounts.protected`)
    #[arg(long)]
    protected: bool,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    person: Person,
    #[command(flatten)]
    listing: Listing<Columns>,
}

/// Columns of the accounts and employees that fit.
#[derive(Debug)]
struct Columns;

impl TableColumns for Columns {
    const COLUMNS: &'static [(&'static str, u8)] = &[
        ("who", 0),
        ("e-mail", 1),
        ("active", 1),
        ("protected", 2),
        ("employees", 3),
    ];
}

/// A text that the audit log does not accept as a reason.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidReason {
    #[error("the reason is blank; write why")]
    Blank,
    #[error("the reason contains an e-mail; leave it out, the audit log names the account")]
    Email,
    #[error("the reason is longer than {MAX_REASON} characters; shorten it")]
    TooLong,
    #[error(
        "the reason contains a control character or an invisible one; write plain text on one line"
    )]
    ControlCharacter,
}

/// Accepts a reason for the audit log.
pub(super) fn parse_reason(text: &str) -> Result<String, InvalidReason> {
    let text = text.trim();
    if text.is_empty() {
        Err(InvalidReason::Blank)
    } else if text.contains('@') {
        Err(InvalidReason::Email)
    } else if text.chars().count() > MAX_REASON {
        Err(InvalidReason::TooLong)
    } else if text.chars().any(is_unprintable) {
        Err(InvalidReason::ControlCharacter)
    } else {
        Ok(text.to_owned())
    }
}

impl End {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let source = self.source.as_ref().map(SourceName::as_str);
        let (settings, mut conn) = open_about(&self.config, env, source).await?;
        let table = AccountsTable::inspect(&mut conn, &settings.accounts).await?;
        let policies = service::policies(&settings);
        let who = Who::parse(&self.who);
        let tenant = self.tenant.as_deref().map(Tenant::new);
        let source = self.source.as_ref();
        let found = find(&mut conn, &table, &policies, &who, source, tenant.as_ref()).await?;
        if found.candidates.is_empty() {
            self.print_candidates(&mut conn, env, &found).await?;
            output::problem(if found.without_account.is_empty() {
                "no account and no employee fits; an account can be named as `account:ID`"
            } else {
                "no account is found for this employee; name the account as `account:ID`"
            });
            return Ok(ExitCode::FAILURE);
        }
        if found.is_ambiguous() && !self.all {
            self.print_candidates(&mut conn, env, &found).await?;
            output::problem("several fit; name one as in the first column, or use --all");
            return Ok(wrong_usage());
        }
        if !self.protected && found.candidates.iter().any(|candidate| candidate.protected) {
            output::problem(
                "the account is protected (`accounts.protected`); add --protected to end it",
            );
            return Ok(wrong_usage());
        }
        if !self.yes && !std::io::stdin().is_terminal() {
            output::problem("nobody can confirm, since the input is no terminal; add --yes");
            return Ok(wrong_usage());
        }
        if !self.yes {
            record_read(&mut conn, env, "end, the accounts that fit").await?;
        }
        if !self.yes && !confirm(&table_of(&found, Table::of(&self.listing)))? {
            output::problem("nothing was changed");
            return Ok(ExitCode::FAILURE);
        }
        let (actor, now) = (self.person.actor(env)?, SystemClock.now());
        let ended = end_access(
            &mut conn,
            &table,
            &policies,
            &found.candidates,
            &self.reason,
            &actor,
            now,
        );
        let ended = ended.await?;
        if self.listing.json {
            let accounts: Vec<EndedAccount<'_>> = ended.iter().map(EndedAccount::of).collect();
            output::json(&serde_json::json!({ "accounts": accounts }))?;
        } else {
            for account in &ended {
                output::line!("{} {}", described(&account.account), effect(account));
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn print_candidates(
        &self,
        conn: &mut PgConnection,
        env: &Environment,
        found: &Found,
    ) -> anyhow::Result<()> {
        record_read(conn, env, "end, the accounts that fit").await?;
        if self.listing.json {
            let rows: Vec<Row> = rows(found).collect();
            return output::json(&serde_json::json!({ "candidates": rows }));
        }
        if rows(found).next().is_some() {
            table_of(found, Table::of(&self.listing)).print();
        }
        Ok(())
    }
}

fn described(account: &AccountId) -> String {
    match account.tenant() {
        Some(tenant) => output::text(format_args!("account {account} of tenant {tenant}")),
        None => output::text(format_args!("account {account}")),
    }
}

/// Returns the arguments that name an account and no other.
fn arguments(account: &AccountId) -> String {
    match account.tenant() {
        Some(tenant) => format!("account:{account} --tenant {tenant}"),
        None => format!("account:{account}"),
    }
}

fn effect(ended: &Ended) -> &'static str {
    if ended.changed {
        "was deactivated and its sessions ended"
    } else {
        "was already inactive, its sessions ended"
    }
}

/// An account whose access was ended.
#[derive(Debug, Serialize)]
struct EndedAccount<'a> {
    account_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    changed: bool,
}

impl<'a> EndedAccount<'a> {
    fn of(ended: &'a Ended) -> Self {
        Self {
            account_id: ended.account.as_str(),
            tenant: ended.account.tenant(),
            changed: ended.changed,
        }
    }
}

/// An account or an employee that a name fits. It contains personal data, so it has no `Debug`.
#[derive(Serialize)]
struct Row {
    /// The arguments that name it and no other.
    who: String,
    email: Option<String>,
    active: Option<bool>,
    protected: bool,
    employees: Vec<String>,
}

fn rows(found: &Found) -> impl Iterator<Item = Row> {
    let accounts = found.candidates.iter().map(|candidate| Row {
        who: arguments(&candidate.account.id),
        email: email_of(candidate),
        active: Some(candidate.account.is_active),
        protected: candidate.protected,
        employees: candidate.employees.iter().map(label).collect(),
    });
    accounts.chain(found.without_account.iter().map(|key| Row {
        who: format!("employee:{}", key.employee_id),
        email: None,
        active: None,
        protected: false,
        employees: vec![label(key)],
    }))
}

fn label(key: &EmployeeKey) -> String {
    format!(
        "{} (tenant {}, source {})",
        key.employee_id, key.tenant, key.source
    )
}

fn email_of(candidate: &Candidate) -> Option<String> {
    let email = candidate.account.email.as_ref();
    email.map(WorkEmail::expose).map(str::to_owned)
}

fn table_of(found: &Found, mut table: Table) -> Table {
    for row in rows(found) {
        table.add_row([
            row.who,
            output::or_dash(row.email),
            output::or_dash(row.active.map(output::yes_or_no)),
            output::yes_or_no(row.protected).to_owned(),
            output::or_dash(Some(row.employees.join(", "))),
        ]);
    }
    table
}

/// Shows who is meant and asks.
fn confirm(table: &Table) -> anyhow::Result<bool> {
    output::ask(&format!("{table}\nend this access now?"))
}
