//! Checks of shadow mode: the modes of the sources, and the privileges that go with them.

use sqlx::PgConnection;

use super::super::modes::described;
use super::{CheckReport, CheckStatus};
use crate::config::Settings;
use crate::db::error::redacted_message;
use crate::db::schema;
use crate::engine::accounts::privileges::Rights;
use crate::engine::accounts::{self, AccountsMapping, AccountsTable};
use crate::engine::shadow::{self, ModeOfSource};
use crate::service;
use leaver_core::safeguard::SourceMode;

/// Adds a line for the mode of each source. Returns true if all sources are in shadow mode. If the schema cannot be read, the
/// modes of the configuration count.
pub(super) async fn check_modes(
    report: &mut CheckReport,
    settings: &Settings,
    conn: &mut PgConnection,
    is_readable: bool,
) -> anyhow::Result<bool> {
    let configured = settings.sources.iter().map(|source| source.mode);
    if !is_readable || schema::pending(conn).await? > 0 {
        return Ok(is_all_shadow(configured));
    }
    let modes = shadow::modes(conn, &service::policies(settings)).await?;
    for found in &modes {
        let (status, message) = line(found);
        report.add(status, &format!("source {} mode", found.source), message);
    }
    Ok(is_all_shadow(modes.iter().map(|found| found.mode)))
}

fn is_all_shadow(modes: impl ExactSizeIterator<Item = SourceMode>) -> bool {
    let count = modes.len();
    count > 0 && modes.filter(|mode| *mode == SourceMode::Shadow).count() == count
}

fn line(found: &ModeOfSource) -> (CheckStatus, String) {
    let text = described(found);
    if found.mode == found.configured {
        return (CheckStatus::Ok, text);
    }
    let (source, configured) = (&found.source, found.configured.as_str());
    (
        CheckStatus::Warning,
        format!(
            "{text}; `mode` is {configured}, which has no effect, since the source was seen before; run `leaver {configured} --source {source}` or change `mode`"
        ),
    )
}

/// Adds the lines about the users table while all sources are in shadow mode. Only reading is tried.
pub(super) async fn check_shadow_rights(
    report: &mut CheckReport,
    conn: &mut PgConnection,
    mapping: &AccountsMapping,
    table: &AccountsTable,
    rights: &Rights,
) {
    let (check, role) = ("accounts rights", &rights.role);
    let (status, message) = match (rights.select, rights.update) {
        (false, _) => (
            CheckStatus::Error,
            format!(
                "role {role} lacks SELECT; run: {}",
                mapping.select_statement(table, role)
            ),
        ),
        (true, false) => (
            CheckStatus::Ok,
            format!(
                "role {role} may SELECT and not UPDATE, so shadow mode cannot change an account; before `leaver enforce`, run: {}",
                mapping.grant_statement(table, role)
            ),
        ),
        (true, true) => (
            CheckStatus::Warning,
            format!(
                "role {role} may UPDATE, which shadow mode does not need; for a role that cannot, run `leaver migrate --grant-to ROLE --shadow`"
            ),
        ),
    };
    report.add(status, check, message);
    let (status, message) = match accounts::store::active_after(conn, table, None, 1).await {
        Ok(_) => (
            CheckStatus::Ok,
            "accounts can be read; no write was tried, since all sources are in shadow mode"
                .to_owned(),
        ),
        Err(error) => (
            CheckStatus::Error,
            format!(
                "reading was rejected by Postgres: {}; as the owner of the table, run `leaver migrate --grant-to {role} --shadow`",
                redacted_message(&error)
            ),
        ),
    };
    report.add(status, "accounts trial", message);
}
