//! Why a parsed body contains nothing to process.

use std::fmt;

/// Why an authentic body is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    test,
    derive(strum::IntoStaticStr),
    strum(serialize_all = "snake_case")
)]
pub enum Ignored {
    /// The body is blank or lists no employee.
    Empty,
    /// A connection test.
    Ping,
    /// An event about another Common Model of Merge, for example `Employment`.
    OtherModel,
    /// An event type that is not supported. Providers add new ones.
    UnknownEvent,
    /// A report that Merge finished a sync.
    SyncReport,
    /// A customer connected an HR system to Merge.
    AccountLinked,
    /// A customer disconnected an HR system from Merge.
    AccountDeleted,
    /// A problem of a connection to Merge began or ended.
    AccountIssue,
    /// An event about the BambooHR company, not about an employee.
    Company,
    /// An event of a Merge test account.
    TestAccount,
    /// An event of a linked account of another application.
    OtherApplication,
    /// An event of a linked account that is not configured.
    UnknownLinkedAccount,
}

impl Ignored {
    /// Returns what the body contained and, if something has to be done, what.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::Empty => "the body lists no employee",
            Self::Ping => "a connection test; the key is right",
            Self::OtherModel => {
                "an event about another Common Model of Merge, not about an employee"
            }
            Self::UnknownEvent => "an unsupported event type",
            Self::SyncReport => "Merge finished a sync; changes of employees arrive separately",
            Self::AccountLinked => {
                "a customer linked an account in Merge; add it to `linked_accounts` of this source \
                 if its employees use this application"
            }
            Self::AccountDeleted => {
                "a linked account was deleted in Merge; nobody left, but it sends no further changes"
            }
            Self::AccountIssue => {
                "Merge reports a problem with the connection to an HR system; changes may be delayed \
                 until the linked account is repaired in Merge"
            }
            Self::Company => "an event about the company, not about an employee",
            Self::TestAccount => "an event of a Merge test account",
            Self::OtherApplication => {
                "the linked account is in `ignored_linked_accounts` of this source"
            }
            Self::UnknownLinkedAccount => {
                "the linked account is not in `linked_accounts` of this source"
            }
        }
    }
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}
