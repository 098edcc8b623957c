//! Why a body, an entry or an API response cannot be parsed.
//!
//! No error holds or prints a part of the body, since bodies contain personal data.

/// Why an authentic body cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(
    test,
    derive(strum::IntoStaticStr),
    strum(serialize_all = "snake_case")
)]
pub enum ParseError {
    /// The body is not JSON, is truncated or exceeds the nesting limit.
    #[error(
        "the body is not JSON, is truncated or is nested too deeply (line {line}, column {column})"
    )]
    NotJson {
        /// Where parsing stopped, from 1.
        line: usize,
        /// Where parsing stopped, from 1.
        column: usize,
    },
    /// An object has two members of the same name.
    #[error("the body's JSON repeats a member (line {line}, column {column})")]
    RepeatedMember {
        /// Where the second member ends, from 1.
        line: usize,
        /// Where the second member ends, from 1.
        column: usize,
    },
    /// The body is JSON, but an array or a scalar.
    #[error("the body is JSON, but not an object")]
    NotAnObject,
    /// The body has neither of BambooHR's two structures.
    #[error("the body has neither employees nor an event type")]
    NoEmployees,
}

/// An entry that cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {position}: {cause}")]
pub struct InvalidEntry {
    /// The position in the body, from 0.
    pub position: usize,
    /// What is wrong with it.
    pub cause: EntryError,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum EntryError {
    /// The entry is not an object.
    #[error("it is not an object")]
    NotAnObject,
    /// The entry has no employee id.
    #[error("it has no employee id")]
    NoId,
    /// The employee id is longer than 200 bytes or has control characters.
    #[error("its employee id is too long or has control characters")]
    UnusableId,
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
