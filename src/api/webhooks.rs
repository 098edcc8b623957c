//! `POST /webhooks/{source}`: reads the raw bytes, verifies the signature, stores the delivery, answers. In that order.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;
use tracing::{debug, warn};

use super::AppState;
use super::error::ApiError;
use super::peer::peer;
use super::unrouted;
use crate::base::failpoints;
use crate::base::liveness::Phase;
use crate::ingest::group_commit::{Reservation, StoreError};
use crate::ingest::inbox::arrivals::Receipt;
use leaver_core::domain::{DeliveryId, SourceName};
use leaver_core::signature::VerifiedDelivery;

/// The response to a stored delivery.
#[derive(Serialize)]
pub(super) struct Stored {
    received: bool,
    delivery: DeliveryId,
    duplicate: bool,
}

pub(super) async fn receive(
    State(state): State<Arc<AppState>>,
    source: SourcePath,
    request: Request,
) -> Result<Json<Stored>, ApiError> {
    let began = Instant::now();
    let webhook_keys = state.webhook_keys.snapshot();
    let Some((source, scheme)) =
        parse_source(source).and_then(|name| webhook_keys.get_key_value(&name))
    else {
        return Err(unrouted::unknown_source(&state, &request));
    };
    let stored =
        async {
            if state.liveness.phase() != Phase::Ready {
                return Err(ApiError::NotReady);
            }
            let (parts, body) = request.into_parts();
            let (body, reservation) = read_body(&state, &parts.headers, body).await?;
            let now = state.clock.now();
            let verified = scheme.verify(source, &parts.headers, body, now).map_err(|rejection| {
            state.metrics.record_signature_failure(source, rejection.as_str());
            state.rejections.refused(source, rejection, now);
            let (reason, peer) = (rejection.as_str(), peer(&parts.extensions));
            let subject = format!("signature of {source}: {reason}");
            if let Some(line) = state.log_throttle.check(&subject, peer, Instant::now()) {
                let (count, peers) = (line.count, line.peers);
                warn!(%source, reason, count, peers, "signature.verify: refused: {rejection}");
            }
            ApiError::InvalidSignature
        })?;
            state.rejections.accepted(source, now);
            failpoints::reach("after_verify", [&verified.body()[..]]);
            store(&state, verified, now, reservation).await
        }
        .await;
    let outcome = match &stored {
        Ok(receipt) if receipt.duplicate => "duplicate",
        Ok(_) => "stored",
        Err(error) => error.as_str(),
    };
    state
        .metrics
        .record_webhook_request(source, outcome, began.elapsed().as_secs_f64());
    let receipt = stored?;
    debug!(%source, delivery = %receipt.id, duplicate = receipt.duplicate, "intake.store: {outcome}");
    Ok(Json(Stored {
        received: true,
        delivery: receipt.id,
        duplicate: receipt.duplicate,
    }))
}

pub(super) async fn method_not_allowed(
    State(state): State<Arc<AppState>>,
    source: SourcePath,
    request: Request,
) -> ApiError {
    let source = parse_source(source);
    let Some(source) = source.filter(|name| state.webhook_keys.snapshot().contains_key(name))
    else {
        return unrouted::unknown_source(&state, &request);
    };
    let error = ApiError::MethodNotAllowed { allow: "POST" };
    state
        .metrics
        .record_webhook_request(&source, error.as_str(), 0.0);
    error
}

/// The name in the path. One that is not UTF-8 is an unknown source; axum alone would answer 400.
type SourcePath = Result<Path<String>, PathRejection>;

fn parse_source(source: SourcePath) -> Option<SourceName> {
    let Path(name) = source.ok()?;
    SourceName::parse(&name).ok()
}

/// Reads the raw bytes, at most `server.max_body` within `server.body_timeout`, and reserves the memory that they take.
/// A declared length above the limit fails before a byte is read.
async fn read_body(
    state: &AppState,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Bytes, Reservation), ApiError> {
    let declared = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u64>().ok());
    if declared.is_some_and(|length| length > state.max_body_bytes as u64) {
        return Err(ApiError::TooLarge);
    }
    let declared = declared.and_then(|length| usize::try_from(length).ok());
    let budget = state.intake.budget();
    if !budget.has_capacity(declared.unwrap_or_default()) {
        return Err(ApiError::Overloaded);
    }
    let mut reservation = budget.reserve();
    let read = async {
        let mut body = Limited::new(body, state.max_body_bytes);
        // A copy: a frame would keep the connection's whole buffer alive.
        let mut bytes = Vec::with_capacity(declared.unwrap_or_default());
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame.map_err(|error| body_error(&error))?.into_data() else {
                continue;
            };
            if !reservation.try_grow(frame.len()) {
                return Err(ApiError::Overloaded);
            }
            bytes.extend_from_slice(&frame);
        }
        Ok(Bytes::from(bytes))
    };
    let read = tokio::time::timeout(state.body_timeout, read).await;
    let bytes = read.unwrap_or(Err(ApiError::Incomplete))?;
    Ok((bytes, reservation))
}

fn body_error(error: &axum::BoxError) -> ApiError {
    if error.is::<LengthLimitError>() {
        ApiError::TooLarge
    } else {
        ApiError::Incomplete
    }
}

/// Stores a delivery. A short outage of the database is waited for, up to `server.store_timeout`.
async fn store(
    state: &AppState,
    verified: VerifiedDelivery,
    received_at: DateTime<Utc>,
    reservation: Reservation,
) -> Result<Receipt, ApiError> {
    let stored = state.intake.store(verified, received_at, reservation).await;
    stored.map_err(|reason| match reason {
        // Counted, but not logged: under overload that would be a line per request.
        StoreError::Full => ApiError::Overloaded,
        StoreError::TimedOut | StoreError::Refused | StoreError::Abandoned => {
            warn!("intake.store: a delivery is not stored: {reason}; answered 503, the provider retries");
            ApiError::StoreError
        }
    })
}
