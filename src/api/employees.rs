//! `GET /api/v1/employees`: who changed, page by page, for whoever has the administrator's token. The people go
//! into the answer and nowhere else: the log has their number.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use tracing::{info, warn};

use super::AppState;
use super::error::ApiError;
use crate::base::liveness::Phase;
use crate::roster::listing::{
    self, Cursor, DEFAULT_PAGE_SIZE, EmployeeQuery, EmploymentFilter, MAX_PAGE_SIZE, Page,
};
use leaver_core::domain::SourceName;

/// The parameters there are, for whoever gives another.
const PARAMETERS: [&str; 5] = ["modified_after", "status", "source", "cursor", "page_size"];

pub(super) async fn list(
    State(receiver): State<Arc<AppState>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let page = listed(&receiver, &headers, query.as_deref().unwrap_or_default()).await;
    not_kept(page.map(Json))
}

pub(super) async fn other_method() -> Response {
    not_kept(ApiError::OnlyGet)
}

async fn listed(receiver: &AppState, headers: &HeaderMap, query: &str) -> Result<Page, ApiError> {
    let Some(token) = &receiver.admin_token else {
        return Err(ApiError::NoSuchRoute);
    };
    if !token.lets_in(headers) {
        warn!("employees.list: refused: no token, or not the administrator's");
        return Err(ApiError::Unauthorized);
    }
    let (wanted, size) = asked(query)?;
    if receiver.liveness.phase() != Phase::Ready {
        return Err(ApiError::NotReady);
    }
    let reading = async {
        let mut conn = receiver.listing.acquire().await?;
        listing::store::page(&mut conn, &wanted, size).await
    };
    match tokio::time::timeout(receiver.store_timeout, reading).await {
        Ok(Ok(page)) => {
            info!(count = page.results.len(), "employees.list: listed");
            Ok(page)
        }
        Ok(Err(error)) => {
            warn!(%error, "employees.list: cannot read the roster; answered 503");
            Err(ApiError::NotRead)
        }
        Err(_) => {
            warn!("employees.list: cannot read the roster in time; answered 503");
            Err(ApiError::NotRead)
        }
    }
}

/// What the query asks for. A parameter without a value is as good as none; one that we do not know is refused,
/// since a filter that is passed over would show people who were not asked for.
fn asked(query: &str) -> Result<(EmployeeQuery, u16), ApiError> {
    let mut wanted = EmployeeQuery::default();
    let mut size = DEFAULT_PAGE_SIZE;
    let mut seen = vec![];
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let bad = |problem: String| ApiError::BadParameter(format!("{name}: {problem}"));
        let Some(known) = PARAMETERS.iter().find(|known| **known == name) else {
            let name: String = name.chars().take(40).collect();
            return Err(ApiError::BadParameter(format!(
                "{name}: no such parameter; there are {}",
                PARAMETERS.join(", ")
            )));
        };
        if seen.contains(known) {
            return Err(bad("it stands there twice; give it once".to_owned()));
        }
        seen.push(known);
        if value.is_empty() {
            continue;
        }
        match *known {
            "modified_after" => {
                // A plus sign that was not escaped arrives as a space; no time of ours has one.
                let text = value.replace(' ', "+");
                let after = listing::parse_time(&text).map_err(|error| bad(error.to_string()))?;
                wanted.modified_after = Some(after);
            }
            "status" => {
                let standing =
                    EmploymentFilter::parse(&value).map_err(|error| bad(error.to_string()))?;
                wanted.standing = Some(standing);
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

/// An answer about people is kept by nobody on the way.
fn not_kept(answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
