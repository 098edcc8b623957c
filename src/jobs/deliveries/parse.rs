//! Parses stored deliveries into observations.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::engine::policies::Policies;
use crate::ingest::inbox::{Delivery, DeliveryOutcome, EmployeeIds};
use crate::roster::Observation;
use leaver_core::domain::EmployeeId;
use leaver_core::providers::{self, Entries, Ignored, InvalidEntry, Opened, Parsed};

/// Entries of one delivery that are processed at once. Each takes a few kilobytes.
pub(super) const SLICE: usize = 5_000;
/// Entries of several small deliveries that are processed at once. Two workers may have as many at a time.
const MAX_OBSERVATIONS: usize = 2_000;
/// Entries that are named if they cannot be read. A body can have thousands.
const MAX_NAMED: usize = 10;

/// A delivery after parsing.
pub(super) enum ParsedDelivery {
    Observations {
        observations: Vec<Observation>,
        has_event_times: bool,
        bad_entries: BadEntries,
    },
    /// More employees than are processed at once.
    Many(Box<Entries>),
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
            Self::Many(_) | Self::Ended(_) | Self::AboutLinkedAccount { .. } => &[],
        }
    }

    /// Returns whether all entries state their own time. False if it cannot be parsed.
    pub(super) fn has_event_times(&self) -> bool {
        match self {
            Self::Observations {
                has_event_times, ..
            } => *has_event_times,
            Self::Many(entries) => entries.has_event_times(),
            Self::Ended(outcome) | Self::AboutLinkedAccount { outcome, .. } => {
                outcome.has_event_times()
            }
        }
    }

    /// Returns the employees that the delivery names; `None` if it cannot be parsed.
    pub(super) fn named(&self) -> Option<EmployeeIds> {
        match self {
            Self::Ended(DeliveryOutcome::Failed { .. }) => None,
            Self::Many(entries) => Some(EmployeeIds::of(entries.ids())),
            _ => {
                let observations = self.observations().iter();
                let ids: BTreeSet<&EmployeeId> =
                    observations.map(|o| &o.change.employee_id).collect();
                Some(EmployeeIds::of(ids.into_iter().map(EmployeeId::as_str)))
            }
        }
    }
}

/// The entries of a delivery that cannot be read.
#[derive(Default)]
pub(super) struct BadEntries {
    first: Vec<InvalidEntry>,
    more: usize,
}

impl BadEntries {
    pub(super) fn new(first: &[InvalidEntry], more: usize) -> Self {
        let first = first.to_vec();
        Self { first, more }
    }

    pub(super) fn count(&self) -> usize {
        self.first.len() + self.more
    }

    /// Describes which entries cannot be read, and why. It names the first of them, and counts the others.
    pub(super) fn describe(&self, summary: &str) -> String {
        let named = self.first.iter().take(MAX_NAMED);
        let mut causes: Vec<String> = named.map(ToString::to_string).collect();
        let others = self.count().saturating_sub(MAX_NAMED);
        if others > 0 {
            causes.push(format!("and {others} more"));
        }
        format!("{summary}: {}", causes.join("; "))
    }
}

/// Parses deliveries in their order until they have [`MAX_OBSERVATIONS`] together, at least the first one. The others wait for
/// the next batch, as does one with many employees behind another.
pub(super) fn parse_some(policies: &Policies, deliveries: &[Delivery]) -> Vec<ParsedDelivery> {
    let (mut all, mut observations) = (vec![], 0);
    for delivery in deliveries {
        let parsed = parse(policies, delivery);
        observations += match &parsed {
            ParsedDelivery::Many(_) => MAX_OBSERVATIONS,
            other => other.observations().len(),
        };
        if observations > MAX_OBSERVATIONS && !all.is_empty() {
            break;
        }
        all.push(parsed);
        if observations >= MAX_OBSERVATIONS {
            break;
        }
    }
    all
}

/// Parses one delivery. After a panic of the parser this delivery fails; others of the batch are unaffected.
pub(super) fn parse(policies: &Policies, delivery: &Delivery) -> ParsedDelivery {
    let failed = |reason: String| {
        ParsedDelivery::Ended(DeliveryOutcome::Failed {
            reason,
            has_event_times: false,
        })
    };
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
        providers::open(provider_config, &delivery.body, SLICE)
    }));
    match normalized {
        Err(_panic) => failed(
            "a bug: reading the body panicked; report it, and replay after the fix".to_owned(),
        ),
        Ok(Err(unreadable)) => failed(unreadable.to_string()),
        Ok(Ok(Opened::Many(entries))) => ParsedDelivery::Many(entries),
        Ok(Ok(Opened::Parsed(Parsed::Ignored(what)))) => {
            let outcome = DeliveryOutcome::Ignored {
                reason: what.to_string(),
                has_event_times: providers::has_event_times(provider_config, &delivery.body),
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
        Ok(Ok(Opened::Parsed(Parsed::Changes(changes)))) => {
            let bad_entries = BadEntries::new(&changes.bad_entries, changes.more_bad_entries);
            if changes.changes.is_empty() {
                return failed(bad_entries.describe("no entry can be read"));
            }
            let has_event_times = changes.has_event_times();
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
