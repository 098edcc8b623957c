//! Standbys of the server, and whether a commit waits for one. A failover loses what only the old primary had.

pub mod store;

use std::fmt::Write as _;

/// Replication as a session of ours can see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replication {
    /// True if the server is a standby, which accepts no writes.
    pub in_recovery: bool,
    /// Effective `synchronous_commit` of the session.
    pub synchronous_commit: String,
    /// `synchronous_standby_names`.
    pub standby_names: String,
    /// Number of standbys: physical walsenders, and slots of standbys that are not connected.
    pub standbys: i64,
    /// Bytes of WAL that the standby furthest behind has not flushed; `None` if the role may not see it.
    pub behind_bytes: Option<i64>,
    /// The lag of the slowest standby in milliseconds; `None` if the role may not see it, or nothing was written lately.
    pub lag_ms: Option<i64>,
    /// True if the role sees the state of each standby.
    pub sees_details: bool,
}

impl Replication {
    /// Returns whether a commit of the session returns only after a standby has it.
    #[must_use]
    pub fn waits_for_standby(&self) -> bool {
        let waits = ["on", "remote_write", "remote_apply"];
        waits.contains(&self.synchronous_commit.as_str()) && !self.standby_names.trim().is_empty()
    }

    /// Describes what a failover loses, and what to change, if standbys exist and commits wait for none.
    #[must_use]
    pub fn failover_warning(&self) -> Option<String> {
        if self.in_recovery || self.standbys == 0 || self.waits_for_standby() {
            return None;
        }
        let standbys = match self.standbys {
            1 => "a standby exists and commits do not wait for it".to_owned(),
            more => format!("{more} standbys exist and commits wait for none"),
        };
        let (cause, change) = if self.standby_names.trim().is_empty() {
            (
                "`synchronous_standby_names` is empty".to_owned(),
                "set `synchronous_standby_names`",
            )
        } else {
            (
                format!(
                    "`synchronous_commit` is {} for Leaver's role or database",
                    self.synchronous_commit
                ),
                "set `synchronous_commit` to on for Leaver's role",
            )
        };
        Some(format!(
            "{standbys} ({cause}), so a failover loses deliveries that were answered 200{}; {change}, or run \
             `leaver sync --full` and `leaver webhooks gaps` after each failover",
            self.lag()
        ))
    }

    /// Describes what a commit waits for.
    #[must_use]
    pub fn commit_description(&self) -> String {
        if self.waits_for_standby() {
            let flushed = if self.synchronous_commit == "remote_write" {
                " to receive it, not to flush it (`synchronous_commit` is remote_write)"
            } else {
                ""
            };
            return format!(
                "commits wait for a standby of `synchronous_standby_names` ({}){flushed}; \
                 a failover to another standby can lose deliveries that were answered 200",
                self.standby_names.trim()
            );
        }
        "no standby is visible, so a commit is on this server only: if its disk is lost, so are the deliveries since the last \
         backup"
            .to_owned()
    }

    fn lag(&self) -> String {
        let mut text = String::new();
        if let Some(bytes) = self.behind_bytes {
            let _ = write!(
                text,
                ", {} kB of WAL at this moment",
                bytes.saturating_add(1023) / 1024
            );
            if let Some(lag) = self.lag_ms.filter(|lag| *lag > 0) {
                let _ = write!(text, " and {lag} ms lately");
            }
        } else if !self.sees_details {
            text.push_str(" (how many, only a role with pg_monitor can see)");
        }
        text
    }
}

/// A table of ours, or the users table, is written by a subscription.
#[derive(Debug, thiserror::Error)]
#[error(
    "the subscription {subscription} writes {table} of this database, so it is a logical replica, and what Leaver changes here \
     reaches no application; point `database.url` to the publisher, or drop the subscription if this is the primary now"
)]
pub struct LogicalReplica {
    /// The table.
    pub table: String,
    /// The subscription.
    pub subscription: String,
}

/// The database is a hot standby.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "the server is a standby (in recovery) and accepts no writes; point `database.url` to the primary, or promote this server"
)]
pub struct InRecovery;

#[cfg(test)]
mod tests {
    use super::Replication;

    fn replication(commit: &str, names: &str, standbys: i64) -> Replication {
        Replication {
            synchronous_commit: commit.to_owned(),
            standby_names: names.to_owned(),
            standbys,
            ..Replication::default()
        }
    }

    #[test]
    fn warns_if_and_only_if_a_standby_exists_and_none_is_waited_for() {
        for (commit, names, standbys, warns) in [
            ("on", "", 0, false),
            ("on", "", 1, true),
            ("on", " ", 2, true),
            ("on", "*", 1, false),
            ("remote_write", "FIRST 1 (b)", 1, false),
            ("remote_apply", "ANY 1 (b, c)", 2, false),
            ("local", "*", 1, true),
            ("off", "*", 1, true),
            ("local", "", 0, false),
        ] {
            let warning = replication(commit, names, standbys).failover_warning();
            assert_eq!(warning.is_some(), warns, "{commit} {names} {standbys}");
        }
    }

    #[test]
    fn a_standby_itself_is_not_warned_of_its_standbys() {
        let mut cascading = replication("on", "", 1);
        cascading.in_recovery = true;
        assert_eq!(cascading.failover_warning(), None);
    }
}
