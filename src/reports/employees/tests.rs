//! Cursors and filters.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use proptest::prelude::*;
use strum::VariantNames;

use super::cursor::CursorError;
use super::filters::InvalidTime;
use super::*;

fn encoded(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(text)
}

proptest! {
    #[test]
    fn a_cursor_survives_a_round_trip(micros in 0..4_102_444_800_000_000_i64, tenant in "[^\0]*", id in "[^\0]*") {
        let cursor = Cursor {
            modified_at: DateTime::from_timestamp_micros(micros).unwrap(),
            source: "hr".to_owned(),
            tenant,
            employee_id: id,
        };
        let text = cursor.to_string();
        prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        prop_assert_eq!(Cursor::parse(&text), Ok(cursor));
    }

    #[test]
    fn parsing_a_cursor_never_panics(text in ".*") {
        prop_assert!(Cursor::parse(&text).is_err());
    }
}

#[test]
fn rejects_invalid_and_outdated_cursors() {
    for text in [
        String::new(),
        "nonsense!".to_owned(),
        encoded("nonsense"),
        encoded("[]"),
        encoded(r#"["1",0,"hr","acme","1"]"#),
        encoded(r#"[1,0,"hr","acme"]"#),
        encoded(r#"[1,0,"hr","acme","1","2"]"#),
        encoded(r#"[1,"now","hr","acme","1"]"#),
        encoded(r#"[1,9223372036854775807,"hr","acme","1"]"#),
        encoded(r#"[1,0,"hr","acme","\u0000"]"#),
    ] {
        assert_eq!(Cursor::parse(&text), Err(CursorError::Invalid), "{text}");
    }
    let other = Cursor::parse(&encoded(r#"[2,"anything"]"#));
    assert_eq!(other, Err(CursorError::OtherVersion));
}

#[test]
fn parses_rfc_3339_and_dates() {
    let noon: DateTime<Utc> = "2026-01-31T12:00:00Z".parse().unwrap();
    for text in [
        "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00+00:00",
        "2026-01-31T12:00:00+0000",
        "2026-01-31T13:00:00.000+0100",
        "2026-01-31T06:30:00-05:30",
    ] {
        assert_eq!(parse_time(text), Ok(noon), "{text}");
    }
    let midnight: DateTime<Utc> = "2026-01-31T00:00:00Z".parse().unwrap();
    assert_eq!(parse_time("2026-01-31"), Ok(midnight));
    for text in [
        "",
        "yesterday",
        "2026-02-30",
        "2026-01-31T12:00:00",
        "31.01.2026",
        "1769860800",
    ] {
        assert_eq!(parse_time(text), Err(InvalidTime), "{text}");
    }
}

#[test]
fn parses_each_status_word() {
    for word in EmploymentFilter::VARIANTS {
        assert_eq!(word.parse::<EmploymentFilter>().unwrap().as_str(), *word);
    }
    assert_eq!("Active".parse::<EmploymentFilter>(), Err(UnknownStatus));
}
