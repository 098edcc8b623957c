//! Responses that hold many employees: BambooHR's custom report, and its dataset of employees.
//!
//! The shapes are those of tests/openapi/bamboohr.yaml, operations request-custom-report, get-fields-from-dataset-v1-2 and
//! get-data-from-dataset-v2. Rows are split off by [`JsonList`](super::super::JsonList) and parsed one at a time.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::super::json_keep::{Keep, kept};
use super::super::{EntryError, InvalidResponse, PositionFacts, json, responses};
use super::api_responses::{
    BAMBOOHR_FIELDS, EmployeeRead, bamboohr_record, bamboohr_requested_fields, position_alias,
};
use super::field_names::{FieldNames, same_name};
use super::payload::id;
use crate::domain::{EmployeeId, Field, Tenant};

/// The name of a report's list of rows.
pub const BAMBOOHR_REPORT_LIST: &str = "employees";
/// The name of a dataset page's list of rows.
pub const BAMBOOHR_DATASET_LIST: &str = "data";

/// The values of a row. One can be wrapped, as in a webhook.
static VALUES: Keep = Keep::All(&Keep::Members(&[("value", Keep::Scalar)]));
/// A row of a dataset.
static DATASET_ROW: Keep = Keep::Members(&[(
    "fields",
    Keep::All(&Keep::Members(&[("value", Keep::Scalar)])),
)]);
/// The fields of a report.
static REPORT_FIELDS: Keep = Keep::All(&Keep::Members(&[
    ("id", Keep::Scalar),
    ("name", Keep::Scalar),
]));
/// A page of a dataset's list of fields.
static DATASET_FIELDS: Keep = Keep::Members(&[
    (
        "fields",
        Keep::All(&Keep::Members(&[
            ("name", Keep::Scalar),
            ("label", Keep::Scalar),
        ])),
    ),
    (
        "pagination",
        Keep::Members(&[("total_pages", Keep::Scalar)]),
    ),
]);
static META: Keep = Keep::Members(&[("totalPages", Keep::Scalar), ("totalItems", Keep::Scalar)]);

/// Names of a dataset's fields beside our aliases, by alias.
// The guide of get-data-from-dataset-v2 has `employmentStatus`; published clients also request `eeid` and `email`
// (read on 27 November 2026).
const DATASET_NAMES: [(&str, &str); 4] = [
    ("employmentHistoryStatus", "employmentStatus"),
    ("workEmail", "email"),
    ("jobTitle", "jobInformationJobTitle"),
    ("department", "jobInformationDepartment"),
];
/// Names of a dataset's field for the employee id, the best first. `employeeNumber` is another number.
const DATASET_IDS: [&str; 3] = ["eeid", "employeeId", "id"];

/// The time and the company of a row.
#[derive(Clone, Debug)]
pub struct RowContext<'c> {
    /// When the request began.
    pub as_of: DateTime<Utc>,
    /// The company.
    pub tenant: &'c Tenant,
    /// The time zone of its calendar days.
    pub timezone: Tz,
    /// The observed facts about the position.
    pub position: &'c PositionFacts,
}

/// A row that cannot be parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRow {
    /// Its employee, if the id could be read.
    pub employee_id: Option<EmployeeId>,
    /// The problem.
    pub problem: EntryError,
}

/// Returns the body that requests a report on all employees, or on those that changed at or after a time.
#[must_use]
pub fn bamboohr_report_request(since: Option<DateTime<Utc>>, position: &PositionFacts) -> Value {
    let fields = bamboohr_requested_fields(position);
    let mut request = json!({"title": "Leaver", "fields": fields});
    if let Some(since) = since {
        let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
        request["filters"] = json!({"lastChanged": {"value": since, "includeNull": "no"}});
    }
    request
}

/// Returns which of the requested fields a report's `fields` do not list: those that the user of the key cannot see.
///
/// # Errors
/// Returns [`InvalidResponse`] if the text is no list.
pub fn bamboohr_report_withheld(
    fields: &[u8],
    position: &PositionFacts,
) -> Result<Vec<&'static str>, InvalidResponse> {
    let fields = kept(fields, &REPORT_FIELDS).map_err(|error| responses::bad_json(&error))?;
    let Value::Array(fields) = fields else {
        return Err(InvalidResponse::WrongShape("its `fields` are no list"));
    };
    let known = FieldNames::default();
    let is_listed = |alias: &str| {
        fields.iter().any(|field| {
            let text = |name: &str| field.get(name).and_then(json::scalar_text);
            let has_id = text("id").is_some_and(|id| same_name(&id, alias));
            has_id || text("name").is_some_and(|label| known.is_same_fact(&label, alias))
        })
    };
    let aliases = bamboohr_requested_fields(position).into_iter();
    Ok(aliases.filter(|alias| !is_listed(alias)).collect())
}

/// Parses a row of a report. Fields in `withheld` are absent, whatever the row has.
///
/// # Errors
/// Returns [`InvalidRow`] as [`bamboohr_record`] does.
pub fn bamboohr_report_row(
    row: &[u8],
    withheld: &[&'static str],
    context: &RowContext<'_>,
) -> Result<EmployeeRead, InvalidRow> {
    let mut record = row_object(row, &VALUES)?;
    record.retain(|name, _| !withheld.iter().any(|alias| same_name(name, alias)));
    let own_id = json::member(&record, "id").map_err(EntryError::from);
    let own_id = own_id.and_then(|own_id| id(own_id, None));
    read(own_id, &record, context)
}

/// The names of the needed fields in a dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatasetFields {
    /// The name of the employee id.
    pub id: String,
    /// Alias and name of each field that may be read.
    pub names: Vec<(&'static str, String)>,
}

/// One page of a dataset's own list of fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetFieldsPage {
    /// Name and label of each field.
    pub fields: Vec<(String, String)>,
    /// The number of pages.
    pub pages: usize,
}

/// Parses one page of a dataset's list of fields.
///
/// # Errors
/// Returns [`InvalidResponse`] if it has another shape.
pub fn bamboohr_dataset_fields(body: &[u8]) -> Result<DatasetFieldsPage, InvalidResponse> {
    let page = responses::object(body, &DATASET_FIELDS)?;
    let Some(Value::Array(fields)) = page.get("fields") else {
        return Err(InvalidResponse::WrongShape("it has no `fields`"));
    };
    let text = |field: &Value, name: &str| field.get(name).and_then(json::scalar_text);
    Ok(DatasetFieldsPage {
        fields: fields
            .iter()
            .filter_map(|field| {
                Some((
                    text(field, "name")?,
                    text(field, "label").unwrap_or_default(),
                ))
            })
            .collect(),
        pages: page
            .get("pagination")
            .map_or(1, |pages| number(pages.get("total_pages")).unwrap_or(1)),
    })
}

impl DatasetFields {
    /// Finds the needed fields by their names, else by their labels. Returns the first that is not among the fields of
    /// the dataset instead. Facts about the position may be missing.
    ///
    /// # Errors
    /// Returns the missing field.
    pub fn among(
        fields: &[(String, String)],
        position: &PositionFacts,
    ) -> Result<Self, &'static str> {
        let known = FieldNames::default();
        let field_of = |wanted: &str| {
            let mut fields = fields.iter();
            fields.find(|(name, _)| name == wanted)
        };
        let (id, _) = DATASET_IDS
            .iter()
            .find_map(|name| field_of(name))
            .ok_or("the employee id")?;
        let find = |alias: &'static str| {
            let other = DATASET_NAMES.iter().find(|(of, _)| *of == alias);
            let mut labelled = fields.iter();
            let (name, _) = field_of(alias)
                .or_else(|| field_of(other?.1))
                .or_else(|| labelled.find(|(_, label)| known.is_same_fact(label, alias)))?;
            Some((alias, name.clone()))
        };
        let mut names = vec![];
        for alias in BAMBOOHR_FIELDS {
            names.push(find(alias).ok_or(alias)?);
        }
        names.extend(
            position
                .parsed()
                .filter_map(|fact| find(position_alias(fact))),
        );
        Ok(Self {
            id: id.clone(),
            names,
        })
    }

    /// Returns the body that requests a page, ordered by the employee id.
    #[must_use]
    pub fn request(&self, page: usize, page_size: usize) -> Value {
        let names = self.names.iter().map(|(_, name)| name);
        let fields: Vec<&String> = std::iter::once(&self.id).chain(names).collect();
        json!({"fields": fields, "orderBy": format!("{} asc", self.id), "page": page, "pageSize": page_size})
    }

    /// Returns the same with the id and one field only.
    #[must_use]
    pub fn only(&self, field: Option<usize>) -> Self {
        Self {
            id: self.id.clone(),
            names: field
                .and_then(|at| self.names.get(at).cloned())
                .into_iter()
                .collect(),
        }
    }

    /// Parses a row of a page.
    ///
    /// An empty termination date is absent: a dataset has no future-dated values, so the person may have one.
    ///
    /// # Errors
    /// Returns [`InvalidRow`] as [`bamboohr_record`] does.
    pub fn row(&self, row: &[u8], context: &RowContext<'_>) -> Result<EmployeeRead, InvalidRow> {
        let row = row_object(row, &DATASET_ROW)?;
        let values = row.get("fields").and_then(Value::as_object);
        let values = values.ok_or(InvalidRow {
            employee_id: None,
            problem: EntryError::NotAnObject,
        })?;
        let mut record = Map::new();
        for (alias, name) in &self.names {
            if let Some(value) = values.get(name) {
                record.insert((*alias).to_owned(), value.clone());
            }
        }
        let own_id = id(values.get(&self.id), None);
        let mut read = read(own_id, &record, context)?;
        if matches!(read.change.facts.termination_date, Field::Empty) {
            read.change.facts.termination_date = Field::Absent;
        }
        Ok(read)
    }
}

/// The totals of a dataset's page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatasetTotals {
    /// The number of pages.
    pub pages: Option<usize>,
    /// The number of rows on all pages.
    pub items: Option<usize>,
}

/// Parses the `meta` of a dataset's page.
///
/// # Errors
/// Returns [`InvalidResponse`] if it is no object.
pub fn bamboohr_dataset_totals(meta: &[u8]) -> Result<DatasetTotals, InvalidResponse> {
    let meta = responses::object(meta, &META)?;
    Ok(DatasetTotals {
        pages: number(meta.get("totalPages")),
        items: number(meta.get("totalItems")),
    })
}

fn number(value: Option<&Value>) -> Option<usize> {
    json::scalar_text(value?)?.trim().parse().ok()
}

fn row_object(row: &[u8], keep: &'static Keep) -> Result<Map<String, Value>, InvalidRow> {
    match kept(row, keep) {
        Ok(Value::Object(row)) => Ok(row),
        _ => Err(InvalidRow {
            employee_id: None,
            problem: EntryError::NotAnObject,
        }),
    }
}

fn read(
    own_id: Result<EmployeeId, EntryError>,
    record: &Map<String, Value>,
    context: &RowContext<'_>,
) -> Result<EmployeeRead, InvalidRow> {
    let employee_id = own_id.map_err(|problem| InvalidRow {
        employee_id: None,
        problem,
    })?;
    let read = bamboohr_record(
        &employee_id,
        record,
        context.as_of,
        context.position,
        context.tenant,
        context.timezone,
    );
    read.map_err(|problem| InvalidRow {
        employee_id: Some(employee_id),
        problem,
    })
}
