//! Open holds that a filter selects, to be approved together.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection, PgConnection};

use super::resolve::{self, Approved, Named, ResolveError};
use super::{Hold, close, store};
use crate::engine::accounts::AccountsTable;
use crate::engine::audit::Actor;
use crate::engine::policies::Policies;
use crate::engine::previews::{self, DigestError, Preview, PreviewKind};
use leaver_core::domain::SourceName;

/// A filter of open holds. A hold must fit all that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HoldFilter {
    /// Holds of this trip.
    pub trip: Option<i64>,
    /// Holds about employees of this source.
    pub source: Option<SourceName>,
    /// Holds whose reason contains this text, in any case.
    pub reason_contains: Option<String>,
}

impl HoldFilter {
    fn fits(&self, hold: &Hold) -> bool {
        let reason = hold.reason.to_lowercase();
        self.trip.is_none_or(|trip| hold.trip_id == Some(trip))
            && self
                .source
                .as_ref()
                .is_none_or(|source| hold.source == source.as_str())
            && self
                .reason_contains
                .as_ref()
                .is_none_or(|text| reason.contains(&text.to_lowercase()))
    }

    /// Returns the filter as text, by which its lists are found again.
    fn subject(&self) -> String {
        let trip = self.trip.map(|trip| format!("trip {trip}"));
        let source = self.source.as_ref().map(|name| format!("source {name}"));
        let text = self.reason_contains.as_ref();
        let reason = text.map(|text| format!("reason contains {}", text.to_lowercase()));
        let parts: Vec<String> = [trip, source, reason].into_iter().flatten().collect();
        parts.join(", ")
    }
}

/// A hold as it was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedHold {
    /// The ID.
    pub id: i64,
    requested_action: String,
    account_id: Option<String>,
}

impl ListedHold {
    fn of(hold: &Hold) -> Self {
        Self {
            id: hold.id,
            requested_action: hold.requested_action.clone(),
            account_id: hold.account_id.clone(),
        }
    }

    /// Returns the line of the digest: newer facts can change the request of an open hold.
    fn line(&self) -> String {
        let account = self.account_id.as_deref().unwrap_or_default();
        format!("{}\t{}\t{account}", self.id, self.requested_action)
    }
}

fn digest_of<'a>(holds: impl IntoIterator<Item = &'a Hold>) -> String {
    previews::digest(holds.into_iter().map(|hold| ListedHold::of(hold).line()))
}

/// Open holds, and the digest with which they can be approved.
#[derive(Debug)]
pub struct Selection {
    /// The holds, oldest first.
    pub holds: Vec<Hold>,
    /// The digest.
    pub digest: String,
}

/// Lists the open holds that fit, and stores the list, so that it can be confirmed.
///
/// # Errors
/// Returns the database's error.
pub async fn select(
    conn: &mut PgConnection,
    filter: &HoldFilter,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Selection, sqlx::Error> {
    let mut holds = store::list_open(conn).await?;
    holds.retain(|hold| filter.fits(hold));
    let preview = Preview {
        kind: PreviewKind::Approve,
        subject: filter.subject(),
        members: holds.iter().map(|hold| hold.id).collect(),
        digest: digest_of(&holds),
    };
    if !holds.is_empty() {
        preview.keep(conn, actor, now).await?;
    }
    Ok(Selection {
        holds,
        digest: preview.digest,
    })
}

/// Marks a list as confirmed and returns its holds. They are approved one by one afterwards, by [`approve_listed`].
///
/// # Errors
/// Returns a [`DigestError`]; nothing has changed then.
pub async fn confirm(
    conn: &mut PgConnection,
    filter: &HoldFilter,
    digest: &str,
    expires_after: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Vec<ListedHold>, DigestError> {
    let mut tx = conn.begin().await?;
    let (kind, subject) = (PreviewKind::Approve, filter.subject());
    let ids = previews::confirm(&mut tx, kind, &subject, digest, expires_after, now).await?;
    let holds = store::find_all(&mut tx, &ids).await?;
    let digest = previews::normalized(digest);
    if digest_of(&holds) != digest {
        return Err(DigestError::Changed(digest));
    }
    tx.commit().await?;
    Ok(holds.iter().map(ListedHold::of).collect())
}

/// Approves a hold if its request is still the listed one.
///
/// # Errors
/// Returns a [`ResolveError`]; nothing has changed then.
pub async fn approve_listed(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    listed: &ListedHold,
    named: &Named,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Approved, ResolveError> {
    let mut tx = conn.begin().await?;
    let hold = close::lock(&mut tx, listed.id, &policies.sharing(table), now).await?;
    if ListedHold::of(&hold) != *listed {
        return Err(ResolveError::Changed(listed.id));
    }
    let approved = resolve::approve(&mut tx, table, policies, listed.id, named, actor, now).await;
    // What a refusal added to the reason stays. The approval itself is rolled back then.
    tx.commit().await?;
    approved
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(trip: Option<i64>, source: &str, reason: &str) -> Hold {
        Hold {
            id: 1,
            opened_at: DateTime::UNIX_EPOCH,
            source: source.to_owned(),
            tenant: "default".to_owned(),
            employee_id: "7".to_owned(),
            account_id: None,
            requested_action: "deactivate".to_owned(),
            reason: reason.to_owned(),
            state: "open".to_owned(),
            delivery_id: None,
            trip_id: trip,
            cause: None,
        }
    }

    #[test]
    fn a_filter_selects_what_fits_all_its_parts() {
        let filter = HoldFilter {
            trip: Some(3),
            source: SourceName::parse("merge").ok(),
            reason_contains: Some("Two Accounts".to_owned()),
        };
        assert!(filter.fits(&hold(Some(3), "merge", "two accounts fit")));
        for other in [
            hold(None, "merge", "two accounts fit"),
            hold(Some(4), "merge", "two accounts fit"),
            hold(Some(3), "bamboohr", "two accounts fit"),
            hold(Some(3), "merge", "the account is protected"),
        ] {
            assert!(!filter.fits(&other), "{other:?}");
        }
        assert_eq!(
            filter.subject(),
            "trip 3, source merge, reason contains two accounts"
        );
    }
}
