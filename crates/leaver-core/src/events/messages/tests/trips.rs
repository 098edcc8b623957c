//! Trips of the safeguard.

use super::*;

/// A trip and 500 holds of it.
fn five_hundred() -> Vec<Event> {
    let mut events: Vec<Event> = (1..=500).map(|n| hold(n, Some(3))).collect();
    events.push(trip(501, 3, 500));
    events
}

#[test]
fn a_trip_of_500_is_one_message() {
    let plan = plan(&five_hundred(), &rules());
    assert_eq!(plan.messages.len(), 1);
    assert_eq!(plan.messages[0].events.len(), 501);
    assert!(plan.wait.is_empty() && plan.messages[0].delays_digest);
    insta::assert_snapshot!(shown(&plan), @r#"
    The safeguard stopped 500 deactivations of acme

    The safeguard tripped (trip 3). It holds 500 deactivations of acme, and all further ones, until a person decides.
    512 deactivations within 60 minutes; the limit is 10 of 1000 accounts.
    These people keep access until then.

    Who and why:          leaver safeguard release 3
    If the list is right: leaver safeguard release 3 --confirm DIGEST
    If it is wrong:       leaver safeguard reject 3
    "#);
}

#[test]
fn a_trip_names_people_only_if_permitted() {
    let text = shown(&plan(&five_hundred(), &rules()));
    for personal in ["@", "person1", "account-", "4000"] {
        assert!(!text.contains(personal), "{text}");
    }
    let text = shown(&plan(&five_hundred(), &with_names()));
    assert!(
        text.contains("- person1@example.com (employee 40001)"),
        "{text}"
    );
    assert!(text.contains("person20@") && !text.contains("person21@"));
    assert!(
        text.contains("and 480 more: leaver safeguard release 3"),
        "{text}"
    );
}

#[test]
fn two_trips_are_two_messages() {
    let events = [
        trip(1, 3, 2),
        trip(2, 4, 1),
        hold(5, Some(3)),
        hold(6, Some(3)),
        hold(7, Some(4)),
    ];
    let plan = plan(&events, &rules());
    let sizes: Vec<usize> = plan
        .messages
        .iter()
        .map(|message| message.events.len())
        .collect();
    assert_eq!(sizes, [3, 2]);
}

#[test]
fn a_trip_is_reported_at_once_after_a_digest() {
    let rules = Rules {
        last_digest_at: Some(now() - TimeDelta::minutes(1)),
        ..rules()
    };
    let plan = plan(&five_hundred(), &rules);
    assert_eq!((plan.messages.len(), plan.wait.len()), (1, 0));
}

#[test]
fn a_trip_in_shadow_mode_is_marked() {
    let mut tripped = trip(1, 3, 500);
    tripped.shadow = true;
    tripped
        .data
        .insert("direction".to_owned(), "reactivated".into());
    tripped.data.insert("limited_by".to_owned(), "grant".into());
    insta::assert_snapshot!(shown(&plan(&[tripped], &rules())), @r#"
    [shadow] The safeguard stopped 500 reactivations of acme

    The safeguard tripped (trip 3). It holds 500 reactivations of acme, and all further ones, until a person decides.
    512 reactivations under a grant of 10.
    These people get no access until then.
    The source is in shadow mode: no account is changed.

    Who and why:          leaver safeguard release 3
    If the list is right: leaver safeguard release 3 --confirm DIGEST
    If it is wrong:       leaver safeguard reject 3
    "#);
}

#[test]
fn later_holds_of_a_trip_go_into_a_digest() {
    let events: Vec<Event> = (1..=500).map(|n| hold(n, Some(3))).collect();
    let plan = plan(&events, &rules());
    insta::assert_snapshot!(shown(&plan), @r#"
    500 changes of acme are held by trip 3 of the safeguard

    Who and why: leaver safeguard release 3
    "#);
}

#[test]
fn a_release_and_its_holds_are_one_message() {
    let released = event(
        1,
        "safeguard.released",
        json!({ "trip_id": 3, "state": "released" }),
    );
    let closed = (2..=501).map(|n| {
        of_person(
            n,
            "hold.closed",
            json!({ "hold_id": n, "state": "approved", "trip_id": 3 }),
        )
    });
    let events: Vec<Event> = [released].into_iter().chain(closed).collect();
    let plan = plan(&events, &rules());
    assert_eq!(plan.messages.len(), 1);
    insta::assert_snapshot!(shown(&plan), @r#"
    Trip 3 of acme was released

    A person released trip 3 of acme. Each change that it held is decided again and carried out.
    500 holds closed.

    The trip:      leaver safeguard
    What was done: leaver audit
    "#);
}

#[test]
fn a_rejection_is_named() {
    let rejected = event(
        1,
        "safeguard.released",
        json!({ "trip_id": 3, "state": "rejected" }),
    );
    let text = shown(&plan(&[rejected], &rules()));
    assert!(text.starts_with("Trip 3 of acme was rejected"), "{text}");
}
