//! The modes of sources, as commands show them.

use sqlx::PgConnection;

use super::output;
use crate::config::Settings;
use crate::engine::shadow::{self, ModeOfSource};
use crate::service;
use leaver_core::safeguard::SourceMode;

/// Prints a remark for each source in shadow mode, below a list that sources fill.
pub(super) async fn note_shadow_modes(
    conn: &mut PgConnection,
    settings: &Settings,
) -> anyhow::Result<()> {
    for found in shadow::modes(conn, &service::policies(settings)).await? {
        if found.mode == SourceMode::Shadow {
            output::note(&format!(
                "source {}: {}; `leaver plan` lists the planned changes",
                found.source,
                described(&found)
            ));
        }
    }
    Ok(())
}

/// Describes the mode of a source.
pub(super) fn described(found: &ModeOfSource) -> String {
    let effect = match found.mode {
        SourceMode::Enforce => "enforce mode, its changes are made",
        SourceMode::Shadow => "shadow mode, its changes are only planned",
    };
    match (found.since, &found.by) {
        (None, _) => format!("{effect} (not seen yet)"),
        (Some(since), None) => format!("{effect} (since {})", output::time(since)),
        (Some(since), Some(by)) => format!(
            "{effect} (since {}, by {})",
            output::time(since),
            output::text(by)
        ),
    }
}
