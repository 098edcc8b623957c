use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn silence_is_counted_from_the_last_delivery_or_from_the_beginning() {
    let (first, last) = (at("2026-11-01T00:00:00Z"), at("2026-11-20T00:00:00Z"));
    let day = Some(Duration::from_hours(24));
    let just_not = at("2026-11-21T00:00:00Z");
    let too_long = at("2026-11-21T00:00:01Z");
    assert_eq!(silent_since(day, Some(last), Some(first), just_not), None);
    assert_eq!(
        silent_since(day, Some(last), Some(first), too_long),
        Some(last)
    );
    assert_eq!(silent_since(day, None, Some(first), too_long), Some(first));
    assert_eq!(silent_since(day, None, None, too_long), None);
    assert_eq!(silent_since(None, Some(first), Some(first), too_long), None);
}
