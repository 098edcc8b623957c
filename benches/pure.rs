//! Costs of verifying, parsing, deciding and merging: `make bench`. `docs/MEASURED.md` has the results.
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot set itself up should fail"
)]

use std::hint::black_box;

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use leaver::roster::{Observation, merge};
use leaver_core::decision::policy::{Cutoff, OnUncertain, Policy, Rehire, SourcesDisagree};
use leaver_core::decision::{AccountMatch, Action, decide};
use leaver_core::domain::{
    Account, AccountId, Employee, EmployeeChange, Provider, SourceName, Tenant,
};
use leaver_core::providers::{
    FieldNames, Parsed, PositionFacts, ProviderConfig, Tenancy, merge_page, normalize,
};
use leaver_core::signature::{Key, Layout, Scheme};

fn now() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn tenant() -> Tenant {
    Tenant::new("acme")
}

fn source() -> SourceName {
    SourceName::parse("hr").unwrap()
}

fn schemes() -> [Scheme; 2] {
    let keys = vec![Key::new(&"5f0c9a3e7b1d42868e94c0d7a2f63b15".into()).unwrap()];
    [
        Scheme::BambooHr {
            keys: keys.clone(),
            layout: Layout::BodyThenTimestamp,
            timestamp_tolerance: TimeDelta::hours(3),
        },
        Scheme::Merge { keys },
    ]
}

fn verify(c: &mut Criterion) {
    let mut group = c.benchmark_group("verify");
    for scheme in schemes() {
        for kib in [1, 64] {
            let body = Bytes::from(vec![b'x'; kib << 10]);
            let signed: HeaderMap = scheme.sign(&body, now()).into_iter().collect();
            let mut forged = signed.clone();
            for value in forged.values_mut() {
                // One character is changed: well formed, but signed by no key.
                let mut text = value.as_bytes().to_vec();
                text[0] = if text[0] == b'1' { b'2' } else { b'1' };
                *value = HeaderValue::from_bytes(&text).unwrap();
            }
            group.throughput(Throughput::Bytes(body.len() as u64));
            for (name, headers, accepted) in [("signed", &signed, true), ("forged", &forged, false)]
            {
                let verify = || scheme.verify(&source(), headers, body.clone(), now());
                assert_eq!(verify().is_ok(), accepted);
                let id = format!("{}/{name}", scheme.provider().as_str());
                group.bench_function(BenchmarkId::new(id, format!("{kib}KiB")), |b| {
                    b.iter(|| black_box(verify()));
                });
            }
        }
    }
    group.finish();
}

fn provider_config(provider: Provider) -> ProviderConfig {
    ProviderConfig {
        provider,
        fields: FieldNames::default(),
        tenancy: Tenancy::One(tenant()),
        ignored_accounts: std::collections::HashSet::new(),
        timezone: chrono_tz::Tz::UTC,
        position: PositionFacts::NONE,
    }
}

fn bamboohr_entry(id: usize) -> Value {
    json!({"id": id.to_string(), "action": "Updated", "timestamp": "2026-11-22T11:59:55+0000",
        "changedFields": ["status", "employmentHistoryStatus"],
        "fields": {"status": "Inactive", "employmentHistoryStatus": "Terminated",
            "terminationDate": "2026-11-21", "workEmail": format!("dana.{id}@example.com")}})
}

fn bamboohr_json(employees: usize) -> String {
    json!({"employees": (0..employees).map(bamboohr_entry).collect::<Vec<_>>()}).to_string()
}

fn bamboohr_form(employees: usize) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for id in 0..employees {
        for (name, value) in [
            ("status", "Inactive"),
            ("terminationDate", "2026-11-21"),
            ("workEmail", "dana@example.com"),
        ] {
            form.append_pair(&format!("employees[{id}][{name}]"), value);
        }
    }
    form.finish()
}

/// A record with all members that Merge sends.
fn merge_record(id: usize) -> Value {
    json!({"id": format!("c0ffee00-0000-4000-8000-{id:012}"), "remote_id": "4001",
        "created_at": "2026-01-05T08:10:00.000000Z", "modified_at": "2026-11-22T11:30:00.000000Z",
        "employee_number": "101", "company": null, "first_name": "Robin", "last_name": "Example",
        "display_full_name": "Robin Example", "groups": [], "work_email": format!("robin.{id}@example.com"),
        "personal_email": null, "employments": ["7d1e2f30-4a5b-4c6d-8e7f-901a2b3c4d5e"],
        "home_location": null, "manager": null, "date_of_birth": null, "hire_date": "2024-02-01T00:00:00Z",
        "start_date": "2024-02-01T00:00:00Z", "employment_status": "INACTIVE",
        "termination_date": "2026-11-21T00:00:00Z", "remote_was_deleted": false, "field_mappings": null})
}

fn merge_webhook() -> String {
    json!({"hook": {"id": "9a8b7c6d-5e4f-4a3b-9c2d-1e0f9a8b7c6d", "event": "Employee.changed"},
        "linked_account": {"id": "5b0f3a9e-1c2d-4e3f-8a4b-6c7d8e9f0a1b", "account_type": "PRODUCTION"},
        "data": merge_record(1)})
    .to_string()
}

fn changes(provider: Provider, body: &[u8]) -> Vec<EmployeeChange> {
    match normalize(&provider_config(provider), body) {
        Ok(Parsed::Changes(found)) if found.bad_entries.is_empty() => found.changes,
        other => panic!("{other:?}"),
    }
}

fn parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse");
    for (name, provider, body, count) in [
        ("bamboohr/json", Provider::BambooHr, bamboohr_json(1), 1),
        ("bamboohr/json", Provider::BambooHr, bamboohr_json(500), 500),
        ("bamboohr/form", Provider::BambooHr, bamboohr_form(1), 1),
        ("bamboohr/form", Provider::BambooHr, bamboohr_form(500), 500),
        ("merge/webhook", Provider::Merge, merge_webhook(), 1),
    ] {
        let provider_config = provider_config(provider);
        assert_eq!(changes(provider, body.as_bytes()).len(), count);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(BenchmarkId::new(name, count), |b| {
            b.iter(|| black_box(normalize(&provider_config, body.as_bytes())));
        });
    }
    // A webhook of Merge has one employee. Only API pages have many.
    let records: Vec<_> = (0..500).map(merge_record).collect();
    let page = json!({"next": null, "results": records}).to_string();
    assert_eq!(
        merge_page(
            page.as_bytes(),
            &PositionFacts::NONE,
            &tenant(),
            chrono_tz::Tz::UTC
        )
        .unwrap()
        .changes
        .len(),
        500
    );
    group.throughput(Throughput::Bytes(page.len() as u64));
    group.bench_function(BenchmarkId::new("merge/page", 500), |b| {
        b.iter(|| {
            black_box(merge_page(
                page.as_bytes(),
                &PositionFacts::NONE,
                &tenant(),
                chrono_tz::Tz::UTC,
            ))
        });
    });
    group.finish();
}

/// An observation from BambooHR: status and last day.
fn observation(status: &str, last_day: &str) -> Observation {
    let body =
        json!({"employees": [{"id": "7", "timestamp": "2026-11-22T11:59:55+0000", "fields": {
        "status": status, "employmentHistoryStatus": "Full-Time", "terminationDate": last_day,
        "hireDate": "2020-02-01", "workEmail": "dana@example.com"}}]})
        .to_string();
    let mut changes = changes(Provider::BambooHr, body.as_bytes());
    Observation::new(source(), changes.remove(0), None, now(), None)
}

fn rules(c: &mut Criterion) {
    let policy = Policy {
        provider: Provider::BambooHr,
        timezone: Tz::Europe__Berlin,
        cutoff: Cutoff::EndOfDay,
        inactive_without_date: OnUncertain::Hold,
        deleted: OnUncertain::Deactivate,
        rehire: Rehire::Hold,
        sources_disagree: SourcesDisagree::Hold,
        sync_interval: None,
        can_read: false,
        protected: std::collections::BTreeSet::new(),
    };
    let account = AccountMatch::Linked(Account {
        id: AccountId::new("42"),
        email: None,
        is_active: true,
        is_protected: false,
        has_other_inactive_status: false,
    });
    let ahead: NaiveDate = now().date_naive() + TimeDelta::days(30);
    let mut group = c.benchmark_group("decide");
    for (name, status, last_day) in [
        ("left", "Inactive", "2026-11-20".to_owned()),
        ("leaving", "Active", ahead.to_string()),
        ("employed", "Active", String::new()),
    ] {
        let observed = observation(status, &last_day);
        let mut employee = Employee::new(observed.key());
        merge(&mut employee, &observed);
        let decision = decide(&policy, &employee, &account, &[], now());
        assert_eq!(
            matches!(decision.action, Action::Deactivate(_)),
            name == "left"
        );
        assert_eq!(decision.access_ends_at.is_some(), name == "leaving");
        group.bench_function(name, |b| {
            b.iter(|| black_box(decide(&policy, black_box(&employee), &account, &[], now())));
        });
    }
    group.finish();

    let (first, second) = (
        observation("Active", ""),
        observation("Inactive", "2026-11-20"),
    );
    let unknown = Employee::new(first.key());
    let mut known = unknown.clone();
    merge(&mut known, &first);
    let mut group = c.benchmark_group("merge");
    for (name, before, observed) in [
        ("unknown", &unknown, &first),
        ("known", &known, &second),
        ("same", &known, &first),
    ] {
        group.bench_function(name, |b| {
            b.iter_batched_ref(
                || before.clone(),
                |employee| black_box(merge(employee, observed)),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, verify, parse, rules);
criterion_main!(benches);
