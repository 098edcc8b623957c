//! What the answers of both APIs have in common: strict JSON, and an error that hides in a success.

use serde_json::{Map, Value, error::Category};

use super::{InvalidResponse, json};

/// Bodies longer than this are data; an error is short.
const LONGEST_ERROR_BYTES: usize = 16 * 1024;

/// The status that an answer with HTTP 200 really means: `{"error":{"code":429,...}}`, as BambooHR's
/// delivery log answers when it throttles (its OpenAPI file). `None` when it is no such error; a code in
/// words is left to the reader of the answer, who will miss what should be there.
#[must_use]
pub fn error_in_success(body: &[u8]) -> Option<u16> {
    if body.len() > LONGEST_ERROR_BYTES {
        return None;
    }
    let answer: Value = serde_json::from_slice(body).ok()?;
    let code = answer.get("error")?.get("code")?;
    let code = json::scalar_text(code)?.trim().parse().ok()?;
    (400..600).contains(&code).then_some(code)
}

/// The answer's object. A member named twice says two things at once, and such an answer is not used.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, InvalidResponse> {
    json::object(body).map_err(
        |_| match serde_json::from_slice::<serde::de::IgnoredAny>(body) {
            Ok(_) => InvalidResponse::WrongShape("it is no object, or names a member twice"),
            Err(error) => bad_json(&error),
        },
    )
}

/// What a failure of serde's means here.
pub(super) fn bad_json(error: &serde_json::Error) -> InvalidResponse {
    match error.classify() {
        Category::Eof => InvalidResponse::CutOff,
        Category::Data => {
            InvalidResponse::WrongShape("a member has another type than the contract says")
        }
        Category::Io | Category::Syntax => InvalidResponse::NotJson,
    }
}
