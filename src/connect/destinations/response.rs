//! The response of a destination over HTTP.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use reqwest::{Response, StatusCode};

use super::SendError;
use crate::connect::retry::retry_after;

/// Largest part of a body that is read, in bytes.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// Longest wait that a destination can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// Returns the status of a successful response and the start of its body.
///
/// # Errors
/// [`SendError::Gone`] for 410, [`SendError::Status`] for any other status that is not 2xx, redirects among them.
pub(super) async fn read(
    response: Response,
    now: DateTime<Utc>,
) -> Result<(u16, Bytes), SendError> {
    let status = response.status();
    let wait = match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            retry_after(response.headers(), now).map(|wait| wait.min(MAX_RETRY_AFTER))
        }
        _ => None,
    };
    // Reading to the end lets the connection be used again.
    let body = start_of_body(response).await;
    match status {
        status if status.is_success() => Ok((status.as_u16(), body)),
        StatusCode::GONE => Err(SendError::Gone),
        status => Err(SendError::Status {
            status: status.as_u16(),
            retry_after: wait,
        }),
    }
}

/// Reads a body as far as it comes, up to the limit. The status alone decides, so a lost connection is no failure.
async fn start_of_body(mut response: Response) -> Bytes {
    let mut body = BytesMut::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let left = MAX_BODY_BYTES.saturating_sub(body.len());
        body.extend_from_slice(chunk.get(..left).unwrap_or(&chunk));
        if body.len() >= MAX_BODY_BYTES {
            break;
        }
    }
    body.freeze()
}
