//! The receiving half: takes webhooks in, has them checked and written down, and answers. The only room
//! that knows axum.
//!
//! It never looks into a body and never waits for the working half; the two meet in the inbox. Beside that it
//! shows how the service is and, to an administrator's programs, the roster.

pub mod admin;
pub mod connections;
mod employees;
pub mod error;
mod framing;
mod health;
mod patience;
pub mod webhook_keys;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};

use self::admin::AdminToken;
use self::error::ApiError;
use self::webhook_keys::WebhookKeys;
use super::base::log_throttle::LogThrottle;
use crate::base::clock::Clock;
use crate::base::liveness::Liveness;
use crate::base::metrics::Metrics;
use crate::db::pool::Pool;
use crate::ingest::SilenceThreshold;
use crate::ingest::group_commit::GroupCommit;
use crate::reports::health::HealthProbe;

/// Everything that the handlers need.
pub struct AppState {
    /// How each source signs.
    pub webhook_keys: WebhookKeys,
    /// How long each source may be silent, in the order of names.
    pub silence_thresholds: Vec<SilenceThreshold>,
    /// Where deliveries are written down.
    pub intake: GroupCommit,
    /// For health and metrics.
    pub asking: HealthProbe,
    /// For lists of the roster.
    pub listing: Pool,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Signs of life.
    pub liveness: Arc<Liveness>,
    /// Counters and histograms.
    pub metrics: Arc<Metrics>,
    /// Keeps a flood of forgeries out of the log.
    pub refusals: LogThrottle,
    /// Largest body in bytes.
    pub max_body_bytes: usize,
    /// For the whole body to arrive.
    pub body_timeout: Duration,
    /// For a list to be made.
    pub store_timeout: Duration,
    /// What opens the routes under `/api`; without it they are not there.
    pub admin_token: Option<AdminToken>,
}

/// The routes of the service. There is no layer that could answer 408 or 429: to both providers a 4xx is
/// final.
pub fn router(receiver: Arc<AppState>) -> Router {
    let mut routes = Router::new();
    if receiver.admin_token.is_some() {
        routes = routes.route(
            "/api/v1/employees",
            get(employees::list).fallback(employees::other_method),
        );
    }
    routes
        .route(
            "/webhooks/{source}",
            post(webhooks::receive).fallback(webhooks::other_method),
        )
        .route("/health", get(health::full))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(|| async { ApiError::NoSuchRoute })
        .with_state(receiver)
}
