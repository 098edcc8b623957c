//! A stand-in for BambooHR's reads of many employees, made from the contract: the custom report, the dataset of employees,
//! and single reads beside them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::Method;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::apis::{Answer, ApiRequest, bamboohr_company};

pub(crate) const REPORT: &str = "/api/v1/reports/custom";
pub(crate) const DATASET: &str = "/api/v2/datasets/employee/data";
pub(crate) const DATASET_FIELDS: &str = "/api/v1_2/datasets/employee/fields";

/// Name in the dataset, label, and alias of each field.
const FIELDS: [(&str, &str, &str); 11] = [
    ("firstName", "First Name", "firstName"),
    ("employeeNumber", "Employee #", "employeeNumber"),
    ("eeid", "EEID", "id"),
    ("status", "Status", "status"),
    (
        "employmentStatus",
        "Employment Status",
        "employmentHistoryStatus",
    ),
    ("terminationDate", "Termination Date", "terminationDate"),
    ("hireDate", "Hire Date", "hireDate"),
    ("email", "Work Email", "workEmail"),
    ("jobInformationJobTitle", "Job Title", "jobTitle"),
    ("jobInformationDepartment", "Department", "department"),
    ("supervisorId", "Supervisor ID", "supervisorId"),
];

/// A company whose answers a test changes. An employee's member `_changed` is the time of its last change, and `_dataset`
/// has values that only the dataset shows.
#[derive(Clone, Default)]
pub(crate) struct BulkCompany(Arc<Mutex<Answers>>);

#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) employees: Vec<Value>,
    /// The status of a refusal.
    pub(crate) report: Option<u16>,
    pub(crate) dataset: Option<u16>,
    /// Aliases that the user of the key cannot see.
    pub(crate) withheld: Vec<&'static str>,
    /// Ids that the list of changes has, and a report or a dataset does not.
    pub(crate) left_out: BTreeSet<String>,
    /// The report has its rows before its fields.
    pub(crate) rows_first: bool,
    pub(crate) delay: Duration,
}

impl BulkCompany {
    pub(crate) fn new(employees: Vec<Value>) -> Self {
        let company = Self::default();
        company.set(|answers| answers.employees = employees);
        company
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Answers)) {
        change(&mut self.0.lock().unwrap());
    }

    pub(crate) fn answers(&self) -> impl Fn(&ApiRequest) -> Answer + Send + Sync + use<> {
        let company = Arc::clone(&self.0);
        move |request| {
            let answers = company.lock().unwrap();
            let answer = match (&request.method, request.path.as_str()) {
                (&Method::POST, REPORT) => answers.report(request),
                (&Method::POST, DATASET) => answers.dataset(request),
                (&Method::GET, DATASET_FIELDS) => answers.dataset_fields(request),
                _ => bamboohr_company(answers.visible())(request),
            };
            answer.after(answers.delay)
        }
    }
}

impl Answers {
    /// The records as a single read shows them.
    fn visible(&self) -> Vec<Value> {
        let mut employees = self.employees.clone();
        for one in &mut employees {
            let one = one.as_object_mut().unwrap();
            one.retain(|name, _| !self.withheld.contains(&name.as_str()));
        }
        employees
    }

    fn shown(&self) -> impl Iterator<Item = &Value> {
        let employees = self.employees.iter();
        employees.filter(|one| !self.left_out.contains(one["id"].as_str().unwrap()))
    }

    fn report(&self, request: &ApiRequest) -> Answer {
        if let Some(status) = self.report {
            return Answer::status(status);
        }
        assert_eq!(request.header("content-type"), "application/json");
        assert_eq!(request.parameter("format"), Some("json"));
        assert_eq!(request.parameter("onlyCurrent"), Some("false"));
        let asked: Value = serde_json::from_slice(&request.body).unwrap();
        let since = asked["filters"]["lastChanged"]["value"].as_str();
        let since: Option<DateTime<Utc>> = since.map(|since| since.parse().unwrap());
        let names: Vec<&str> = asked["fields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap())
            .collect();
        let names = names
            .into_iter()
            .filter(|name| !self.withheld.contains(name));
        let names: Vec<&str> = names.collect();
        let fields: Vec<Value> = names
            .iter()
            .map(|name| json!({"id": name, "type": "text", "name": format!("Label of {name}")}))
            .collect();
        let rows: Vec<Value> = self
            .shown()
            .filter(|one| {
                let at = one["_changed"]
                    .as_str()
                    .unwrap_or("2026-11-22T11:00:00+00:00");
                since.is_none_or(|since| at.parse::<DateTime<Utc>>().unwrap() >= since)
            })
            .map(|one| {
                let values = names
                    .iter()
                    .map(|name| ((*name).to_owned(), one[*name].clone()));
                let id = ("id".to_owned(), one["id"].clone());
                Value::Object(std::iter::once(id).chain(values).collect::<Map<_, _>>())
            })
            .collect();
        let (fields, rows) = (Value::from(fields), Value::from(rows));
        let text = if self.rows_first {
            format!(r#"{{"title":"Leaver","employees":{rows},"fields":{fields}}}"#)
        } else {
            format!(r#"{{"title":"Leaver","fields":{fields},"employees":{rows}}}"#)
        };
        Answer::text(200, "application/json", &text)
    }

    fn dataset_fields(&self, request: &ApiRequest) -> Answer {
        if let Some(status) = self.dataset {
            return Answer::status(status);
        }
        // Two pages, whatever size was requested.
        let page: usize = request.parameter("page").unwrap().parse().unwrap();
        let half = if page == 1 {
            &FIELDS[..4]
        } else {
            &FIELDS[4..]
        };
        let fields: Vec<Value> = half
            .iter()
            .map(|(name, label, _)| {
                json!({"name": name, "label": label, "parentType": "page", "parentName": "Personal", "entityName": "personal"})
            })
            .collect();
        let pagination = json!({"total_records": FIELDS.len(), "current_page": page, "total_pages": 2, "next_page": null,
            "prev_page": null});
        Answer::json(
            &json!({"pagination": pagination, "name": "employee", "label": "Employee", "fields": fields}),
        )
    }

    fn dataset(&self, request: &ApiRequest) -> Answer {
        if let Some(status) = self.dataset {
            return Answer::status(status);
        }
        assert_eq!(request.header("content-type"), "application/json");
        let asked: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(asked["orderBy"], "eeid asc");
        let requested = asked["fields"].as_array().unwrap().iter();
        let known_fields = requested.map(|name| {
            let known = FIELDS.iter().find(|(field, _, _)| name == field);
            *known.unwrap_or_else(|| panic!("{name} is no field"))
        });
        let columns: Vec<_> = known_fields.collect();
        if columns
            .iter()
            .any(|(_, _, alias)| self.withheld.contains(alias))
        {
            return Answer::text(
                403,
                "application/problem+json",
                r#"{"title":"Forbidden","status":403}"#,
            );
        }
        let number = |name: &str| usize::try_from(asked[name].as_u64().unwrap()).unwrap();
        let (page, size) = (number("page"), number("pageSize"));
        assert!(size <= 1_000);
        let all: Vec<&Value> = self.shown().collect();
        let rows: Vec<Value> = all
            .iter()
            .skip((page - 1) * size)
            .take(size)
            .map(|one| {
                let values = columns.iter().map(|(name, _, alias)| {
                    let own = one["_dataset"].get(*alias).unwrap_or(&one[*alias]);
                    ((*name).to_owned(), own.clone())
                });
                json!({"fields": values.collect::<Map<_, _>>()})
            })
            .collect();
        let pages = all.len().div_ceil(size);
        let next = (page < pages).then_some("https://company.bamboohr.com/next");
        Answer::json(&json!({"data": rows, "links": {"next": next, "prev": null},
            "meta": {"page": page, "pageSize": size, "totalPages": pages, "totalItems": all.len()}}))
    }
}
