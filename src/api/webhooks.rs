//! `POST /webhooks/{source}`: read the raw bytes, check who sent them, write them down, answer. In that order.

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
use crate::base::failpoints;
use crate::base::liveness::Phase;
use crate::ingest::group_commit::{Reservation, StoreError};
use crate::ingest::inbox::arrivals::Receipt;
use leaver_core::domain::{DeliveryId, SourceName};
use leaver_core::signature::VerifiedDelivery;

/// What the sender is told.
#[derive(Serialize)]
pub(super) struct Stored {
    received: bool,
    delivery: DeliveryId,
    duplicate: bool,
}

pub(super) async fn receive(
    State(receiver): State<Arc<AppState>>,
    source: Named,
    request: Request,
) -> Result<Json<Stored>, ApiError> {
    let began = Instant::now();
    let webhook_keys = receiver.webhook_keys.now();
    let Some((source, scheme)) = parsed(source).and_then(|name| webhook_keys.get_key_value(&name))
    else {
        return Err(ApiError::UnknownSource);
    };
    let answer = async {
        if receiver.liveness.phase() != Phase::Ready {
            return Err(ApiError::NotReady);
        }
        let (parts, body) = request.into_parts();
        let (body, reservation) = read_body(&receiver, &parts.headers, body).await?;
        let now = receiver.clock.now();
        let verified = scheme.verify(source, &parts.headers, body, now).map_err(|rejection| {
            receiver.metrics.refused(source, rejection.as_str());
            if let Some(passed_over) = receiver.refusals.tell(source, Instant::now()) {
                warn!(%source, cause = rejection.as_str(), passed_over, "signature.verify: refused: {rejection}");
            }
            ApiError::InvalidSignature
        })?;
        failpoints::reach("after_verify", [&verified.body()[..]]);
        store(&receiver, verified, now, reservation).await
    }
    .await;
    let outcome = match &answer {
        Ok(receipt) if receipt.duplicate => "duplicate",
        Ok(_) => "stored",
        Err(refusal) => refusal.as_str(),
    };
    receiver
        .metrics
        .answered(source, outcome, began.elapsed().as_secs_f64());
    let receipt = answer?;
    let what = if receipt.duplicate {
        "known already"
    } else {
        "stored"
    };
    debug!(%source, delivery = %receipt.id, duplicate = receipt.duplicate, "intake.store: {what}");
    Ok(Json(Stored {
        received: true,
        delivery: receipt.id,
        duplicate: receipt.duplicate,
    }))
}

pub(super) async fn other_method(State(receiver): State<Arc<AppState>>, source: Named) -> ApiError {
    if parsed(source).is_some_and(|name| receiver.webhook_keys.now().contains_key(&name)) {
        ApiError::MethodNotAllowed
    } else {
        ApiError::UnknownSource
    }
}

/// The name in the path. One that is not even text is an unknown source too, and not the 400 that axum would
/// answer.
type Named = Result<Path<String>, PathRejection>;

fn parsed(source: Named) -> Option<SourceName> {
    let Path(name) = source.ok()?;
    SourceName::parse(&name).ok()
}

/// The raw bytes, under one limit and one deadline for all of them, and the memory that they hold. A declared length
/// over the limit is refused before a byte is read.
async fn read_body(
    receiver: &AppState,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Bytes, Reservation), ApiError> {
    let declared = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u64>().ok());
    if declared.is_some_and(|length| length > receiver.max_body_bytes as u64) {
        return Err(ApiError::TooLarge);
    }
    let declared = declared.and_then(|length| usize::try_from(length).ok());
    let budget = receiver.intake.budget();
    if !budget.has_capacity(declared.unwrap_or_default()) {
        return Err(ApiError::Full);
    }
    let mut reservation = budget.reserve();
    let whole = async {
        let mut body = Limited::new(body, receiver.max_body_bytes);
        // Copied, so that a small body does not keep the connection's whole buffer.
        let mut bytes = Vec::with_capacity(declared.unwrap_or_default());
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame.map_err(|error| refusal(&error))?.into_data() else {
                continue;
            };
            if !reservation.try_grow(frame.len()) {
                return Err(ApiError::Full);
            }
            bytes.extend_from_slice(&frame);
        }
        Ok(Bytes::from(bytes))
    };
    let whole = tokio::time::timeout(receiver.body_timeout, whole).await;
    let bytes = whole.unwrap_or(Err(ApiError::Incomplete))?;
    Ok((bytes, reservation))
}

fn refusal(error: &axum::BoxError) -> ApiError {
    if error.is::<LengthLimitError>() {
        ApiError::TooLarge
    } else {
        ApiError::Incomplete
    }
}

/// Has a delivery written down, through a short absence of the database.
async fn store(
    receiver: &AppState,
    verified: VerifiedDelivery,
    received_at: DateTime<Utc>,
    reservation: Reservation,
) -> Result<Receipt, ApiError> {
    let stored = receiver
        .intake
        .store(verified, received_at, reservation)
        .await;
    stored.map_err(|reason| match reason {
        // Counted, and not worth a line for each of a flood.
        StoreError::Full => ApiError::Full,
        StoreError::TimedOut | StoreError::Refused | StoreError::Abandoned => {
            warn!("intake.store: a delivery is not stored: {reason}; answered 503, the sender will come again");
            ApiError::StoreError
        }
    })
}
