//! What becomes of deliveries and entries that are not changes. Nothing here ever holds a piece of a body.

use std::fmt;

/// Why an authentic, readable delivery concerns nobody of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    test,
    derive(strum::IntoStaticStr),
    strum(serialize_all = "snake_case")
)]
pub enum Ignored {
    /// No body, or no employee in it.
    Empty,
    /// A test of the connection.
    Ping,
    /// Merge tells of a model other than Employee.
    OtherModel,
    /// An event that we do not know; providers announce new ones.
    UnknownEvent,
    /// Merge finished a sync.
    SyncReport,
    /// A customer connected an HR system to Merge.
    AccountLinked,
    /// A customer disconnected an HR system from Merge.
    AccountDeleted,
    /// A connection of Merge's has, or had, a problem.
    AccountIssue,
    /// BambooHR tells of the company, not of an employee.
    Company,
    /// One of Merge's test accounts, which sign with the same key as real ones.
    TestAccount,
    /// A linked account that is not in the configuration.
    UnknownLinkedAccount,
}

impl Ignored {
    /// What it means and, where there is something to do, what.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Empty => "The body names no employee.",
            Self::Ping => "A test of the connection; the key is right.",
            Self::OtherModel => "It is about another of Merge's models, not about an employee.",
            Self::UnknownEvent => "An event that we do not know; nothing was done.",
            Self::SyncReport => "Merge finished a sync; changes of employees come by themselves.",
            Self::AccountLinked => {
                "A customer linked an account at Merge: add it to the source's linked_accounts, \
                 if it is to be heard."
            }
            Self::AccountDeleted => {
                "A linked account was removed at Merge. Nobody has left, but nothing more will come \
                 from it."
            }
            Self::AccountIssue => {
                "Merge reports on the connection to an HR system. While a problem lasts, changes do \
                 not arrive: look at the linked account in Merge."
            }
            Self::Company => "It is about the company, not about an employee.",
            Self::TestAccount => "It comes from a test account at Merge.",
            Self::UnknownLinkedAccount => {
                "It comes from a linked account that is not in the source's linked_accounts."
            }
        }
    }
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

/// Why nothing could be made of an authentic body. It holds places, never content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(
    test,
    derive(strum::IntoStaticStr),
    strum(serialize_all = "snake_case")
)]
pub enum ParseError {
    /// Not JSON, cut off, or nested deeper than we follow.
    #[error("the body is not JSON, is cut off or nests too deeply (line {line}, column {column})")]
    NotJson {
        /// Where reading ended, counted from one.
        line: usize,
        /// Where reading ended, counted from one.
        column: usize,
    },
    /// An object has two members of one name, and nobody can say which is meant.
    #[error("the body's JSON names a member twice (line {line}, column {column})")]
    RepeatedMember {
        /// Where the second one ends, counted from one.
        line: usize,
        /// Where the second one ends, counted from one.
        column: usize,
    },
    /// JSON, but a list or a bare value.
    #[error("the body is JSON, but not an object")]
    NotAnObject,
    /// Neither of BambooHR's two structures.
    #[error("the body holds neither employees nor an event type")]
    NoEmployees,
}

/// An entry that could not be read, while others beside it could.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {position}: {cause}")]
pub struct InvalidEntry {
    /// Its place in the body, counted from zero.
    pub position: usize,
    /// What is wrong with it.
    pub cause: EntryError,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum EntryError {
    /// The entry is text, a number, a list or nothing.
    #[error("it is not an object")]
    NotAnObject,
    /// The entry does not say whom it is about.
    #[error("it has no employee id")]
    NoId,
    /// The employee id is absurdly long or holds control characters.
    #[error("its employee id is too long or holds control characters")]
    UnusableId,
    /// A record of an API in which all that we need is null or withheld. Nobody has left by that.
    #[error("all that we need of it is null or withheld: look at the permissions of the API's key")]
    NullRecord,
}

/// Why an API's answer cannot be used. It holds nothing of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResponse {
    /// It ends in the middle.
    #[error("the JSON ends in the middle")]
    CutOff,
    /// It is something else.
    #[error("it is not JSON")]
    NotJson,
    /// It is JSON of another shape than the contract's; what is missing or wrong.
    #[error("{0}")]
    WrongShape(&'static str),
}
