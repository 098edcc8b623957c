//! `POST /webhooks/{source}`: read the raw bytes, check who sent them, write them down, answer. In that order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;
use tracing::{debug, info, warn};

use super::Receiver;
use super::error::Refusal;
use crate::domain::{DeliveryId, SourceName};
use crate::inbox::{self, Receipt};
use crate::signature::VerifiedDelivery;
use crate::vitals::Phase;

/// What the sender is told.
#[derive(Serialize)]
pub(super) struct Stored {
    received: bool,
    delivery: DeliveryId,
    duplicate: bool,
}

pub(super) async fn receive(
    State(receiver): State<Arc<Receiver>>,
    source: Named,
    request: Request,
) -> Result<Json<Stored>, Refusal> {
    let began = Instant::now();
    let Some((source, scheme)) =
        parsed(source).and_then(|name| receiver.sources.get_key_value(&name))
    else {
        return Err(Refusal::UnknownSource);
    };
    let answer = async {
        if receiver.vitals.phase() != Phase::Ready {
            return Err(Refusal::NotReady);
        }
        let (parts, body) = request.into_parts();
        let body = read_body(&receiver, &parts.headers, body).await?;
        let now = receiver.clock.now();
        let verified = scheme.verify(source, &parts.headers, body, now).map_err(|rejection| {
            receiver.metrics.refused(source, rejection.as_str());
            warn!(%source, cause = rejection.as_str(), "signature.verify: refused: {rejection}");
            Refusal::InvalidSignature
        })?;
        store(&receiver, verified).await
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
    info!(%source, delivery = %receipt.id, duplicate = receipt.duplicate, "inbox.insert: {what}");
    Ok(Json(Stored {
        received: true,
        delivery: receipt.id,
        duplicate: receipt.duplicate,
    }))
}

pub(super) async fn other_method(State(receiver): State<Arc<Receiver>>, source: Named) -> Refusal {
    if parsed(source).is_some_and(|name| receiver.sources.contains_key(&name)) {
        Refusal::MethodNotAllowed
    } else {
        Refusal::UnknownSource
    }
}

/// The name in the path. One that is not even text is an unknown source too, and not the 400 that axum would
/// answer.
type Named = Result<Path<String>, PathRejection>;

fn parsed(source: Named) -> Option<SourceName> {
    let Path(name) = source.ok()?;
    SourceName::parse(&name).ok()
}

/// The raw bytes, under one limit and one deadline for all of them. A declared length over the limit is
/// refused before a byte is read.
async fn read_body(receiver: &Receiver, headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    let declared = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u64>().ok());
    if declared.is_some_and(|length| length > receiver.max_body_bytes as u64) {
        return Err(Refusal::TooLarge);
    }
    let whole = Limited::new(body, receiver.max_body_bytes).collect();
    match tokio::time::timeout(receiver.body_timeout, whole).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge),
        Ok(Err(_)) | Err(_) => Err(Refusal::Incomplete),
    }
}

/// Writes a delivery down within the deadline, through a short absence of the database.
///
/// The writing runs as a task of its own: when the deadline passes or the sender hangs up, it is not torn
/// off in the middle, and a delivery that is stored after all is a duplicate when the sender comes again.
async fn store(receiver: &Arc<Receiver>, verified: VerifiedDelivery) -> Result<Receipt, Refusal> {
    let deadline = tokio::time::Instant::now() + receiver.store_timeout;
    let writer = Arc::clone(receiver);
    let writing = tokio::spawn(async move {
        let delivery = [(DeliveryId(uuid::Uuid::now_v7()), verified)];
        let mut pause = Duration::from_millis(25);
        loop {
            match write(&writer, &delivery).await {
                Ok(receipt) => return Ok(receipt),
                Err(error) => {
                    debug!(%error, "inbox.insert: failed");
                    if tokio::time::Instant::now() + pause >= deadline {
                        return Err(error);
                    }
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(400));
        }
    });
    match tokio::time::timeout_at(deadline, writing).await {
        Ok(Ok(Ok(receipt))) => {
            receiver.arrived.notify_one();
            Ok(receipt)
        }
        Ok(Ok(Err(error))) => {
            warn!(%error, "inbox.insert: cannot store a delivery; answered 503, the sender will come again");
            Err(Refusal::NotStored)
        }
        Ok(Err(_)) | Err(_) => {
            warn!(
                "inbox.insert: cannot store a delivery in time; answered 503, the sender will come again"
            );
            Err(Refusal::NotStored)
        }
    }
}

async fn write(
    receiver: &Receiver,
    delivery: &[(DeliveryId, VerifiedDelivery)],
) -> Result<Receipt, sqlx::Error> {
    let mut tx = receiver.pool.begin().await?;
    let receipts = inbox::store::insert(&mut tx, delivery, receiver.clock.now()).await?;
    tx.commit().await?;
    receipts.first().copied().ok_or(sqlx::Error::RowNotFound)
}
