use super::*;

#[test]
fn work_email_is_trimmed_and_lower_case() {
    let parsed = WorkEmail::parse("  ZOË@Widgets.Example ").unwrap();
    assert_eq!(parsed.expose(), "zoë@widgets.example");
}

#[test]
fn blank_work_email_is_none() {
    assert_eq!(WorkEmail::parse(" \t"), None);
}

#[test]
fn debug_hides_a_work_email() {
    let parsed = WorkEmail::parse("dana@example.com").unwrap();
    assert!(!format!("{parsed:?}").contains("dana"));
}

#[test]
fn source_name_is_valid_in_a_path() {
    for good in ["bamboohr", "merge-eu", "a", "x_1", &"a".repeat(63)] {
        assert!(SourceName::parse(good).is_ok(), "{good}");
    }
    for bad in ["", "BambooHR", "a/b", "a b", "é", &"a".repeat(64)] {
        assert!(SourceName::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn only_a_later_hire_date_is_a_rehire_after_an_end_by_hand() {
    let at = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let ended_at = at("2026-11-22T12:00:00Z");
    let mut employee = Employee::new(EmployeeKey {
        source: SourceName::parse("merge").unwrap(),
        tenant: Tenant::new("acme"),
        employee_id: EmployeeId::new("7"),
    });
    for (hired, by_person, expected) in [
        (None, true, None),
        (Some("2020-01-06"), true, None),
        (Some("2026-11-22"), true, None),
        (Some("2026-11-23"), true, Some(ended_at)),
        (Some("2026-11-23"), false, None),
    ] {
        employee.departure = Some(Departure {
            carried_out_at: ended_at,
            termination_date: None,
            hire_date: None,
            returned_at: None,
            by_person,
            while_employed: false,
        });
        employee.hire_date = hired.map(|day| Fact {
            value: Some(day.parse().unwrap()),
            as_of: ended_at,
            observed_at: ended_at,
        });
        assert_eq!(employee.rehired_after_end_by_hand(), expected, "{hired:?}");
        let known = employee.departure.as_mut().unwrap();
        known.hire_date = employee.hire_date.as_ref().and_then(|fact| fact.value);
        known.while_employed = true;
        assert_eq!(employee.rehired_after_end_by_hand(), None, "{hired:?}");
    }
}
