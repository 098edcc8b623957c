//! Rows without the needed values, and rows that contradict each other.

use serde_json::{Value, json};

use super::{Answer, BulkTest, DATASET, LEFT, REPORT, cut, report_of, sixty};
use crate::support::apis::bamboohr_employee;
use crate::support::apis_setup::terminated_bamboohr_employee;

/// Returns a page with all rows of a dataset, of records in the form of a single read.
fn dataset_of(rows: &[Value], page: usize, pages: usize, items: usize) -> String {
    let rows: Vec<Value> = rows
        .iter()
        .map(|one| {
            let fields = one.as_object().unwrap().iter();
            let fields = fields.map(|(name, value)| {
                let name = match name.as_str() {
                    "id" => "eeid",
                    "employmentHistoryStatus" => "employmentStatus",
                    "workEmail" => "email",
                    name => name,
                };
                (name.to_owned(), value.clone())
            });
            json!({"fields": fields.collect::<serde_json::Map<_, _>>()})
        })
        .collect();
    json!({"data": rows, "meta": {"page": page, "totalPages": pages, "totalItems": items}})
        .to_string()
}

impl BulkTest {
    async fn known(&mut self) -> i64 {
        let known = "SELECT count(*) FROM leaver.employees WHERE facts->'status' IS NOT NULL";
        self.app.count(known).await
    }

    async fn ended(&mut self) -> i64 {
        let ended = "SELECT count(*) FROM leaver.audit WHERE action = 'deactivated'";
        self.app.count(ended).await
    }

    /// Answers the next read of everybody with these rows, by the report or by the dataset.
    fn answer_with(&self, way: &str, rows: &[Value]) {
        if way == REPORT {
            self.api.script(REPORT, [cut(&report_of(rows))]);
            return;
        }
        self.company.set(|answers| answers.report = Some(403));
        let pages: Vec<&[Value]> = rows.chunks(1_000).collect();
        let count = pages.len();
        let pages = pages.into_iter().enumerate();
        let pages = pages.map(|(at, page)| cut(&dataset_of(page, at + 1, count, rows.len())));
        self.api.script(DATASET, pages.collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_row_without_a_needed_value_gets_a_single_read() {
    let spoilt: [fn(&mut Value); 9] = [
        |row| row["status"] = Value::Null,
        |row| row["status"] = "".into(),
        |row| row["status"] = json!([]),
        |row| row["status"] = json!({"a": 1}),
        |row| {
            row.as_object_mut().unwrap().remove("status");
        },
        |row| row["terminationDate"] = json!([]),
        |row| row["terminationDate"] = json!({"value": {}}),
        |row| row["hireDate"] = "soon".into(),
        |row| {
            let fields = row.as_object_mut().unwrap().iter_mut();
            fields
                .filter(|(name, _)| *name != "id")
                .for_each(|(_, value)| *value = Value::Null);
        },
    ];
    for way in [REPORT, DATASET] {
        for (case, spoil) in spoilt.iter().enumerate() {
            let mut test = BulkTest::new(sixty()).await;
            let mut rows = sixty();
            spoil(&mut rows[2]);
            test.answer_with(way, &rows);
            let report = test.full().await;
            assert_eq!(
                (report.incomplete, report.records),
                (None, 60),
                "{way} {case}"
            );
            assert_eq!(test.single_reads(), ["3"], "{way} {case}");
            assert_eq!(test.known().await, 60);
            assert_eq!(test.off().await, LEFT);
        }
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_parsed_gets_a_single_read() {
    let whole = report_of(&sixty());
    let row = bamboohr_employee(3).to_string();
    let status = r#""status":"Active""#;
    assert!(whole.contains(&row) && row.contains(status));
    let spoilt = [
        "null".to_owned(),
        "{}".to_owned(),
        r#"{"id":null}"#.to_owned(),
        r#"{"id":"3"}"#.to_owned(),
        row.replace(status, r#""status":"Active","status":"Inactive""#),
        row.replace(status, r#""status":"Acti\ud800ve""#),
        row.replace("dana.3", r"da\udc00na.3"),
    ];
    for bad in spoilt {
        let mut test = BulkTest::new(sixty()).await;
        test.api.script(REPORT, [cut(&whole.replace(&row, &bad))]);
        let report = test.full().await;
        assert_eq!(test.single_reads(), ["3"], "{bad}");
        assert_eq!(report.records, 60, "{bad}");
        assert_eq!(test.known().await, 60, "{bad}");
        assert_eq!(test.off().await, LEFT, "{bad}");
    }
}

#[tokio::test]
async fn a_row_counts_if_its_single_read_is_refused() {
    let mut test = BulkTest::new(sixty()).await;
    let mut rows = sixty();
    rows[2]["status"] = Value::Null;
    rows[3]["terminationDate"] = "22/11/2026".into();
    test.answer_with(REPORT, &rows);
    for id in [3, 4] {
        let path = format!("/api/v1/employees/{id}");
        test.api.script(&path, [Answer::status(403)]);
    }
    let report = test.full().await;
    assert_eq!(report.records, 60);
    let reason = report.incomplete.unwrap();
    assert!(reason.contains("2 of the records: "), "{reason}");
    let emails =
        "SELECT employee_id FROM leaver.employees WHERE facts->'work_email'->>'value' IS NOT NULL
                  AND employee_id IN ('3', '4') ORDER BY 1";
    assert_eq!(test.app.lines(emails).await, ["3", "4"]);
    let unreadable = "SELECT employee_id FROM leaver.employees WHERE facts ? 'termination_date_unreadable_since'";
    assert_eq!(test.app.lines(unreadable).await, ["4"]);
}

#[tokio::test]
async fn an_incomplete_read_counts_rows_without_a_single_read() {
    let mut test = BulkTest::new(sixty()).await;
    let mut rows = sixty();
    rows[2]["status"] = Value::Null;
    rows[3]["hireDate"] = json!([]);
    test.answer_with(REPORT, &rows);
    let down = || vec![Answer::status(503); 3];
    test.api.script("/api/v1/employees/3", down());
    test.api.script("/api/v1/employees/4", down());
    let report = test.full().await;
    assert_eq!(report.records, 60);
    let reason = report.incomplete.unwrap();
    assert!(
        reason.contains("2 of the records: a single read is needed, and none was possible"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_company_without_statuses_costs_few_requests() {
    let mut people = sixty();
    for one in &mut people {
        one["status"] = Value::Null;
    }
    let mut test = BulkTest::new(people).await;
    let report = test.full().await;
    assert_eq!(
        report.incomplete.as_deref(),
        Some("60 of the records: the API returns no `status`")
    );
    let single = test.single_reads().len();
    assert!((10..20).contains(&single), "{single}");
    let known = "SELECT count(*) FROM leaver.employees WHERE facts->'work_email' IS NOT NULL";
    assert_eq!(test.app.count(known).await, 60);
    assert_eq!(test.off().await, [""; 0]);
}

/// Returns a large company in which the second employee has an active row, and one that ends access.
fn contradicting(ended: &Value, is_first: bool) -> Vec<Value> {
    let mut rows: Vec<Value> = (1..=2_100).map(bamboohr_employee).collect();
    if is_first {
        let active = std::mem::replace(&mut rows[1], ended.clone());
        rows.push(active);
    } else {
        rows.push(ended.clone());
    }
    rows
}

#[tokio::test]
async fn contradicting_rows_far_apart_end_no_access() {
    let mut dated = bamboohr_employee(2);
    dated["terminationDate"] = "2026-11-20".into();
    for (way, ended, is_first) in [
        (REPORT, terminated_bamboohr_employee(2), true),
        (REPORT, dated, true),
        (REPORT, terminated_bamboohr_employee(2), false),
        (DATASET, terminated_bamboohr_employee(2), true),
    ] {
        let people: Vec<Value> = (1..=2_100).map(bamboohr_employee).collect();
        let mut test = BulkTest::new(people).await;
        test.answer_with(way, &contradicting(&ended, is_first));
        let report = test.full().await;
        assert_eq!(
            report.incomplete.as_deref(),
            Some("1 of the records: more than once in one answer"),
            "{way}"
        );
        assert!(test.single_reads().contains(&"2".to_owned()));
        assert_eq!((test.ended().await, test.off().await), (0, vec![]), "{way}");
    }
}

#[tokio::test]
async fn repeated_rows_are_no_contradiction() {
    for way in [REPORT, DATASET] {
        let mut test = BulkTest::new(sixty()).await;
        let mut rows = sixty();
        rows.insert(0, rows[6].clone());
        rows.push(rows[6].clone());
        rows.push(rows[20].clone());
        if way == REPORT {
            // The same values in another form.
            rows[0]["id"] = 7.into();
            rows[0]["status"] = json!({"value": "inactive"});
        }
        test.answer_with(way, &rows);
        let report = test.full().await;
        assert_eq!((report.incomplete, report.records), (None, 60), "{way}");
        assert_eq!(test.single_reads(), [""; 0]);
        assert_eq!(test.off().await, LEFT);
    }
}

#[tokio::test]
async fn an_answer_without_an_end_ends_no_access() {
    let mut test = BulkTest::new(sixty()).await;
    let whole = report_of(&sixty());
    let half = || cut(&whole[..whole.len() - 2]);
    test.api.script(REPORT, [half()]);
    assert!(test.full().await.incomplete.is_some());
    assert_eq!(test.off().await, [""; 0]);
    // The next way brings what waited.
    test.api.script(REPORT, [half()]);
    assert!(test.full().await.incomplete.is_some());
    assert_eq!(test.off().await, LEFT);
}

#[tokio::test]
async fn a_missing_row_may_contradict_an_end() {
    let mut ended = sixty();
    ended[1] = terminated_bamboohr_employee(2);
    let mut long = bamboohr_employee(2);
    long["customNote"] = "x".repeat(70_000).into();
    let with_long: Vec<Value> = ended.iter().cloned().chain([long]).collect();
    let cases = [
        (REPORT, report_of(&with_long)),
        (DATASET, dataset_of(&with_long, 1, 1, 61)),
        (DATASET, dataset_of(&ended, 1, 1, 61)),
    ];
    for (way, body) in cases {
        let mut test = BulkTest::new(sixty()).await;
        if way == DATASET {
            test.company.set(|answers| answers.report = Some(403));
        }
        test.api.script(way, [cut(&body)]);
        let report = test.full().await;
        assert!(report.incomplete.is_some(), "{way}");
        assert_eq!(test.single_reads(), ["2", "7", "52"], "{way}");
        assert_eq!(test.off().await, LEFT, "{way}");
    }
}
