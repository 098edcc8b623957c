//! What must hold of changes, wherever they come from: the database can keep them, and roster and rules take
//! them as they take everything else.

use chrono::{DateTime, Datelike, Utc};
use chrono_tz::Tz;
use leaver::roster::{Effect, Observation, merge};
use leaver_core::decision::assess::{Employment, assess};
use leaver_core::decision::policy::{Cutoff, OnUncertain, Policy, Rehire};
use leaver_core::decision::{AccountMatch, Action, decide};
use leaver_core::domain::{
    Account, AccountId, DateOrInstant, Employee, EmployeeChange, EmployeeId, Provider, SourceName,
    Status,
};
use leaver_core::providers::Changes;

/// More of them would only take longer.
const LOOKED_AT: usize = 16;

/// Every input is looked at as of this time.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_348_800, 0).expect("a time")
}

/// Changes that a body said.
pub(crate) fn changes(said: &Changes, provider: Provider) {
    for (one, next) in said.bad_entries.iter().zip(said.bad_entries.iter().skip(1)) {
        assert!(one.position < next.position);
    }
    all(&said.changes, provider);
}

/// Changes, in the order in which they were said.
pub(crate) fn all(changes: &[EmployeeChange], provider: Provider) {
    for change in changes.iter().take(LOOKED_AT) {
        can_be_kept(change);
        can_be_judged(change, provider);
    }
    order_does_not_matter(&changes[..changes.len().min(4)]);
}

/// An id that the database can hold and index.
pub(crate) fn id(id: &EmployeeId) {
    let text = id.as_str();
    assert!(!text.is_empty() && text.len() <= 200 && text.trim() == text);
    assert!(!text.contains(char::is_control));
}

/// A word of the provider's, short enough to show.
pub(crate) fn word(text: &str) {
    assert!(text.chars().count() <= 40 && !text.contains(char::is_control));
}

/// An instant that Postgres holds, as column and as JSON, and gives back as it was.
pub(crate) fn instant(at: DateTime<Utc>) {
    assert!(
        (-4712..294_276).contains(&at.year()),
        "{at:?} is out of Postgres's range"
    );
    let micros = DateTime::from_timestamp_micros(at.timestamp_micros());
    assert_eq!(
        micros,
        Some(at),
        "{at:?} is another one after having been stored"
    );
    let json = serde_json::to_value(at).expect("a time is JSON");
    assert_eq!(serde_json::from_value(json).ok(), Some(at));
}

fn can_be_kept(change: &EmployeeChange) {
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

/// The same twice changes nothing; whatever is decided rests on a judgement that says so.
fn can_be_judged(change: &EmployeeChange, provider: Provider) {
    let said = observation(change);
    let mut employee = Employee::unknown(said.key());
    merge(&mut employee, &said);
    let once = employee.clone();
    assert_ne!(
        merge(&mut employee, &said),
        Effect::Changed,
        "the same twice"
    );
    assert_eq!(employee, once);
    let account = Account {
        id: AccountId::new("1"),
        email: employee.work_email().cloned(),
        is_active: true,
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

fn order_does_not_matter(changes: &[EmployeeChange]) {
    let Some(first) = changes.first() else { return };
    let merged = |changes: &mut dyn Iterator<Item = &EmployeeChange>| {
        let mut employee = Employee::unknown(observation(first).key());
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
