//! The custom report: one answer for everybody, with future-dated values. It is parsed as it arrives.

use bytes::Bytes;

use super::CREDENTIALS;
use super::reader::{Listed, Reader};
use super::ways::{Way, WayFailure};
use crate::connect::ReadError;
use crate::connect::http::{Method, status_failure};
use leaver_core::providers::{
    BAMBOOHR_REPORT_LIST, InvalidResponse, JsonList, ListPart, RowContext, bamboohr_report_request,
    bamboohr_report_row, bamboohr_report_withheld, error_in_success,
};

/// Most bytes of rows that are kept until the report lists its fields.
const MAX_EARLY_BYTES: usize = 32 * 1024 * 1024;
/// Most rows of a report.
const MAX_ROWS: usize = 400_000;

/// The part of the report that has arrived.
#[derive(Default)]
struct Report {
    /// The fields that its own list of fields does not have.
    withheld: Option<Vec<&'static str>>,
    /// Rows before that list, each with its length.
    early: Vec<u8>,
    early_lengths: Vec<usize>,
    rows: usize,
}

impl Reader {
    /// Reads all employees, or those that changed since a time.
    pub(super) async fn read_report(&mut self, listed: &Listed) -> Result<(), WayFailure> {
        let request = bamboohr_report_request(listed.since, &self.api.position);
        let body = Bytes::from(request.to_string());
        let query = [("format", "json"), ("onlyCurrent", "false")];
        let as_of = self.api.now();
        let api = self.api.clone();
        let context = RowContext {
            as_of,
            tenant: &api.tenant,
            timezone: api.timezone,
            position: &api.position,
        };
        let sent = api
            .stream(
                Method::Query(body),
                "reports/custom",
                &["reports", "custom"],
                &query,
            )
            .await;
        let mut stream = sent.map_err(|failure| WayFailure::of(Way::Report, failure))?;
        let mut list = JsonList::new(BAMBOOHR_REPORT_LIST);
        let mut report = Report::default();
        while let Some(piece) = stream.next().await? {
            for part in list.push(&piece).map_err(ReadError::from)? {
                self.take_part(part, &mut report, &context).await?;
            }
        }
        list.finish().map_err(ReadError::from)?;
        if report.withheld.is_none() {
            let problem = InvalidResponse::WrongShape("it has no `fields`");
            return Err(ReadError::from(problem).into());
        }
        // The reports of a key can be empty although the key sees employees.
        if report.rows == 0 && listed.since.is_none() {
            return Err(WayFailure::Refused("the report has no rows".to_owned()));
        }
        Ok(())
    }

    async fn take_part(
        &mut self,
        part: ListPart,
        report: &mut Report,
        context: &RowContext<'_>,
    ) -> Result<(), ReadError> {
        match part {
            ListPart::Item(row) => {
                report.rows += 1;
                if report.rows > MAX_ROWS {
                    return Err(InvalidResponse::WrongShape("it has too many rows").into());
                }
                if let Some(withheld) = &report.withheld {
                    let row = bamboohr_report_row(&row, withheld, context);
                    self.take_row(row, withheld, |_| false).await;
                    return Ok(());
                }
                if report.early.len() + row.len() > MAX_EARLY_BYTES {
                    return Err(ReadError::TooLong {
                        limit_bytes: MAX_EARLY_BYTES,
                    });
                }
                report.early.extend_from_slice(&row);
                report.early_lengths.push(row.len());
            }
            ListPart::LongItem => {
                self.out.warn("a row is too long");
                self.has_gap = true;
            }
            ListPart::Member(name, text) if name == "fields" => {
                if report.withheld.is_some() {
                    return Err(InvalidResponse::WrongShape("it has two lists of fields").into());
                }
                let withheld = bamboohr_report_withheld(&text, context.position)?;
                let mut rest = report.early.as_slice();
                for length in std::mem::take(&mut report.early_lengths) {
                    let (row, after) = rest.split_at(length);
                    let row = bamboohr_report_row(row, &withheld, context);
                    self.take_row(row, &withheld, |_| false).await;
                    rest = after;
                }
                report.early = vec![];
                report.withheld = Some(withheld);
            }
            ListPart::Member(name, text) if name == "error" => {
                let body = [br#"{"error":"#.as_slice(), &text, b"}"].concat();
                if let Some(status) = error_in_success(&body) {
                    return Err(status_failure(status, CREDENTIALS, None).error);
                }
            }
            ListPart::Member(..) => {}
        }
        Ok(())
    }
}
