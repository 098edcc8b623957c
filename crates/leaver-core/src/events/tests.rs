//! Patterns and subscriptions.

use super::{EventType, Subscription, Subscriptions};

#[test]
fn a_name_is_read_back() {
    for kind in EventType::ALL {
        assert_eq!(kind.as_str().parse(), Ok(*kind));
    }
    assert_eq!(EventType::ALL.len(), 22);
}

#[test]
fn a_pattern_stands_for_its_types() {
    let count = |pattern| EventType::matching(pattern).map_or(0, |found| found.len());
    assert_eq!(count("*"), 22);
    assert_eq!(count("employee.*"), 10);
    assert_eq!(count("account.*"), 4);
    assert_eq!(count("hold.opened"), 1);
    for none in [
        "",
        "account",
        "account*",
        "account.",
        "acc.*",
        "hold.open",
        "*.opened",
        "**",
    ] {
        assert_eq!(count(none), 0, "{none}");
    }
}

#[test]
fn each_destination_gets_what_it_wants() {
    let one = |destination: &str, pattern: &str, wants_details| Subscription {
        destination: destination.to_owned(),
        types: EventType::matching(pattern).unwrap(),
        wants_details,
    };
    let all = Subscriptions::new([one("bus", "account.*", false), one("mail", "*", true)]);
    let of = |kind| all.destinations_of(kind).collect::<Vec<_>>();
    assert_eq!(of(EventType::AccountBlocked), ["bus", "mail"]);
    assert_eq!(of(EventType::HoldOpened), ["mail"]);
    assert!(all.wants_details(EventType::HoldOpened));
    let thin = Subscriptions::new([one("bus", "account.*", false)]);
    assert!(!thin.wants_details(EventType::AccountBlocked) && !thin.wants(EventType::HoldOpened));
    assert!(Subscriptions::default().is_empty() && !thin.is_empty());
}
