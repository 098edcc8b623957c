//! Spans of requests to the providers' APIs.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::http::{ApiRequest, Method, RequestFailure};
use crate::base::traces::Scope;

/// Records an attempt, if the caller is traced. The URL is left out: it would show employee ids.
pub(super) fn record<T>(
    request: &ApiRequest<'_>,
    attempt: u32,
    status: Option<u16>,
    result: &Result<T, RequestFailure>,
    now: DateTime<Utc>,
    elapsed: Duration,
) {
    let Some(scope) = Scope::current() else {
        return;
    };
    let method = match request.method {
        Method::Get => "GET",
        Method::Query(_) | Method::Post(_) => "POST",
        Method::Delete => "DELETE",
    };
    let mut attributes = vec![
        ("http.request.method", method.into()),
        (
            "server.address",
            request.url.host_str().unwrap_or_default().into(),
        ),
        ("leaver.request", request.name.into()),
    ];
    attributes.extend(status.map(|status| ("http.response.status_code", status.into())));
    if attempt > 1 {
        let resent = usize::try_from(attempt - 1).unwrap_or(usize::MAX);
        attributes.push(("http.request.resend_count", resent.into()));
    }
    if let Err(failure) = result {
        attributes.push(("error.type", failure.error.as_str().into()));
    }
    scope.record_request(method, now, elapsed, attributes, result.is_err());
}
