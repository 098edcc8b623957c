//! `GET /api/v1/employees`: the roster in the order of changes, page by page, with the administrator's token. The log
//! has the number of employees on a page, and nothing about them. The audit log has each read, with its filter.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use tracing::{info, warn};

use super::AppState;
use super::authorize::authorize;
use super::error::ApiError;
use super::peer::peer;
use crate::engine::audit::{Actor, record_read};
use crate::reports::employees::{
    self, Cursor, DEFAULT_PAGE_SIZE, EmployeeQuery, MAX_PAGE_SIZE, Page, UnknownStatus,
};
use leaver_core::domain::SourceName;

/// All query parameters. The error about an unknown one lists them.
const PARAMETERS: [&str; 5] = ["modified_after", "status", "source", "cursor", "page_size"];

pub(super) async fn list(
    State(state): State<Arc<AppState>>,
    request: Request,
) -> Result<Json<Page>, ApiError> {
    authorize(&state, &request)?;
    let query = request.uri().query().unwrap_or_default();
    let peer = peer(request.extensions());
    Ok(Json(list_page(&state, query, peer).await?))
}

pub(super) async fn method_not_allowed() -> ApiError {
    ApiError::MethodNotAllowed { allow: "GET" }
}

async fn list_page(state: &AppState, query: &str, peer: Option<IpAddr>) -> Result<Page, ApiError> {
    let (wanted, size) = parse_query(query)?;
    if !state.liveness.accepts_requests() {
        return Err(ApiError::NotReady);
    }
    let from = peer.map_or_else(String::new, |peer| format!("; from {peer}"));
    let filter = wanted.describe(size) + &from;
    let reading = async {
        let mut conn = state.read_pool.acquire().await?;
        let now = state.clock.now();
        record_read(&mut conn, &Actor::admin_token(), &filter, &[], now).await?;
        employees::store::page(&mut conn, &wanted, size).await
    };
    match tokio::time::timeout(state.store_timeout, reading).await {
        Ok(Ok(page)) => {
            let peer = peer.map(tracing::field::display);
            info!(count = page.results.len(), peer, "employees.list: listed");
            Ok(page)
        }
        Ok(Err(error)) => {
            warn!(%error, "employees.list: cannot read the roster; answered 503");
            state.read_pool.renew();
            Err(ApiError::QueryUnavailable)
        }
        Err(_) => {
            warn!("employees.list: cannot read the roster in time; answered 503");
            Err(ApiError::QueryUnavailable)
        }
    }
}

/// Parses the query into filters and a page size. A parameter without a value has no effect. An unknown one is an
/// error: ignoring a misspelled filter would list employees that the caller meant to exclude.
fn parse_query(query: &str) -> Result<(EmployeeQuery, u16), ApiError> {
    let mut wanted = EmployeeQuery::default();
    let mut size = DEFAULT_PAGE_SIZE;
    let mut seen = vec![];
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let bad = |problem: String| ApiError::BadParameter(format!("{name}: {problem}"));
        let Some(known) = PARAMETERS.iter().find(|known| **known == name) else {
            let name: String = name.chars().take(40).collect();
            return Err(ApiError::BadParameter(format!(
                "{name}: no such parameter; use {}",
                PARAMETERS.join(", ")
            )));
        };
        if seen.contains(known) {
            return Err(bad("it is given twice; give it once".to_owned()));
        }
        seen.push(known);
        if value.is_empty() {
            continue;
        }
        match *known {
            "modified_after" => {
                // An unescaped plus sign arrives as a space, and no time has a space.
                let text = value.replace(' ', "+");
                let after = employees::parse_time(&text).map_err(|error| bad(error.to_string()))?;
                wanted.modified_after = Some(after);
            }
            "status" => {
                let standing = value
                    .parse()
                    .map_err(|error: UnknownStatus| bad(error.to_string()))?;
                wanted.status = Some(standing);
            }
            "source" => {
                let source = SourceName::parse(&value).map_err(|_| {
                    bad("must be the name of a source, of a-z, 0-9, - and _".to_owned())
                })?;
                wanted.source = Some(source);
            }
            "cursor" => {
                let cursor = Cursor::parse(&value).map_err(|error| bad(error.to_string()))?;
                wanted.cursor = Some(cursor);
            }
            _ => {
                size = value
                    .parse()
                    .ok()
                    .filter(|size| (1..=MAX_PAGE_SIZE).contains(size))
                    .ok_or_else(|| {
                        bad(format!("must be a whole number from 1 to {MAX_PAGE_SIZE}"))
                    })?;
            }
        }
    }
    Ok((wanted, size))
}
