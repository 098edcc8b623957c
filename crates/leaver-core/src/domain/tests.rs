use super::*;

#[test]
fn a_work_email_is_trimmed_and_folded() {
    let parsed = WorkEmail::parse("  ZOË@Widgets.Example ").unwrap();
    assert_eq!(parsed.expose(), "zoë@widgets.example");
}

#[test]
fn a_blank_work_email_is_none() {
    assert_eq!(WorkEmail::parse(" \t"), None);
}

#[test]
fn a_work_email_does_not_show_itself() {
    let parsed = WorkEmail::parse("dana@example.com").unwrap();
    assert!(!format!("{parsed:?}").contains("dana"));
}

#[test]
fn a_source_name_is_plain_enough_for_a_path() {
    for good in ["bamboohr", "merge-eu", "a", "x_1", &"a".repeat(63)] {
        assert!(SourceName::parse(good).is_ok(), "{good}");
    }
    for bad in ["", "BambooHR", "a/b", "a b", "é", &"a".repeat(64)] {
        assert!(SourceName::parse(bad).is_err(), "{bad}");
    }
}
