//! Why a body, an entry or an API response cannot be parsed.
//!
//! No error holds or prints a part of the body, since bodies contain personal data.

use super::json::UnreadableMember;

/// Part of the text of [`EntryError::FieldsNotMapped`], by which health finds such deliveries.
pub const FIELDS_NOT_MAPPED: &str = "none of its posted fields is known";

/// Why an authentic body cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(
    test,
    derive(strum::IntoStaticStr),
    strum(serialize_all = "snake_case")
)]
pub enum ParseError {
    /// The body is not JSON or is truncated.
    #[error("the body is not JSON or is truncated (line {line}, column {column})")]
    NotJson {
        /// Where parsing stopped, from 1.
        line: usize,
        /// Where parsing stopped, from 1.
        column: usize,
    },
    /// A member that the body cannot be parsed without occurs twice, or has characters or a number that are none.
    #[error("the body's `{0}` is repeated or cannot be read")]
    UnreadableMember(&'static str),
    /// The body is JSON, but an array or a scalar.
    #[error("the body is JSON, but not an object")]
    NotAnObject,
    /// The body has neither of BambooHR's two structures.
    #[error("the body has neither employees nor an event type")]
    NoEmployees,
}

impl From<UnreadableMember> for ParseError {
    fn from(UnreadableMember(name): UnreadableMember) -> Self {
        Self::UnreadableMember(name)
    }
}

impl From<UnreadableMember> for EntryError {
    fn from(UnreadableMember(name): UnreadableMember) -> Self {
        Self::UnreadableMember(name)
    }
}

impl From<UnreadableMember> for InvalidResponse {
    fn from(_: UnreadableMember) -> Self {
        Self::WrongShape("a needed member is repeated or cannot be read")
    }
}

/// An entry that cannot be parsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {position}: {cause}")]
pub struct InvalidEntry {
    /// The position in the body, from 0.
    pub position: usize,
    /// The problem.
    pub cause: EntryError,
}

/// The problem with an entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum EntryError {
    /// The entry is not an object.
    #[error("it is not an object")]
    NotAnObject,
    /// The entry has no employee id.
    #[error("it has no employee id")]
    NoId,
    /// The employee id is longer than 200 bytes, has control characters or is a number that is not whole.
    #[error("its employee id is too long, has control characters or is not a whole number")]
    UnusableId,
    /// A needed member occurs twice, or has characters or a number that are none.
    #[error("its `{0}` is repeated or cannot be read")]
    UnreadableMember(&'static str),
    /// It posts fields, and none of their names is configured. Names are no personal data.
    #[error("{FIELDS_NOT_MAPPED} ({0}); add the posted names to `sources.fields`")]
    FieldsNotMapped(String),
    /// All facts of an API record are null or hidden. This does not mean that the person left.
    #[error("all required fields are null or hidden; check the permissions of the API key")]
    NullRecord,
}

/// Why an API response cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResponse {
    /// The JSON ends early.
    #[error("the JSON is truncated")]
    Truncated,
    /// The response is not JSON.
    #[error("it is not JSON")]
    NotJson,
    /// The JSON has another shape than the API documents.
    #[error("{0}")]
    WrongShape(&'static str),
}
