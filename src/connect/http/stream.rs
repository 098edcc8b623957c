//! Response bodies that are read in pieces, since they are too long to be stored.

use bytes::Bytes;
use reqwest::Response;
use tokio::time::{Instant, timeout_at};

use super::failure::{connection_failure, unexpected};
use super::{ApiRequest, Received, RequestFailure, Transport, Wanted};
use crate::connect::ReadError;
use crate::connect::rate_limit::RequestPermit;

/// A body in flight. It counts among the host's requests until it is dropped.
pub(crate) struct BodyStream {
    response: Response,
    _permit: RequestPermit,
    stall_timeout: std::time::Duration,
    deadline: Instant,
}

impl Transport {
    /// Sends a request like [`Transport::send`], and returns the body of the successful response unread. What fails
    /// afterwards is not retried.
    pub(crate) async fn stream(
        &self,
        request: &ApiRequest<'_>,
    ) -> Result<BodyStream, RequestFailure> {
        let limits = &self.0.limits;
        match self.repeat(request, Wanted::Head).await? {
            Received::Head(response, permit) => Ok(BodyStream {
                response,
                _permit: permit,
                stall_timeout: limits.stall_timeout,
                deadline: Instant::now() + limits.stream_timeout,
            }),
            Received::Whole(_) => Err(unexpected("it has no body")),
        }
    }
}

impl BodyStream {
    /// Returns the next piece; `None` at the end.
    ///
    /// # Errors
    /// [`ReadError`] if the connection breaks, if no piece comes for too long, or if the whole takes too long.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        let until = self.deadline.min(Instant::now() + self.stall_timeout);
        match timeout_at(until, self.response.chunk()).await {
            Ok(Ok(piece)) => Ok(piece),
            Ok(Err(error)) => Err(connection_failure(&error).error),
            Err(_) => Err(ReadError::Timeout),
        }
    }
}
