//! The content of the configuration: from the flags, the database and the answers.

use std::fs;

use anyhow::bail;
use chrono_tz::Tz;

use super::questions;
use crate::config::Environment;
use crate::engine::accounts::discovery::{self, FoundTable, Missing, Proposal};
use leaver_core::domain::Provider;

/// The content of the configuration.
#[derive(Debug)]
pub(super) struct Choices {
    pub(super) accounts: Proposal,
    pub(super) sources: Vec<ChosenSource>,
    pub(super) timezone: Tz,
    /// `database.tls` is "unverified" in the environment.
    pub(super) is_unverified: bool,
    pub(super) runner: Option<Runner>,
}

/// A source.
#[derive(Debug)]
pub(super) struct ChosenSource {
    pub(super) provider: Provider,
    /// The linked account, for Merge.
    pub(super) account: Option<String>,
}

/// The program that runs the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runner {
    /// A unit of systemd.
    Systemd,
    /// A file of docker compose.
    Compose,
}

/// Returns the mapping of the users table, or what to add to the command line.
pub(super) fn accounts(
    tables: &[FoundTable],
    named: Option<&str>,
    asks: bool,
) -> anyhow::Result<Result<Proposal, String>> {
    if let Some(name) = named {
        return match proposal(tables, name) {
            Ok(proposal) => Ok(Ok(proposal)),
            Err(problem) => bail!("{problem}"),
        };
    }
    let mut fit: Vec<Proposal> = tables
        .iter()
        .filter_map(|table| discovery::propose(table, tables).ok())
        .collect();
    fit.sort_by(|a, b| (b.rank, &a.table).cmp(&(a.rank, &b.table)));
    let Some(best) = fit.first() else {
        bail!("{}", no_table(tables));
    };
    if asks {
        let chosen = questions::parsed("Users table", &best.table, |answer| {
            proposal(tables, answer).map_err(|problem| format!("{problem}; name another table"))
        })?;
        return Ok(Ok(chosen));
    }
    if fit.get(1).is_some_and(|second| second.rank == best.rank) {
        let listed: Vec<&str> = fit.iter().map(|one| one.table.as_str()).take(5).collect();
        return Ok(Err(format!(
            "several tables may be the users table: {}; add --table with one of them",
            listed.join(", ")
        )));
    }
    Ok(Ok(best.clone()))
}

/// Returns the mapping of the table with this name, or why there is none.
fn proposal(tables: &[FoundTable], name: &str) -> Result<Proposal, String> {
    let Some(table) = discovery::find(tables, name) else {
        let similar: Vec<String> = tables.iter().map(FoundTable::setting).take(5).collect();
        let similar = match similar.as_slice() {
            [] => String::new(),
            similar => format!("; tables with an e-mail are {}", similar.join(", ")),
        };
        return Err(format!(
            "there is no table {name} that this role can see{similar}"
        ));
    };
    discovery::propose(table, tables).map_err(|missing| missing_text(table, missing))
}

fn missing_text(table: &FoundTable, missing: Missing) -> String {
    let name = table.setting();
    match missing {
        Missing::Access => format!(
            "table {name} {missing}; run: ALTER TABLE {name} ADD COLUMN is_active boolean NOT NULL DEFAULT true; or write the file by hand (`leaver config defaults`)"
        ),
        _ => format!(
            "table {name} {missing}; name another table, or write the file by hand (`leaver config defaults`)"
        ),
    }
}

fn no_table(tables: &[FoundTable]) -> String {
    let with_email = tables.iter().find_map(|table| {
        let missing = discovery::propose(table, tables).err();
        missing
            .filter(|missing| *missing == Missing::Access)
            .map(|missing| missing_text(table, missing))
    });
    with_email.unwrap_or_else(|| {
        "no table of this database has an e-mail and a column that stores access; check that DATABASE_URL names the database of your application and that the role can see its tables, or add --table, or --example to try Leaver with an example table".to_owned()
    })
}

/// Returns the sources. BambooHR is the default.
pub(super) fn sources(
    bamboohr: bool,
    merge: bool,
    account: Option<&str>,
    asks: bool,
) -> anyhow::Result<Vec<ChosenSource>> {
    let chosen: Vec<Provider> = match (bamboohr, merge) {
        (false, false) if asks => questions::parsed(
            "HR system: bamboohr, merge or both",
            "bamboohr",
            parse_providers,
        )?,
        (false, false) => Provider::all().take(1).collect(),
        // The flags in the order of the providers.
        _ => Provider::all()
            .zip([bamboohr, merge])
            .filter_map(|(provider, is_named)| is_named.then_some(provider))
            .collect(),
    };
    let mut sources = vec![];
    for provider in chosen {
        let has_accounts = provider.capabilities().has_linked_accounts;
        let account = match account {
            _ if !has_accounts => None,
            Some(account) => Some(account.to_owned()),
            None if asks => {
                let question = "ID of your linked account in Merge, from its Linked Accounts page";
                Some(questions::text(question, "")?).filter(|answer| !answer.is_empty())
            }
            None => None,
        };
        sources.push(ChosenSource { provider, account });
    }
    Ok(sources)
}

fn parse_providers(answer: &str) -> Result<Vec<Provider>, String> {
    if answer == "both" {
        return Ok(Provider::all().collect());
    }
    let found: Vec<Provider> = Provider::all()
        .filter(|provider| answer.eq_ignore_ascii_case(provider.as_str()))
        .collect();
    if found.is_empty() {
        return Err("write bamboohr, merge or both".to_owned());
    }
    Ok(found)
}

/// Returns the time zone of the flag, of an answer, or of this machine.
pub(super) fn timezone(given: Option<Tz>, env: &Environment, asks: bool) -> anyhow::Result<Tz> {
    let machine = given.unwrap_or_else(|| machine_timezone(env));
    if !asks || given.is_some() {
        return Ok(machine);
    }
    questions::parsed(
        "Time zone in which a last day ends",
        machine.name(),
        |answer| super::parse_timezone(answer).map_err(str::to_owned),
    )
}

/// Returns the zone of `TZ`, else that of `/etc/localtime`, else UTC.
fn machine_timezone(env: &Environment) -> Tz {
    let from_variable = env
        .text("TZ")
        .map(|zone| zone.trim_start_matches(':').to_owned());
    let from_link = fs::read_link("/etc/localtime").ok().and_then(|link| {
        let link = link.to_str()?.to_owned();
        let (_, zone) = link.split_once("zoneinfo/")?;
        Some(zone.to_owned())
    });
    let zone = from_variable.or(from_link);
    let zone = zone.and_then(|zone| zone.parse().ok());
    zone.filter(|zone| *zone != Tz::Etc__UTC).unwrap_or(Tz::UTC)
}

/// Asks what runs the service, unless a flag named it.
pub(super) fn runner(given: Option<Runner>) -> anyhow::Result<Option<Runner>> {
    if given.is_some() {
        return Ok(given);
    }
    questions::parsed(
        "Also write a file for systemd or docker compose: systemd, compose or none",
        "none",
        |answer| match answer {
            "systemd" => Ok(Some(Runner::Systemd)),
            "compose" => Ok(Some(Runner::Compose)),
            "none" => Ok(None),
            _ => Err("write systemd, compose or none".to_owned()),
        },
    )
}
