//! The HTTP side: receives webhooks, and serves health, metrics and the API. The only module that uses axum.
//!
//! It never parses a delivery's body and never waits for the worker: the two meet in the inbox.

mod admin;
pub(crate) mod auth;
pub(crate) mod authorize;
mod bodies;
mod connection;
mod employees;
pub mod error;
mod health;
mod hygiene;
mod peer;
mod request_log;
pub mod proxies;
pub mod server;
pub mod slots;
mod timeouts;
pub(crate) mod token_failures;
pub(crate) mod unrouted;
mod verification;
pub(crate) mod webhook_keys;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

pub use self::admin::admin_router;
use self::auth::AdminToken;
use self::token_failures::TokenFailures;
pub use self::verification::Verification;
use self::webhook_keys::WebhookKeys;
use super::base::log_throttle::LogThrottle;
use crate::base::clock::Clock;
use crate::base::liveness::Liveness;
use crate::base::metrics::Metrics;
use crate::base::rejections::Rejections;
use crate::db::pool::Pool;
use crate::ingest::SilenceThreshold;
use crate::ingest::group_commit::GroupCommit;
use crate::reports::health::HealthProbe;

/// State that the handlers share.
pub struct AppState {
    /// How each source signs.
    pub webhook_keys: WebhookKeys,
    /// How long each source may be silent, sorted by name.
    pub silence_thresholds: Vec<SilenceThreshold>,
    /// Stores deliveries.
    pub intake: GroupCommit,
    /// Queries the database for health and metrics.
    pub health_probe: HealthProbe,
    /// Connections for reading the roster.
    pub read_pool: Pool,
    /// The current time.
    pub clock: Arc<dyn Clock>,
    /// Phase of the service and liveness of its loops.
    pub liveness: Arc<Liveness>,
    /// Counters and histograms.
    pub metrics: Arc<Metrics>,
    /// Limits log lines about refused requests.
    pub log_throttle: Arc<LogThrottle>,
    /// Limits answers to wrong tokens.
    pub token_failures: TokenFailures,
    /// Requests that became no delivery, for health.
    pub rejections: Rejections,
    /// Path in front of `/webhooks`, such as `/leaver`, or empty.
    pub path_prefix: String,
    /// Largest body in bytes.
    pub max_body_bytes: usize,
    /// Time limit for receiving a whole body.
    pub body_timeout: Duration,
    /// Places for checks of signatures.
    pub verification: Verification,
    /// Time limit for reading a page of the roster.
    pub store_timeout: Duration,
    /// Authorizes requests to `/api`; without it those routes do not exist.
    pub admin_token: Option<AdminToken>,
}

/// Builds the routes of `server.listen`: webhooks and health.
pub fn router(state: Arc<AppState>) -> Router {
    // No layers that answer: their default statuses are 4xx, which both providers treat as final (docs/adr/0008).
    let mut routes = health_routes();
    // A proxy may remove the prefix or leave it, and a URL may have been entered with a slash at its end.
    let mut prefixes = vec!["", state.path_prefix.as_str()];
    prefixes.dedup();
    for prefix in prefixes {
        for end in ["", "/"] {
            routes = routes.route(
                &format!("{prefix}/webhooks/{{source}}{end}"),
                post(webhooks::receive).fallback(webhooks::method_not_allowed),
            );
        }
    }
    routes
        .fallback(unrouted::not_found)
        .layer(from_fn_with_state(Arc::clone(&state), request_log::log))
        .with_state(state)
}

/// The routes that both listeners serve.
fn health_routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/health", get(health::report))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
}
