//! Stand-ins for the providers' APIs. They generate each employee on request and hold none in memory, so they hardly
//! affect the measurement.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use clap::ValueEnum;
use tokio::net::TcpListener;

/// Provider whose API is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Provider {
    /// Pages of 100 employees.
    Merge,
    /// A list of changed employees, then a report, pages of a dataset, or one request per employee.
    Bamboohr,
}

/// Way to read employees that the simulated BambooHR allows at best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// One report.
    Report,
    /// Pages of 1,000.
    Dataset,
    /// One request per employee.
    Single,
}

impl Provider {
    /// Returns the name in the configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Bamboohr => "bamboohr",
        }
    }
}

/// A company. Its employees are numbered from 1, and those with a number that ends in 07 have left.
#[derive(Clone, Debug)]
pub(crate) struct Company {
    /// Provider that has the data.
    pub(crate) provider: Provider,
    /// Number of employees.
    pub(crate) employees: usize,
    /// Delay of each response.
    pub(crate) latency: Duration,
    /// Way that BambooHR allows at best.
    pub(crate) way: Way,
}

fn has_left(n: usize) -> bool {
    n % 100 == 7
}

impl Company {
    /// Returns how many employees have left.
    pub(crate) fn leavers(&self) -> usize {
        (1..=self.employees).filter(|n| has_left(*n)).count()
    }

    /// Serves the API on a free port until the program ends.
    pub(crate) async fn start(&self) -> anyhow::Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .fallback(respond)
            .with_state(Arc::new(self.clone()));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(address)
    }

    /// Returns the configuration file of a Leaver that reads this API.
    pub(crate) fn config(&self, address: SocketAddr) -> String {
        let name = self.provider.name();
        let linked_accounts = match self.provider {
            Provider::Merge => {
                r#"linked_accounts = [{ id = "la-1", tenant = "widgets", token = "env:SWEEP_SECRET" }]"#
            }
            Provider::Bamboohr => "",
        };
        format!(
            r#"
            [accounts]
            end_sessions = ["DELETE FROM sessions WHERE user_id::text = ANY($1)"]
            [[sources]]
            name = "{name}"
            provider = "{name}"
            webhook_secrets = ["env:SWEEP_SECRET"]
            {linked_accounts}
            [sources.api]
            base_url = "http://{address}"
            api_key = "env:SWEEP_SECRET"
            "#
        )
    }

    fn response(&self, path: &str, query: &str, body: &[u8]) -> Option<String> {
        match self.provider {
            Provider::Merge => match path.strip_prefix("/api/hris/v1/")? {
                "employees" => Some(self.merge_page(query)),
                "sync-status" => Some(SYNC_STATUS.to_owned()),
                "account-details" => Some(r#"{"id":"la-1","status":"COMPLETE"}"#.to_owned()),
                _ => None,
            },
            Provider::Bamboohr => match (path, self.way) {
                ("/api/v1/reports/custom", Way::Report) => Some(self.bamboohr_report()),
                ("/api/v1_2/datasets/employee/fields", Way::Dataset) => Some(FIELDS.to_owned()),
                ("/api/v2/datasets/employee/data", Way::Dataset) => self.bamboohr_page(body),
                _ => match path.strip_prefix("/api/v1/employees/")? {
                    "changed" => Some(self.bamboohr_changed()),
                    id => id.parse().ok().map(bamboohr_employee),
                },
            },
        }
    }

    fn merge_page(&self, query: &str) -> String {
        let cursor = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "cursor");
        let begin: usize = cursor.map_or(0, |(_, value)| value.parse().unwrap_or(0));
        let end = self.employees.min(begin + 100);
        let results: Vec<String> = (begin + 1..=end).map(merge_employee).collect();
        let next = if end < self.employees {
            format!(r#""{end}""#)
        } else {
            "null".to_owned()
        };
        format!(
            r#"{{"next":{next},"previous":null,"results":[{}]}}"#,
            results.join(",")
        )
    }

    fn bamboohr_report(&self) -> String {
        let mut text =
            r#"{"title":"Leaver","fields":[{"id":"status","type":"status","name":"Status"},
            {"id":"employmentHistoryStatus","type":"list","name":"Employment Status"},
            {"id":"terminationDate","type":"date","name":"Termination Date"},
            {"id":"hireDate","type":"date","name":"Hire Date"},
            {"id":"workEmail","type":"email","name":"Work Email"}],"employees":["#
                .to_owned();
        for n in 1..=self.employees {
            text += if n == 1 { "" } else { "," };
            text += &bamboohr_employee(n);
        }
        text + "]}"
    }

    fn bamboohr_page(&self, body: &[u8]) -> Option<String> {
        let asked: serde_json::Value = serde_json::from_slice(body).ok()?;
        let page = usize::try_from(asked["page"].as_u64()?).ok()?;
        let size = usize::try_from(asked["pageSize"].as_u64()?).ok()?;
        let rows: Vec<String> = ((page - 1) * size + 1..=self.employees.min(page * size))
            .map(|n| {
                let (status, employment) = bamboohr_status(n);
                format!(
                    r#"{{"fields":{{"eeid":"{n}","status":"{status}","employmentStatus":"{employment}",
                    "terminationDate":"0000-00-00","hireDate":"2020-01-05","email":"dana.{n}@widgets.example"}}}}"#
                )
            })
            .collect();
        let pages = self.employees.div_ceil(size);
        Some(format!(
            r#"{{"data":[{}],"links":{{}},"meta":{{"page":{page},"pageSize":{size},"totalPages":{pages},"totalItems":{}}}}}"#,
            rows.join(","),
            self.employees
        ))
    }

    fn bamboohr_changed(&self) -> String {
        let mut text = r#"{"latest":"2026-11-22T11:00:00+00:00","employees":{"#.to_owned();
        for n in 1..=self.employees {
            let comma = if n == 1 { "" } else { "," };
            let _ = write!(
                text,
                r#"{comma}"{n}":{{"id":"{n}","action":"Updated","lastChanged":"2026-11-22T11:00:00+00:00"}}"#
            );
        }
        text + "}}"
    }
}

async fn respond(State(company): State<Arc<Company>>, request: Request) -> Response {
    tokio::time::sleep(company.latency).await;
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1_000_000).await;
    let (uri, body) = (parts.uri, body.unwrap_or_default());
    match company.response(uri.path(), uri.query().unwrap_or_default(), &body) {
        Some(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

const SYNC_STATUS: &str = r#"{"next":null,"previous":null,"results":[{"model_name":"Employee",
    "model_id":"hris.Employee","status":"DONE","last_sync_result":"DONE",
    "last_sync_finished":"2026-11-22T03:20:00Z","is_initial_sync":false}]}"#;

/// Returns a record with all the fields that Merge sends; Leaver ignores most of them.
fn merge_employee(n: usize) -> String {
    let (status, end) = if has_left(n) {
        ("INACTIVE", r#""2026-11-20T00:00:00Z""#)
    } else {
        ("ACTIVE", "null")
    };
    format!(
        r#"{{"id":"00000000-0000-4000-8000-{n:012}","remote_id":"{n}","employee_number":"{n}",
        "first_name":"Dana","last_name":"Ruiz","display_full_name":"Dana Ruiz","username":"dana.{n}",
        "company":"8d9fd929-436c-4fd4-a48b-0c61f68d6178","work_email":"dana.{n}@widgets.example",
        "personal_email":"dana.{n}@home.example","mobile_phone_number":"+1 555 0100","ssn":"078-05-1120",
        "groups":["21a54124-397f-494d-985e-3c5b330b8a68"],"employments":["17a54124-287f-494d-965e-3c5b330c9a68"],
        "home_location":"d2f972d0-2526-434b-9409-4c3b468e08f0","work_location":"9efbc633-3387-4306-aa55-e2c635e6bb4f",
        "manager":"0048ea5b-911e-4dff-9364-92070dea62ff","gender":null,"ethnicity":null,"marital_status":"SINGLE",
        "date_of_birth":"1990-11-10T00:00:00Z","hire_date":"2020-01-05T00:00:00Z","start_date":"2020-01-05T00:00:00Z",
        "termination_date":{end},"employment_status":"{status}","avatar":"https://cdn.example/{n}.png",
        "custom_fields":{{"employment_type":"contractor"}},"remote_was_deleted":false,"field_mappings":null,
        "created_at":"2026-01-05T08:00:00Z","modified_at":"2026-11-20T08:00:00Z","remote_data":null}}"#
    )
}

const FIELDS: &str = r#"{"pagination":{"total_records":6,"current_page":1,"total_pages":1},"name":"employee",
    "label":"Employee","fields":[{"name":"eeid","label":"EEID"},{"name":"status","label":"Status"},
    {"name":"employmentStatus","label":"Employment Status"},{"name":"terminationDate","label":"Termination Date"},
    {"name":"hireDate","label":"Hire Date"},{"name":"email","label":"Work Email"}]}"#;

fn bamboohr_status(n: usize) -> (&'static str, &'static str) {
    if has_left(n) {
        ("Inactive", "Terminated")
    } else {
        ("Active", "Full-Time")
    }
}

fn bamboohr_employee(n: usize) -> String {
    let (status, employment) = bamboohr_status(n);
    format!(
        r#"{{"id":"{n}","status":"{status}","employmentHistoryStatus":"{employment}",
        "terminationDate":"0000-00-00","hireDate":"2020-01-05","workEmail":"dana.{n}@widgets.example"}}"#
    )
}
