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
