use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn silence_begins_at_the_last_delivery_or_first_start() {
    let (first, last) = (at("2026-11-01T00:00:00Z"), at("2026-11-20T00:00:00Z"));
    let day = Some(Duration::from_hours(24));
    let at_threshold = at("2026-11-21T00:00:00Z");
    let past_threshold = at("2026-11-21T00:00:01Z");
    assert_eq!(
        silent_since(day, Some(last), Some(first), at_threshold),
        None
    );
    assert_eq!(
        silent_since(day, Some(last), Some(first), past_threshold),
        Some(last)
    );
    assert_eq!(
        silent_since(day, None, Some(first), past_threshold),
        Some(first)
    );
    assert_eq!(silent_since(day, None, None, past_threshold), None);
    assert_eq!(
        silent_since(None, Some(first), Some(first), past_threshold),
        None
    );
}
