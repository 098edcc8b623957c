//! How the service is, for orchestrators, for people and for Prometheus.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::runtime::Handle;

use super::AppState;
use super::error::ApiError;
use crate::base::liveness::Phase;
use crate::reports::health::{Health, HealthState, examine};

/// The process runs.
pub(super) async fn live() -> impl IntoResponse {
    Json(json!({ "status": "live" }))
}

/// It can take traffic: migrated, connected, not draining.
pub(super) async fn ready(State(receiver): State<Arc<AppState>>) -> Response {
    match receiver.liveness.phase() {
        Phase::Ready => {
            let health = examined(&receiver).await;
            if health.status == HealthState::Unavailable {
                ApiError::NotReady.into_response()
            } else {
                Json(json!({ "status": "ready" })).into_response()
            }
        }
        Phase::Starting | Phase::Draining => ApiError::NotReady.into_response(),
    }
}

/// Everything.
pub(super) async fn full(State(receiver): State<Arc<AppState>>) -> Response {
    let health = examined(&receiver).await;
    let status = if health.status == HealthState::Unavailable {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    (status, Json(health)).into_response()
}

/// Prometheus' text. What the database knows is left as it was when the database is not there.
pub(super) async fn metrics(State(receiver): State<Arc<AppState>>) -> Response {
    let health = examined(&receiver).await;
    let gauges = health.gauges(receiver.clock.now());
    let tasks = Handle::current().metrics().num_alive_tasks();
    receiver.metrics.alive(tasks);
    match receiver.metrics.text(gauges.as_ref()) {
        Ok(text) => (
            [(
                CONTENT_TYPE,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            )],
            text,
        )
            .into_response(),
        Err(_) => ApiError::NotReady.into_response(),
    }
}

async fn examined(receiver: &AppState) -> Health {
    examine(
        &receiver.asking,
        &receiver.liveness,
        &receiver.silence_thresholds,
        receiver.clock.now(),
    )
    .await
}
