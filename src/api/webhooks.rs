//! `POST /webhooks/{source}`: reads the raw bytes, verifies the signature, stores the delivery, answers. In that order.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use tracing::{debug, warn};

use super::error::ApiError;
use super::peer::peer;
use super::slots::Slot;
use super::verification::Unverified;
use super::{AppState, bodies, traces, unrouted};
use crate::base::failpoints;
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
    let source = parse_source(source).filter(|name| webhook_keys.contains_key(name));
    let Some(source) = &source else {
        return Err(unrouted::unknown_source(&state, &request));
    };
    let stored = async {
        if !state.liveness.accepts_requests() {
            return Err(ApiError::NotReady);
        }
        let (parts, body) = request.into_parts();
        let peer = peer(&parts.extensions);
        let slot = parts.extensions.get::<Arc<Slot>>();
        let (body, reservation) = bodies::read(&state, &parts.headers, body, slot).await?;
        let unverified = Unverified {
            schemes: &webhook_keys,
            source,
            headers: parts.headers,
            body,
            slot,
        };
        let (verified, now) = unverified.verify(&state).await?;
        let verified = verified.map_err(|rejection| {
            state
                .metrics
                .record_signature_failure(source, rejection.as_str());
            state.rejections.refused(source, rejection, now);
            let reason = rejection.as_str();
            let subject = format!("signature of {source}: {reason}");
            if let Some(line) = state.log_throttle.check(&subject, peer, Instant::now()) {
                let (count, peers) = (line.count, line.peers);
                warn!(%source, reason, count, peers, "signature.verify: refused: {rejection}");
            }
            ApiError::InvalidSignature
        })?;
        state.rejections.accepted(source, now);
        if let Some(slot) = slot {
            slot.verified();
        }
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
    let context = traces::record_receipt(&state, source, &stored, began);
    let receipt = stored?;
    let trace_id = context.map(|context| tracing::field::display(context.trace_id()));
    debug!(%source, delivery = %receipt.id, trace_id, duplicate = receipt.duplicate, "intake.store: {outcome}");
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
