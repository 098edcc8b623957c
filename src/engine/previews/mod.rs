//! Lists that are shown to a person before anything is done. `--confirm DIGEST` carries out exactly such a list, once.

pub(crate) mod store;

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use crate::engine::audit::Actor;

/// Bytes of a digest that are shown.
const DIGEST_BYTES: usize = 8;

/// The purpose of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum PreviewKind {
    /// The release of a trip; the members are holds.
    Release,
    /// An undo; the members are changes.
    Undo,
    /// The approval of holds by a filter; the members are holds.
    Approve,
}

impl PreviewKind {
    /// Returns the value in `leaver.previews`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A list and its purpose.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Its purpose.
    pub kind: PreviewKind,
    /// The trip, the batch or the filter that was listed.
    pub subject: String,
    /// The IDs of the members.
    pub members: BTreeSet<i64>,
    /// The digest of what was shown.
    pub digest: String,
}

/// Why a digest is not accepted. Nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum DigestError {
    /// No such list was shown.
    #[error(
        "{0} is not the digest of a list that was shown here; run the command without --confirm to see the list"
    )]
    Unknown(String),
    /// The list was carried out already.
    #[error(
        "the list {0} was carried out already; run the command without --confirm to see what is left"
    )]
    Used(String),
    /// A member has changed.
    #[error(
        "the list {0} has changed since it was shown; run the command without --confirm to see it again"
    )]
    Changed(String),
    /// The list is too old.
    #[error(
        "the list {0} was shown longer ago than `safeguard.approval_expires`; run the command without --confirm to see it again"
    )]
    Expired(String),
    /// The database failed.
    #[error("cannot look up the list")]
    Database(#[from] sqlx::Error),
}

impl Preview {
    /// Makes a list whose digest is that of the IDs: each member is decided again when the list is carried out.
    #[must_use]
    pub fn of_ids(kind: PreviewKind, subject: String, members: BTreeSet<i64>) -> Self {
        Self {
            digest: digest(members.iter().map(ToString::to_string)),
            kind,
            subject,
            members,
        }
    }

    /// Stores the list, so that it can be confirmed. A list that was carried out stays as it is.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn keep(
        &self,
        conn: &mut PgConnection,
        actor: &Actor,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        store::insert(conn, self, actor, now).await
    }
}

/// Marks a list as carried out and returns its members. The caller carries it out in the same transaction.
///
/// # Errors
/// Returns a [`DigestError`].
pub async fn confirm(
    conn: &mut PgConnection,
    kind: PreviewKind,
    subject: &str,
    digest: &str,
    expires_after: TimeDelta,
    now: DateTime<Utc>,
) -> Result<BTreeSet<i64>, DigestError> {
    let digest = normalized(digest);
    let Some(found) = store::lock(conn, kind, subject, &digest).await? else {
        return Err(DigestError::Unknown(digest));
    };
    if found.used_at.is_some() {
        return Err(DigestError::Used(digest));
    }
    if found.made_at + expires_after <= now {
        return Err(DigestError::Expired(digest));
    }
    store::mark_used(conn, kind, subject, &digest, now).await?;
    Ok(found.members.0)
}

/// Returns a digest of lines in four-character groups. The order of the lines has no effect.
#[must_use]
pub fn digest(lines: impl IntoIterator<Item = String>) -> String {
    let lines: BTreeSet<String> = lines.into_iter().collect();
    let mut hasher = Sha256::new();
    for line in lines {
        hasher.update(line.as_bytes());
        hasher.update([0]);
    }
    let hash = hasher.finalize();
    grouped(&hex::encode(hash.get(..DIGEST_BYTES).unwrap_or_default()))
}

fn grouped(digits: &str) -> String {
    let digits: Vec<char> = digits.chars().collect();
    let groups: Vec<String> = digits
        .chunks(4)
        .map(|group| group.iter().collect())
        .collect();
    groups.join("-")
}

/// Accepts a digest as a person types it: in any case, with or without the hyphens.
pub(super) fn normalized(digest: &str) -> String {
    let digits: String = digest
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    grouped(&digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_depends_on_the_members_and_not_on_their_order() {
        let of = |ids: &[&str]| digest(ids.iter().map(|id| (*id).to_owned()));
        assert_eq!(of(&["1", "2"]), of(&["2", "1"]));
        assert_ne!(of(&["1", "2"]), of(&["12"]));
        assert_ne!(of(&["1"]), of(&["1", "2"]));
        assert_eq!(of(&["1"]).len(), 19);
    }

    #[test]
    fn digest_is_read_as_a_person_types_it() {
        let shown = digest(["1".to_owned()]);
        let typed = shown.replace('-', "").to_uppercase();
        assert_eq!(normalized(&typed), shown);
        assert_eq!(normalized(&format!(" {shown} ")), shown);
    }
}
