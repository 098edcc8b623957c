//! `/health`, `/health/live`, `/health/ready` and `/metrics`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::runtime::Handle;

use super::AppState;
use super::error::ApiError;
use crate::base::liveness::Phase;
use crate::base::metrics::Format;
use crate::reports::health::{Health, HealthState};

/// Answers 200 while the process runs.
pub(super) async fn live() -> impl IntoResponse {
    Json(json!({ "status": "live" }))
}

/// Answers 200 while deliveries can be stored: migrated, not stopping, and the database answers and stores rows.
pub(super) async fn ready(State(state): State<Arc<AppState>>) -> Response {
    if state.liveness.phase() == Phase::Ready
        && state.health_probe.can_store(state.clock.now()).await
    {
        Json(json!({ "status": "ready" })).into_response()
    } else {
        ApiError::NotReady.into_response()
    }
}

/// Answers with the whole [`Health`], as 503 when the service is unavailable.
pub(super) async fn report(State(state): State<Arc<AppState>>) -> Response {
    let health = health(&state).await;
    let status = if health.status == HealthState::Unavailable {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    (status, Json(health)).into_response()
}

/// Answers in Prometheus text, or in `OpenMetrics` text if the request prefers it. Gauges from the database keep their last
/// values while it does not answer.
pub(super) async fn metrics(State(state): State<Arc<AppState>>, headers: HeaderMap) -> Response {
    let health = health(&state).await;
    let metrics = &state.metrics;
    if let Some(gauges) = health.gauges(state.clock.now()) {
        metrics.set(&gauges);
    }
    health.set_reasons(metrics);
    metrics.set_storing(health.storing == "ok");
    metrics.set_alive_tasks(Handle::current().metrics().num_alive_tasks());
    let accept = headers.get_all(ACCEPT).iter();
    let accept: Vec<&str> = accept.filter_map(|value| value.to_str().ok()).collect();
    let format = Format::accepted(&accept.join(","));
    match metrics.text(format) {
        Ok(text) => ([(CONTENT_TYPE, format.content_type())], text).into_response(),
        Err(_) => ApiError::Internal.into_response(),
    }
}

async fn health(state: &AppState) -> Health {
    let now = state.clock.now();
    let probe = &state.health_probe;
    probe
        .health(
            &state.liveness,
            &state.silence_thresholds,
            &state.rejections,
            now,
        )
        .await
}
