//! Properties of all changes: the database can store them, and merging and deciding work with them.

use chrono::{DateTime, Datelike, Utc};
use chrono_tz::Tz;
use leaver::roster::{Effect, Observation, merge};
use leaver_core::decision::assess::{Employment, assess};
use leaver_core::decision::policy::{Cutoff, OnUncertain, Policy, Rehire, SourcesDisagree};
use leaver_core::decision::{AccountMatch, Action, decide};
use leaver_core::domain::{
    Account, AccountId, DateOrInstant, Employee, EmployeeChange, EmployeeId, Provider, SourceName,
    Status,
};
use leaver_core::providers::Changes;

/// The number of changes of one input that are checked.
const MAX_CHECKED: usize = 16;

/// The current time in all checks.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_348_800, 0).expect("a time")
}

/// Checks the changes of a body.
pub(crate) fn changes(parsed: &Changes, provider: Provider) {
    for (one, next) in parsed
        .bad_entries
        .iter()
        .zip(parsed.bad_entries.iter().skip(1))
    {
        assert!(one.position < next.position);
    }
    all(&parsed.changes, provider);
}

/// Checks changes in their order.
pub(crate) fn all(changes: &[EmployeeChange], provider: Provider) {
    for change in changes.iter().take(MAX_CHECKED) {
        check_storable(change);
        check_decision(change, provider);
    }
    check_order_is_irrelevant(&changes[..changes.len().min(4)]);
}

/// Checks that the database can index an id.
pub(crate) fn id(id: &EmployeeId) {
    let text = id.as_str();
    assert!(!text.is_empty() && text.len() <= 200 && text.trim() == text);
    assert!(!text.contains(char::is_control));
}

/// Checks that a status word is short and printable.
pub(crate) fn word(text: &str) {
    assert!(text.chars().count() <= 40 && !text.contains(char::is_control));
}

/// Checks that Postgres stores an instant unchanged, as a column and in JSON.
pub(crate) fn instant(at: DateTime<Utc>) {
    assert!(
        (-4712..294_276).contains(&at.year()),
        "{at:?} is out of Postgres's range"
    );
    let micros = DateTime::from_timestamp_micros(at.timestamp_micros());
    assert_eq!(micros, Some(at), "{at:?} changes when stored");
    let json = serde_json::to_value(at).expect("a time is JSON");
    assert_eq!(serde_json::from_value(json).ok(), Some(at));
}

fn check_storable(change: &EmployeeChange) {
    id(&change.employee_id);
    change.as_of.into_iter().for_each(instant);
    match change.facts.termination_date.value() {
        Some(DateOrInstant::Instant(at)) => instant(*at),
        Some(DateOrInstant::Day(day)) => assert!((-4712..294_276).contains(&day.year()), "{day:?}"),
        None => {}
    }
    if let Some(day) = change.facts.hire_date.value() {
        assert!((-4712..294_276).contains(&day.year()), "{day:?}");
    }
    if let Some(Status::Unknown(text)) = change.facts.status.value() {
        word(text);
    }
    if let Some(email) = change.facts.work_email.value() {
        let text = email.expose();
        assert!(!text.trim().is_empty() && text.len() <= 1000);
        assert!(!text.contains(char::is_control));
    }
}

fn observation(change: &EmployeeChange) -> Observation {
    let source = SourceName::parse("hr").expect("a source name");
    Observation::new(source, change.clone(), None, now(), None)
}

/// Checks that a repeated change has no effect, and that only people who left are deactivated.
fn check_decision(change: &EmployeeChange, provider: Provider) {
    let observed = observation(change);
    let mut employee = Employee::new(observed.key());
    merge(&mut employee, &observed);
    let once = employee.clone();
    assert_ne!(
        merge(&mut employee, &observed),
        Effect::Changed,
        "a repeated change"
    );
    assert_eq!(employee, once);
    let account = Account {
        id: AccountId::new("1"),
        email: employee.work_email().cloned(),
        is_active: true,
        is_protected: false,
        has_other_inactive_status: false,
    };
    for (timezone, cutoff) in [
        (Tz::UTC, Cutoff::EndOfDay),
        (Tz::Pacific__Kiritimati, Cutoff::StartOfDay),
        (Tz::America__Sao_Paulo, Cutoff::EndOfDay),
    ] {
        let policy = Policy {
            provider,
            timezone,
            cutoff,
            inactive_without_date: OnUncertain::Hold,
            deleted: OnUncertain::Hold,
            rehire: Rehire::Hold,
            sources_disagree: SourcesDisagree::Hold,
            sync_interval: None,
            can_read: change.notification_only,
            protected: std::collections::BTreeSet::new(),
        };
        let found = AccountMatch::Found(account.clone());
        let decision = decide(&policy, &employee, &found, &[], now());
        let left = matches!(assess(&policy, &employee, now()), Employment::Left { .. });
        assert_eq!(matches!(decision.action, Action::Deactivate(_)), left);
        assert!(decision.access_ends_at.is_none_or(|at| at > now()));
        decision.access_ends_at.into_iter().for_each(instant);
    }
}

fn check_order_is_irrelevant(changes: &[EmployeeChange]) {
    let Some(first) = changes.first() else { return };
    let merged = |changes: &mut dyn Iterator<Item = &EmployeeChange>| {
        let mut employee = Employee::new(observation(first).key());
        for change in changes {
            merge(&mut employee, &observation(change));
        }
        employee
    };
    let (forth, back) = (
        merged(&mut changes.iter()),
        merged(&mut changes.iter().rev()),
    );
    assert!(forth.has_same_values(&back), "{forth:?}\n{back:?}");
}
