//! Checks how long an unreadable value counts.

use super::*;

#[test]
fn unreadable_value_counts_until_a_newer_one_is_known() {
    let dated = |minute, field: Field<DateOrInstant>| {
        let mut one = observed(minute);
        one.change.facts.termination_date = field;
        one
    };
    let unreadable = |minute| dated(minute, Field::Unreadable);
    let readable = |minute| dated(minute, Field::Value(DateOrInstant::Day(day("2026-03-31"))));
    let since = |observations: &[Observation]| {
        let (employee, _) = merged(observations);
        employee.unreadable.termination_date
    };
    assert_eq!(since(&[readable(1), unreadable(2)]), Some(at(2)));
    assert_eq!(since(&[unreadable(2), readable(1)]), Some(at(2)));
    assert_eq!(
        since(&[unreadable(2), unreadable(3), unreadable(1)]),
        Some(at(3))
    );
    assert_eq!(since(&[unreadable(2), readable(2)]), None);
    assert_eq!(since(&[readable(3), unreadable(2)]), None);
    assert_eq!(since(&[unreadable(2), dated(3, Field::Empty)]), None);
    let (_, effects) = merged(&[unreadable(2), unreadable(2), readable(3), unreadable(1)]);
    assert_eq!(
        effects,
        [
            Effect::Changed,
            Effect::Unchanged,
            Effect::Changed,
            Effect::Stale
        ]
    );
}
