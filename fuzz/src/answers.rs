//! API responses of the providers. An input is a response body; every parser receives it.

use leaver_core::domain::{EmployeeId, Field, Provider, Tenant};
use leaver_core::providers::{
    BAMBOOHR_DATASET_LIST, BAMBOOHR_FIELDS, BAMBOOHR_REPORT_LIST, ConnectionStatus, DatasetFields,
    EmployeeRead, InvalidRow, JsonList, ListPart, PositionFacts, RowContext, SyncStatus,
    bamboohr_changed, bamboohr_dataset_fields, bamboohr_dataset_totals, bamboohr_employee,
    bamboohr_report_row, bamboohr_report_withheld, error_in_success, merge_connection, merge_page,
    merge_sync_page,
};

use super::sound;

/// Checks that each parser accepts or rejects a body, and that accepted changes can be stored and assessed.
pub fn check(body: &[u8]) {
    assert!(error_in_success(body).is_none_or(|status| (400..600).contains(&status)));
    of_bamboohr(body);
    of_bulk_reads(body);
    of_merge(body);
}

fn of_bamboohr(body: &[u8]) {
    if let Ok(changed) = bamboohr_changed(body) {
        changed.latest.into_iter().for_each(sound::instant);
        for employee in &changed.employees {
            sound::id(&employee.employee_id);
            employee.last_changed.into_iter().for_each(sound::instant);
        }
    }
    let (id, tenant) = (EmployeeId::new("7"), Tenant::new("acme"));
    if let Ok(Ok(read)) = bamboohr_employee(
        body,
        &id,
        sound::now(),
        &PositionFacts::NONE,
        &tenant,
        chrono_tz::Tz::UTC,
    ) {
        assert_eq!(read.change.employee_id, id);
        assert_eq!(read.change.as_of, Some(sound::now()));
        assert!(!read.change.notification_only);
        if read.restricted_fields.contains(&"status") {
            assert_eq!(read.change.facts.status, Field::Absent);
        }
        sound::all(&[read.change], Provider::BambooHr);
    }
}

/// Splits a body into rows, in one piece and byte by byte, and parses each.
fn of_bulk_reads(body: &[u8]) {
    let tenant = Tenant::new("acme");
    let context = RowContext {
        as_of: sound::now(),
        tenant: &tenant,
        timezone: chrono_tz::Tz::UTC,
        position: &PositionFacts::NONE,
    };
    let names = BAMBOOHR_FIELDS.map(|alias| (alias, alias.to_owned()));
    let fields = DatasetFields {
        id: "id".to_owned(),
        names: names.into(),
    };
    for name in [BAMBOOHR_REPORT_LIST, BAMBOOHR_DATASET_LIST] {
        let parts = split(body, name, body.len());
        assert_eq!(parts, split(body, name, 1));
        for part in parts.into_iter().flatten() {
            match part {
                ListPart::Item(row) => {
                    of_row(bamboohr_report_row(&row, &["hireDate"], &context));
                    of_row(fields.row(&row, &context));
                }
                ListPart::Member(_, text) => {
                    let _withheld = bamboohr_report_withheld(&text, &PositionFacts::NONE);
                    let _totals = bamboohr_dataset_totals(&text);
                }
                ListPart::LongItem => {}
            }
        }
    }
    if let Ok(page) = bamboohr_dataset_fields(body) {
        let _fields = DatasetFields::among(&page.fields, &PositionFacts::NONE);
    }
}

fn split(body: &[u8], name: &'static str, size: usize) -> Option<Vec<ListPart>> {
    let mut list = JsonList::new(name);
    let mut parts = vec![];
    for piece in body.chunks(size.max(1)) {
        parts.extend(list.push(piece).ok()?);
    }
    list.finish().ok().map(|()| parts)
}

fn of_row(row: Result<EmployeeRead, InvalidRow>) {
    if let Ok(read) = row {
        sound::all(&[read.change], Provider::BambooHr);
    }
}

fn of_merge(body: &[u8]) {
    if let Ok(page) = merge_page(
        body,
        &PositionFacts::NONE,
        &Tenant::new("acme"),
        chrono_tz::Tz::UTC,
    ) {
        assert!(page.next.is_none_or(|cursor| !cursor.is_empty()));
        sound::all(&page.changes, Provider::Merge);
    }
    if let Ok(page) = merge_sync_page(body) {
        assert!(page.next.is_none_or(|cursor| !cursor.is_empty()));
        for model in page.models {
            model.last_finished.into_iter().for_each(sound::instant);
            // Nothing may be concluded from missing records while the state is unknown.
            if let SyncStatus::Unknown(word) = &model.status {
                sound::word(word);
                assert!(model.uncertainty().is_some());
            }
        }
    }
    if let Ok(connection) = merge_connection(body)
        && let ConnectionStatus::Unknown(word) = &connection.status
    {
        sound::word(word);
        assert!(connection.uncertainty().is_some());
    }
}
