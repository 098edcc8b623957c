//! Which linked account is the company of a source without `linked_accounts`, which others deliver, and which were deleted.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::parse::{AccountEvent, ParsedDelivery};
use crate::engine::policies::Policies;
use crate::ingest::inbox::{Delivery, DeliveryOutcome};
use crate::roster::linked_accounts::{LinkedAccount, company, store};
use leaver_core::domain::SourceName;
use leaver_core::providers::Tenancy;

/// The mention of a linked account in a delivery.
struct Mention {
    source: SourceName,
    at: DateTime<Utc>,
    what: What,
}

enum What {
    /// The account was deleted.
    Deletion(String),
    /// The account is not in the list of its source.
    Unlisted(String),
    /// Changes of employees, for a source without `linked_accounts`. `None` if the delivery names no account.
    Changes(Option<String>),
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
    let mut before = store::list(conn, &sources).await?;
    let (mut after, mut refusals) = apply(&before, &mentions);
    if after != before {
        before = store::lock(conn, &sources).await?;
        (after, refusals) = apply(&before, &mentions);
    }
    for (parsed, refusal) in parsed.iter_mut().zip(refusals) {
        if let Some(reason) = refusal {
            let has_event_times = parsed.has_event_times();
            *parsed = ParsedDelivery::Ended(DeliveryOutcome::Failed {
                reason,
                has_event_times,
            });
        }
    }
    after.retain(|account| !before.contains(account));
    if after.is_empty() {
        return Ok(());
    }
    store::save(conn, &after).await
}

/// Returns the accounts after these mentions, and why each delivery is refused.
fn apply(
    known: &[LinkedAccount],
    mentions: &[Option<Mention>],
) -> (Vec<LinkedAccount>, Vec<Option<String>>) {
    let mut accounts = known.to_vec();
    let refusals = mentions
        .iter()
        .map(|mention| mention.as_ref()?.apply(&mut accounts))
        .collect();
    (accounts, refusals)
}

impl Mention {
    /// Returns the mention that matters, if there is one.
    fn of(policies: &Policies, delivery: &Delivery, parsed: &ParsedDelivery) -> Option<Self> {
        let what = match parsed {
            ParsedDelivery::AboutLinkedAccount {
                linked_account,
                event,
                ..
            } => match event {
                AccountEvent::Deleted => What::Deletion(linked_account.clone()),
                AccountEvent::Unlisted => What::Unlisted(linked_account.clone()),
            },
            ParsedDelivery::Observations { observations, .. } => {
                let config = policies.provider_config(&delivery.source)?;
                let has_accounts = config.provider.capabilities().has_linked_accounts;
                if !has_accounts || matches!(config.tenancy, Tenancy::ByLinkedAccount(_)) {
                    return None;
                }
                What::Changes(observations.first()?.change.linked_account.clone())
            }
            ParsedDelivery::Many(_) | ParsedDelivery::Ended(_) => return None,
        };
        Some(Self {
            source: policies.source_name(&delivery.source)?.clone(),
            at: delivery.received_at,
            what,
        })
    }

    /// Records the mention. Returns why its delivery is refused.
    fn apply(&self, accounts: &mut Vec<LinkedAccount>) -> Option<String> {
        match &self.what {
            What::Deletion(id) => {
                let at = self.at;
                self.entry(accounts, id).deleted_at.get_or_insert(at);
                None
            }
            What::Unlisted(id) => {
                self.entry(accounts, id);
                None
            }
            What::Changes(None) => Some(
                "the delivery names no linked account, so its company is unknown; list yours in `linked_accounts` of the \
                 source"
                    .to_owned(),
            ),
            What::Changes(Some(id)) => self.apply_changes(accounts, id),
        }
    }

    fn apply_changes(&self, accounts: &mut Vec<LinkedAccount>, id: &str) -> Option<String> {
        let company = company(accounts, &self.source).map(|account| account.id.clone());
        let at = self.at;
        let account = self.entry(accounts, id);
        if let Some(deleted_at) = account.deleted_at {
            // What it sent before may be processed later.
            let is_earlier = account.company_since.is_some() && at <= deleted_at;
            return (!is_earlier).then(|| {
                format!(
                    "linked account {id} was deleted in Merge; list it in `linked_accounts` of the source if it still \
                     counts, and replay"
                )
            });
        }
        match company {
            Some(company) if company == id => None,
            Some(_) => Some(format!(
                "linked account {id} is not the company of this source; list it in `linked_accounts` of the source, and replay"
            )),
            None => {
                account.company_since = Some(at);
                None
            }
        }
    }

    /// Returns the account with this id, which is new if nothing was known of it.
    fn entry<'a>(&self, accounts: &'a mut Vec<LinkedAccount>, id: &str) -> &'a mut LinkedAccount {
        let is_it = |account: &LinkedAccount| account.source == self.source && account.id == id;
        let position = accounts.iter().position(is_it).unwrap_or_else(|| {
            accounts.push(LinkedAccount {
                source: self.source.clone(),
                id: id.to_owned(),
                first_seen_at: self.at,
                company_since: None,
                deleted_at: None,
            });
            accounts.len() - 1
        });
        &mut accounts[position]
    }
}
