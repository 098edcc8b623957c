use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use super::address::InvalidAddress;
use super::retry::{backoff, retry_after};
use super::*;

fn headers(retry: &str, date: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(RETRY_AFTER, retry.parse().unwrap());
    if let Some(date) = date {
        headers.insert(DATE, date.parse().unwrap());
    }
    headers
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let now: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
    let seconds = |retry, date| retry_after(&headers(retry, date), now).map(|wait| wait.as_secs());
    assert_eq!(seconds("7", None), Some(7));
    assert_eq!(seconds(" 0 ", None), Some(0));
    assert_eq!(seconds("Sun, 22 Nov 2026 12:01:00 GMT", None), Some(60));
    // Sent by a clock that differs from ours.
    let theirs = Some("Sun, 22 Nov 2026 11:59:30 GMT");
    assert_eq!(seconds("Sun, 22 Nov 2026 12:00:00 GMT", theirs), Some(30));
    assert_eq!(seconds("Sun, 22 Nov 2026 11:00:00 GMT", None), Some(0));
    for unreadable in ["soon", "-3", "1.5", ""] {
        assert_eq!(seconds(unreadable, None), None, "{unreadable}");
    }
}

#[test]
fn backoff_doubles_with_jitter_above_retry_after() {
    let base = Duration::from_millis(100);
    for tries in 1..40 {
        let bound = (base * 2_u32.pow((tries - 1).min(10))).min(Duration::from_secs(30));
        let requested = Duration::from_secs(5);
        assert!(backoff(base, tries, None) <= bound);
        assert!((requested..=requested + bound).contains(&backoff(base, tries, Some(requested))));
    }
    let waits: std::collections::BTreeSet<_> = (0..20).map(|_| backoff(base, 5, None)).collect();
    assert!(waits.len() > 10, "no jitter");
    assert!(
        backoff(base, 1, Some(Duration::MAX)) == Duration::MAX,
        "no overflow"
    );
}

#[test]
fn a_base_url_is_https_without_user_or_query() {
    let merge = |text: &str| MergeAddress::parse(text).map(|address| address.0.to_string());
    assert_eq!(
        merge(MergeAddress::UNITED_STATES).as_deref(),
        Ok("https://api.merge.dev/api/hris/v1")
    );
    assert_eq!(
        merge("https://api-eu.merge.dev/").as_deref(),
        Ok("https://api-eu.merge.dev/api/hris/v1")
    );
    assert_eq!(
        merge("http://127.0.0.1:9/x/").as_deref(),
        Ok("http://127.0.0.1:9/x")
    );
    assert!(merge("http://[::1]:9").is_ok() && merge("http://localhost:9").is_ok());
    for (text, bad) in [
        ("api.merge.dev", InvalidAddress::NotAUrl),
        ("", InvalidAddress::NotAUrl),
        ("http://api.merge.dev", InvalidAddress::NotHttps),
        ("http://localhost.example", InvalidAddress::NotHttps),
        ("ftp://api.merge.dev", InvalidAddress::NotHttps),
        (
            "https://key:x@acme.bamboohr.com",
            InvalidAddress::ExtraParts,
        ),
        (
            "https://api.merge.dev/api?key=1",
            InvalidAddress::ExtraParts,
        ),
    ] {
        assert_eq!(merge(text), Err(bad), "{text}");
    }
}

#[test]
fn a_company_domain_is_a_subdomain() {
    let of = |text: &str| {
        BambooHrAddress::from_company_domain(text).map(|address| address.0.to_string())
    };
    assert_eq!(
        of("acme-2").as_deref(),
        Ok("https://acme-2.bamboohr.com/api/v1")
    );
    for bad in ["", "acme.bamboohr.com", "acme/", "evil.example/?", "a b"] {
        assert_eq!(of(bad), Err(InvalidAddress::NotASubdomain), "{bad}");
    }
    let older = "https://api.bamboohr.com/api/gateway.php/acme/v1/";
    let older = BambooHrAddress::parse(older).unwrap().0;
    assert_eq!(older.path(), "/api/gateway.php/acme/v1");
}

#[test]
fn history_begins_on_the_documented_day() {
    assert_eq!(history_begins().to_rfc3339(), "2011-06-05T00:00:00+00:00");
}
