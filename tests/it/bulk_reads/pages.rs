//! The pages and the fields of the dataset.

use leaver::connect::Way;
use serde_json::{Value, json};

use super::{Answer, BulkTest, DATASET, LEFT, sixty};
use crate::support::apis::bamboohr_employee;
use crate::support::bulk_apis::DATASET_FIELDS;

/// Returns a page of the dataset with these employees, and other members.
fn page(numbers: &[usize], others: &Value) -> Answer {
    let rows: Vec<Value> = numbers
        .iter()
        .map(|n| {
            json!({"fields": {"eeid": n.to_string(), "status": "Active", "employmentStatus": "Full-Time",
                "terminationDate": null, "hireDate": "2020-01-05", "email": format!("dana.{n}@widgets.example")}})
        })
        .collect();
    let mut body = json!({ "data": rows });
    let others = others.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(others);
    Answer::json(&body)
}

/// A company of five people whose account refuses the report, and whose list of changes has nobody else.
async fn five() -> BulkTest {
    let test = BulkTest::new((1..=5).map(bamboohr_employee).collect()).await;
    test.company.set(|answers| answers.report = Some(403));
    test
}

#[tokio::test]
async fn pages_are_read_while_any_part_of_one_promises_more() {
    let next = json!({"links": {"next": "https://company.bamboohr.com/2"}});
    let last = json!({"links": {"next": null}});
    let cases = [
        // Links alone.
        vec![page(&[1, 2, 3], &next), page(&[4, 5], &last)],
        vec![
            page(&[1, 2, 3], &next),
            page(&[4, 5], &json!({"links": {}})),
        ],
        // Totals alone.
        vec![
            page(&[1, 2, 3], &json!({"meta": {"totalItems": 5}})),
            page(&[4, 5], &json!({"meta": {"totalItems": "5"}})),
        ],
        vec![
            page(&[1, 2, 3], &json!({"meta": {"totalPages": 2}})),
            page(&[4, 5], &json!({"meta": {"totalPages": 2}})),
        ],
        // One of both.
        vec![
            page(
                &[1, 2, 3],
                &json!({"links": {"next": "x"}, "meta": {"totalPages": 1}}),
            ),
            page(&[4, 5], &json!({"links": [], "meta": {"totalPages": 2}})),
        ],
        // Neither: an empty page is the end.
        vec![
            page(&[1, 2, 3], &json!({})),
            page(&[4, 5], &json!({"links": null})),
            page(&[], &json!({})),
        ],
    ];
    for pages in cases {
        let mut test = five().await;
        let count = pages.len();
        test.api.script(DATASET, pages);
        let report = test.full().await;
        assert_eq!((report.incomplete, report.records), (None, 5));
        assert_eq!(test.count(DATASET), count);
        assert_eq!(test.single_reads(), [""; 0]);
    }
}

#[tokio::test]
async fn a_dataset_of_fewer_rows_than_it_says_is_incomplete() {
    let total = json!({"links": {"next": null}, "meta": {"totalPages": 1, "totalItems": 6}});
    let cases = [
        vec![page(&[1, 2, 3, 4, 5], &total)],
        // Every page is the same.
        vec![page(&[1, 2, 3], &json!({})); 2],
        vec![page(&[1, 2, 3], &json!({"links": {"next": "x"}})); 2],
        // A promised page is empty.
        vec![
            page(&[1, 2, 3], &json!({"links": {"next": "x"}})),
            page(&[], &json!({"links": {"next": "x"}})),
        ],
    ];
    for pages in cases {
        let mut test = five().await;
        test.full().await;
        let count = pages.len();
        test.api.script(DATASET, pages);
        test.company.set(|answers| {
            answers.employees.truncate(3);
        });
        let before = test.count(DATASET);
        let report = test.full().await;
        assert!(report.incomplete.is_some());
        assert_eq!(test.count(DATASET) - before, count);
        assert_eq!(test.missing().await, [""; 0]);
    }
}

/// Returns a list of fields with these names and labels.
fn fields(names: &[(&str, &str)]) -> Answer {
    let fields: Vec<Value> = names
        .iter()
        .map(|(name, label)| json!({"name": name, "label": label}))
        .collect();
    Answer::json(&json!({"pagination": {"total_pages": 1}, "fields": fields}))
}

const NAMES: [(&str, &str); 6] = [
    ("eeid", "EEID"),
    ("status", "Status"),
    ("employmentStatus", "Employment Status"),
    ("terminationDate", "Termination Date"),
    ("hireDate", "Hire Date"),
    ("email", "Work Email"),
];

#[tokio::test]
async fn a_field_of_the_dataset_is_known_by_its_name_alone() {
    // Administrators choose the labels of their own fields.
    for (at, name) in [
        (0, "id"),
        (0, "employeeId"),
        (0, "employeeNumber"),
        (1, "certificateStatus"),
        (2, "contractStatus"),
        (3, "benefitsEnd"),
        (4, "firstHired"),
        (5, "otherEmail"),
    ] {
        let mut test = BulkTest::new(sixty()).await;
        test.company.set(|answers| answers.report = Some(403));
        let mut names = NAMES;
        names[at] = (name, if at == 0 { "Employee #" } else { names[at].1 });
        test.api.script(DATASET_FIELDS, [fields(&names)]);
        let report = test.full().await;
        assert_eq!((report.incomplete, report.records), (None, 60), "{name}");
        assert_eq!(report.way.unwrap().way, Way::Single, "{name}");
        assert_eq!(test.count(DATASET), 0, "{name}");
        assert_eq!(test.off().await, LEFT);
    }
}

#[tokio::test]
async fn a_name_of_two_fields_of_the_dataset_is_not_used() {
    let mut test = BulkTest::new(sixty()).await;
    test.company.set(|answers| answers.report = Some(403));
    let twice = [&NAMES[..], &[("status", "Certificate")]].concat();
    test.api.script(DATASET_FIELDS, [fields(&twice)]);
    let way = test.full().await.way.unwrap();
    assert_eq!(way.way, Way::Single);
    assert!(way.because.contains("no field for `status`"));
}
