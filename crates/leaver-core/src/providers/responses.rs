//! Parts that the API responses of all providers have in common.

use serde_json::{Map, Value, error::Category};

use super::json_keep::{Keep, kept};
use super::{InvalidResponse, json};

/// Longest body that can be an error, in bytes. Longer ones are data.
const MAX_ERROR_BYTES: usize = 16 * 1024;

/// Returns the HTTP status of an error that was sent with status 200, or `None` if the body is no such error.
#[must_use]
pub fn error_in_success(body: &[u8]) -> Option<u16> {
    // BambooHR's delivery log reports throttling as `{"error":{"code":429,...}}` with status 200:
    // tests/openapi/bamboohr.yaml, operation list-webhook-logs.
    if body.len() > MAX_ERROR_BYTES {
        return None;
    }
    let response = json::value(body).ok()?;
    let code = response.get("error")?.get("code")?;
    let code = json::scalar_text(code)?.trim().parse().ok()?;
    (400..600).contains(&code).then_some(code)
}

/// Parses the needed parts of a response that must be an object.
pub(super) fn object(
    body: &[u8],
    keep: &'static Keep,
) -> Result<Map<String, Value>, InvalidResponse> {
    match kept(body, keep) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(InvalidResponse::WrongShape("it is not an object")),
        Err(error) => Err(bad_json(&error)),
    }
}

/// Parses a whole response that must be an object. For responses that are small by a limit of the client.
pub(super) fn small_object(body: &[u8]) -> Result<Map<String, Value>, InvalidResponse> {
    match json::value(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(InvalidResponse::WrongShape("it is not an object")),
        Err(error) => Err(bad_json(&error)),
    }
}

/// Converts an error of `serde_json`. Its text is dropped, since it quotes the body.
pub(super) fn bad_json(error: &serde_json::Error) -> InvalidResponse {
    match error.classify() {
        Category::Eof => InvalidResponse::Truncated,
        Category::Data => {
            InvalidResponse::WrongShape("a member has another type than the API documents")
        }
        Category::Io | Category::Syntax => InvalidResponse::NotJson,
    }
}
