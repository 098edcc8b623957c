//! Parses stored deliveries into observations.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::engine::policies::Policies;
use crate::ingest::inbox::{Delivery, DeliveryOutcome};
use crate::roster::Observation;
use leaver_core::domain::EmployeeId;
use leaver_core::providers::{self, Ignored, InvalidEntry, Parsed};

/// Entries that are named if they cannot be read. A body can have thousands.
const MAX_NAMED: usize = 10;

/// A delivery after parsing.
pub(super) enum ParsedDelivery {
    Observations {
        observations: Vec<Observation>,
        has_event_times: bool,
        bad_entries: Vec<InvalidEntry>,
    },
    /// Ignored, or failed because it cannot be parsed.
    Ended(DeliveryOutcome),
    /// Ignored, and it shows something about a linked account. No employee is concerned.
    AboutLinkedAccount {
        linked_account: String,
        event: AccountEvent,
        outcome: DeliveryOutcome,
    },
}

/// The content of an ignored delivery about a linked account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AccountEvent {
    /// The account was deleted at the provider.
    Deleted,
    /// The account delivers, and is not listed.
    Unlisted,
}

impl ParsedDelivery {
    /// Returns the observations; none if it cannot be parsed or is ignored.
    pub(super) fn observations(&self) -> &[Observation] {
        match self {
            Self::Observations { observations, .. } => observations,
            Self::Ended(_) | Self::AboutLinkedAccount { .. } => &[],
        }
    }

    /// Returns the employees that the delivery names; `None` if it cannot be parsed.
    pub(super) fn named(&self) -> Option<Vec<EmployeeId>> {
        if let Self::Ended(DeliveryOutcome::Failed { .. }) = self {
            return None;
        }
        let ids: BTreeSet<&EmployeeId> = self
            .observations()
            .iter()
            .map(|observation| &observation.change.employee_id)
            .collect();
        Some(ids.into_iter().cloned().collect())
    }
}

/// Parses one delivery. After a panic of the parser this delivery fails; others of the batch are unaffected.
pub(super) fn parse(policies: &Policies, delivery: &Delivery) -> ParsedDelivery {
    let failed = |reason: String| ParsedDelivery::Ended(DeliveryOutcome::Failed { reason });
    let Some(provider_config) = policies.provider_config(&delivery.source) else {
        return failed(format!(
            "no source named `{}` is configured any more; configure it and replay",
            delivery.source
        ));
    };
    let Some(source) = policies.source_name(&delivery.source) else {
        return failed("the source has no valid name".to_owned());
    };
    let normalized = catch_unwind(AssertUnwindSafe(|| {
        providers::normalize(provider_config, &delivery.body)
    }));
    match normalized {
        Err(_panic) => failed(
            "a bug: reading the body panicked; report it, and replay after the fix".to_owned(),
        ),
        Ok(Err(unreadable)) => failed(unreadable.to_string()),
        Ok(Ok(Parsed::Ignored(what))) => {
            let outcome = DeliveryOutcome::Ignored {
                reason: what.to_string(),
            };
            let event = match what {
                Ignored::AccountDeleted => Some(AccountEvent::Deleted),
                Ignored::UnknownLinkedAccount => Some(AccountEvent::Unlisted),
                _ => None,
            };
            let named = || providers::linked_account(provider_config, &delivery.body);
            match event.and_then(|event| Some((event, named()?))) {
                Some((event, linked_account)) => ParsedDelivery::AboutLinkedAccount {
                    linked_account,
                    event,
                    outcome,
                },
                None => ParsedDelivery::Ended(outcome),
            }
        }
        Ok(Ok(Parsed::Changes(changes))) if changes.changes.is_empty() => {
            failed(describe(&changes.bad_entries, "no entry can be read"))
        }
        Ok(Ok(Parsed::Changes(changes))) => {
            let has_event_times = changes.has_event_times();
            let bad_entries = changes.bad_entries;
            let observations = changes
                .changes
                .into_iter()
                .map(|change| {
                    Observation::new(
                        source.clone(),
                        change,
                        delivery.signed_at,
                        delivery.received_at,
                        Some(delivery.id),
                    )
                })
                .collect();
            ParsedDelivery::Observations {
                observations,
                has_event_times,
                bad_entries,
            }
        }
    }
}

/// Describes which entries cannot be read, and why. It names the first of them, and counts the others.
pub(super) fn describe(bad_entries: &[InvalidEntry], summary: &str) -> String {
    let (named, others) = bad_entries.split_at(bad_entries.len().min(MAX_NAMED));
    let mut causes: Vec<String> = named.iter().map(ToString::to_string).collect();
    if !others.is_empty() {
        causes.push(format!("and {} more", others.len()));
    }
    format!("{summary}: {}", causes.join("; "))
}
