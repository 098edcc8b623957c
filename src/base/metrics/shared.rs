//! Gauges whose values come from the database: all replicas have the same ones.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};

use super::labels::{Code, Destination, Source, SourceWay};
use super::{add, add_seconds};

/// Ends the help of each of these gauges.
const SHARED: &str = "; all replicas have the same value, so aggregate with max";

/// The gauges. Those with labels exist from the start.
#[derive(Debug)]
pub(super) struct SharedGauges {
    pub(super) inbox_pending: Gauge,
    pub(super) inbox_oldest_pending: Gauge,
    pub(super) inbox_failed: Gauge,
    pub(super) holds_open: Gauge,
    pub(super) holds_oldest: Gauge,
    pub(super) safeguard_tripped: Gauge,
    pub(super) deactivations_blocked: Gauge,
    pub(super) leavers_without_account: Gauge,
    pub(super) pending_reads: Gauge,
    pub(super) pending_reads_failing: Gauge,
    pub(super) scheduled_access_ends: Gauge,
    pub(super) scheduled_access_ends_overdue: Gauge,
    pub(super) drift_terminated_with_access: Gauge,
    pub(super) last_drift_check_age: Gauge,
    pub(super) drift_interval: Gauge,
    pub(super) source_shadow_mode: Family<Source, Gauge>,
    pub(super) source_silent: Family<Source, Gauge>,
    pub(super) provider_webhooks_unhealthy: Family<Source, Gauge>,
    pub(super) last_delivery_age: Family<Source, Gauge>,
    pub(super) last_sync_age: Family<Source, Gauge>,
    pub(super) sync_interval: Family<Source, Gauge>,
    pub(super) sync_incomplete: Family<Source, Gauge>,
    pub(super) read_way: Family<SourceWay, Gauge>,
    pub(super) events_pending: Family<Destination, Gauge>,
    pub(super) events_dead: Family<Destination, Gauge>,
    pub(super) events_oldest_age: Family<Destination, Gauge>,
    pub(super) destination_paused: Family<Destination, Gauge>,
    pub(super) health_reason: Family<Code, Gauge>,
}

impl SharedGauges {
    pub(super) fn register(all: &mut Registry) -> Self {
        Self {
            inbox_pending: shared(
                all,
                "inbox_pending",
                "Deliveries that are not processed yet",
            ),
            inbox_oldest_pending: shared_seconds(
                all,
                "inbox_oldest_pending",
                "Age of the oldest pending delivery",
            ),
            inbox_failed: shared(
                all,
                "inbox_failed",
                "Deliveries that could not be processed",
            ),
            holds_open: shared(all, "holds_open", "Decisions that wait for a person"),
            holds_oldest: shared_seconds(
                all,
                "holds_oldest",
                "Age of the oldest open hold, 0 without one",
            ),
            safeguard_tripped: shared(
                all,
                "safeguard_tripped",
                "1 while the safeguard holds changes of a tenant until a person decides",
            ),
            deactivations_blocked: shared(
                all,
                "deactivations_blocked",
                "Deactivations that the database did not carry out",
            ),
            leavers_without_account: shared(
                all,
                "leavers_without_account",
                "Employees who left and for whom no account is found",
            ),
            pending_reads: shared(
                all,
                "pending_reads",
                "Employees to be read over their provider's API",
            ),
            pending_reads_failing: shared(
                all,
                "pending_reads_failing",
                "Pending reads that failed and wait for more than a minute, or cannot succeed",
            ),
            scheduled_access_ends: shared(
                all,
                "scheduled_access_ends",
                "Access ends that are scheduled",
            ),
            scheduled_access_ends_overdue: shared(
                all,
                "scheduled_access_ends_overdue",
                "Access ends that were due more than a minute ago and are not carried out",
            ),
            drift_terminated_with_access: shared(
                all,
                "drift_terminated_with_access",
                "Active accounts whose employee has left, at the last drift check",
            ),
            last_drift_check_age: shared_seconds(
                all,
                "last_drift_check_age",
                "Time since the beginning of the last complete drift check; before the first one, since the start of the process",
            ),
            drift_interval: shared_seconds(
                all,
                "drift_interval",
                "Time between two drift checks, as configured",
            ),
            source_shadow_mode: shared(
                all,
                "source_shadow_mode",
                "1 while a source is in shadow mode: its changes are only planned",
            ),
            source_silent: shared(
                all,
                "source_silent",
                "1 while a source has sent nothing for longer than `max_silence`",
            ),
            provider_webhooks_unhealthy: shared(
                all,
                "provider_webhooks_unhealthy",
                "BambooHR's webhooks of a source that an operator should look at",
            ),
            last_delivery_age: shared_seconds(
                all,
                "last_delivery_age",
                "Time since the last delivery of a source; before the first one, since the source was first configured",
            ),
            last_sync_age: shared_seconds(
                all,
                "last_sync_age",
                "Time since the end of a source's last complete sync; before the first one, since the start of the process",
            ),
            sync_interval: shared_seconds(
                all,
                "sync_interval",
                "Time between two reads of a source's API, as configured",
            ),
            sync_incomplete: shared(
                all,
                "sync_incomplete",
                "1 if the last read of a source's API was incomplete",
            ),
            read_way: shared(
                all,
                "read_way",
                "1 for the way in which a source's employees are read: report, dataset or single",
            ),
            events_pending: shared(all, "events_pending", "Events that wait for a destination"),
            events_dead: shared(
                all,
                "events_dead",
                "Events that were not sent to a destination after all attempts",
            ),
            events_oldest_age: shared_seconds(
                all,
                "events_oldest_age",
                "How long the oldest event waits for a destination, 0 without one",
            ),
            destination_paused: shared(
                all,
                "destination_paused",
                "1 while a destination is paused after failures: its events wait",
            ),
            health_reason: add(
                all,
                "health_reason",
                "1 while `/health` of this process has a reason with this code",
            ),
        }
    }

    /// Returns the gauges of destinations.
    pub(super) fn of_destinations(&self) -> [&Family<Destination, Gauge>; 4] {
        [
            &self.events_pending,
            &self.events_dead,
            &self.events_oldest_age,
            &self.destination_paused,
        ]
    }
}

fn shared<M: Metric + Clone + Default>(all: &mut Registry, name: &str, help: &str) -> M {
    add(all, name, &format!("{help}{SHARED}"))
}

fn shared_seconds<M: Metric + Clone + Default>(all: &mut Registry, name: &str, help: &str) -> M {
    add_seconds(all, name, &format!("{help}{SHARED}"))
}
