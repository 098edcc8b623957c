//! Digests of holds, accounts and employees.

use super::*;

#[test]
fn holds_make_one_digest() {
    let events = [hold(1, None), hold(2, None), hold(3, None)];
    let plan = plan(&events, &rules());
    insta::assert_snapshot!(shown(&plan), @r#"
    3 changes of acme wait for a decision

    - hold 1, deactivate employee 40001 of acme (bamboohr): the account belongs to another employee
    - hold 2, deactivate employee 40002 of acme (bamboohr): the account belongs to another employee
    - hold 3, deactivate employee 40003 of acme (bamboohr): the account belongs to another employee
    Who and why: leaver holds
    To make one: leaver holds approve ID
    To drop one: leaver holds reject ID
    "#);
}

#[test]
fn a_digest_has_a_section_per_type() {
    let mut other = of_person(4, "account.deactivated", json!({}));
    other.tenant = Some("globex".to_owned());
    let mut planned = hold(9, None);
    planned.shadow = true;
    let events = [
        of_person(1, "employee.terminated", json!({})),
        of_person(
            2,
            "account.blocked",
            json!({ "reason": "row-level security forbids it" }),
        ),
        of_person(
            3,
            "account.deactivated",
            json!({ "account_id": "account-3" }),
        ),
        other,
        of_person(
            5,
            "hold.closed",
            json!({ "hold_id": 7, "state": "approved", "by": "cli" }),
        ),
        hold(6, None),
        of_person(7, "employee.updated", json!({ "changed": ["job_title"] })),
        planned,
    ];
    let plan = plan(&events, &with_names());
    assert_eq!(plan.messages[0].events.len(), events.len());
    insta::assert_snapshot!(shown(&plan), @r#"
    1 change of acme waits for a decision, and 6 other kinds of events

    1 change of acme waits for a decision.
    - hold 6, deactivate employee 40006 of acme (bamboohr), person6@example.com: the account belongs to another employee
    Who and why: leaver holds
    To make one: leaver holds approve ID
    To drop one: leaver holds reject ID

    [shadow] 1 change of acme waits for a decision.
    - hold 9, deactivate employee 40009 of acme (bamboohr), person9@example.com: the account belongs to another employee
    Who and why: leaver holds
    To make one: leaver holds approve ID
    To drop one: leaver holds reject ID

    The database did not carry out 1 change of acme.
    - employee 40002 of acme (bamboohr), person2@example.com: row-level security forbids it
    It is tried again.
    Who and why: leaver drift

    1 hold of acme was closed.
    - hold 7 approved, employee 40005 of acme (bamboohr), person5@example.com

    2 accounts of 2 companies were deactivated.
    By company: acme 1, globex 1.
    - employee 40003 of acme (bamboohr), person3@example.com
    - employee 40004 of globex (bamboohr), person4@example.com

    1 employee of acme left.
    - employee 40001 of acme (bamboohr), person1@example.com

    1 event of acme: employee.updated.
    - employee 40007 of acme (bamboohr), person7@example.com
    "#);
}

#[test]
fn five_hundred_events_are_one_message() {
    for kind in EventType::ALL {
        let events: Vec<Event> = (1..=500)
            .map(|n| of_person(n, kind.as_str(), json!({ "trip_id": 1 })))
            .collect();
        let plan = plan(&events, &rules());
        assert_eq!(plan.messages.len(), 1, "{kind:?}");
        assert_eq!(plan.messages[0].events.len(), 500, "{kind:?}");
        let message = &plan.messages[0];
        assert!(
            message.text.lines().count() < 40 && !message.text.contains('@'),
            "{}",
            message.text
        );
    }
}

#[test]
fn each_type_has_words_of_its_own() {
    for kind in EventType::ALL {
        let plan = plan(&[of_person(1, kind.as_str(), json!({}))], &rules());
        let subject = &plan.messages[0].subject;
        let is_generic = *kind == EventType::EmployeeUpdated;
        assert_eq!(subject.contains(kind.as_str()), is_generic, "{subject}");
    }
}

#[test]
fn a_hold_closed_in_the_meantime_does_not_wait() {
    let closed = of_person(
        3,
        "hold.closed",
        json!({ "hold_id": 1, "state": "withdrawn" }),
    );
    let plan = plan(&[hold(1, None), hold(2, None), closed], &rules());
    let message = &plan.messages[0];
    assert!(
        message.subject.starts_with("1 change of acme waits"),
        "{}",
        message.subject
    );
    assert_eq!(message.events.len(), 3);
    assert!(message.text.contains("hold 1 withdrawn") && !message.text.contains("hold 1, "));
}

#[test]
fn a_value_cannot_add_a_line() {
    let mut event = hold(1, None);
    event.tenant = Some("acme\r\nBcc: mallory@example.com".to_owned());
    event.data.insert(
        "reason".to_owned(),
        format!("a\nb\u{202e}{}", "c".repeat(900)).into(),
    );
    let plan = plan(&[event], &rules());
    let message = &plan.messages[0];
    assert!(
        !message.subject.contains(['\r', '\n']),
        "{}",
        message.subject
    );
    assert!(message.text.contains(r"a\nb\u{202e}") && message.text.contains('…'));
    assert!(message.text.lines().all(|line| line.chars().count() < 500));
}

#[test]
fn a_message_does_not_appear_in_debug_output() {
    let plan = plan(&[hold(1, None)], &with_names());
    assert!(!format!("{plan:?}").contains("person1"));
}
