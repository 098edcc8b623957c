//! Which linked account is the company of a source without `linked_accounts`, and which accounts were deleted.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::parse::ParsedDelivery;
use crate::engine::policies::Policies;
use crate::ingest::inbox::{Delivery, DeliveryOutcome};
use crate::roster::linked_accounts::{LinkedAccount, company, store};
use leaver_core::domain::SourceName;
use leaver_core::providers::Tenancy;

/// The part of the reason of a failed delivery that names the cause: its linked account is not the company.
pub(crate) const NOT_THE_COMPANY: &str = "is not the company of this source";

/// The mention of a linked account in a delivery.
struct Mention {
    source: SourceName,
    id: String,
    at: DateTime<Utc>,
    is_deletion: bool,
}

/// Remembers the linked accounts of parsed deliveries, in the order of the deliveries. Deliveries of an account that is not
/// the company of its source become failed, so that they can be replayed once it is listed.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn admit(
    conn: &mut PgConnection,
    policies: &Policies,
    claimed: &[Delivery],
    parsed: &mut [ParsedDelivery],
) -> Result<(), sqlx::Error> {
    let mentions: Vec<Option<Mention>> = claimed
        .iter()
        .zip(&*parsed)
        .map(|(delivery, parsed)| Mention::of(policies, delivery, parsed))
        .collect();
    let mut sources: Vec<SourceName> = mentions
        .iter()
        .flatten()
        .map(|m| m.source.clone())
        .collect();
    sources.sort();
    sources.dedup();
    if sources.is_empty() {
        return Ok(());
    }
    let mut known = store::list(conn, &sources).await?;
    if mentions
        .iter()
        .flatten()
        .any(|mention| mention.is_new(&known))
    {
        known = store::lock(conn, &sources).await?;
    }
    let before = known.clone();
    for (mention, parsed) in mentions.iter().zip(parsed) {
        let Some(mention) = mention else { continue };
        mention.add_to(&mut known);
        let is_other = company(&known, &mention.source).is_some_and(|c| c.id != mention.id);
        let was_deleted = mention.find(&known).is_some_and(|a| a.deleted_at.is_some());
        if is_other && !was_deleted {
            *parsed = ParsedDelivery::Ended(DeliveryOutcome::Failed {
                reason: format!(
                    "linked account {} {NOT_THE_COMPANY}; list it in `linked_accounts` of the source, \
                     and replay",
                    mention.id
                ),
            });
        }
    }
    known.retain(|account| !before.contains(account));
    if known.is_empty() {
        return Ok(());
    }
    store::save(conn, &known).await
}

impl Mention {
    /// Returns the mention that matters: a deletion, or the account of a source without `linked_accounts`.
    fn of(policies: &Policies, delivery: &Delivery, parsed: &ParsedDelivery) -> Option<Self> {
        let source = policies.source_name(&delivery.source)?.clone();
        let (id, is_deletion) = match parsed {
            ParsedDelivery::LinkedAccountDeleted { linked_account, .. } => (linked_account, true),
            ParsedDelivery::Observations { observations, .. } => {
                let config = policies.provider_config(&delivery.source)?;
                let Tenancy::One(_) = config.tenancy else {
                    return None;
                };
                (observations.first()?.change.linked_account.as_ref()?, false)
            }
            ParsedDelivery::Many(_) | ParsedDelivery::Ended(_) => return None,
        };
        Some(Self {
            source,
            id: id.clone(),
            at: delivery.received_at,
            is_deletion,
        })
    }

    fn find<'a>(&self, known: &'a [LinkedAccount]) -> Option<&'a LinkedAccount> {
        known
            .iter()
            .find(|account| account.source == self.source && account.id == self.id)
    }

    fn is_new(&self, known: &[LinkedAccount]) -> bool {
        self.find(known)
            .is_none_or(|account| self.is_deletion && account.deleted_at.is_none())
    }

    fn add_to(&self, known: &mut Vec<LinkedAccount>) {
        if !self.is_new(known) {
            return;
        }
        let first_seen_at = self
            .find(known)
            .map_or(self.at, |account| account.first_seen_at);
        known.retain(|account| account.source != self.source || account.id != self.id);
        known.push(LinkedAccount {
            source: self.source.clone(),
            id: self.id.clone(),
            first_seen_at,
            deleted_at: self.is_deletion.then_some(self.at),
        });
    }
}
