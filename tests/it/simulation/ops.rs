//! The operations as data: a list of them is a file that a person can read and a test can replay.

use serde::{Deserialize, Serialize};

/// A list of operations, and the policy they run under.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct OpList {
    /// What it shows, for the reader of a file.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) about: String,
    pub(super) rehire: Rehire,
    /// Deliveries per transaction at most; with one, two replicas really work at the same time.
    #[serde(default = "many")]
    pub(super) batch: u16,
    /// Accounts that may be changed within an hour, and twice as many within a day; without it, any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<u32>,
    pub(super) ops: Vec<Op>,
}

fn many() -> u16 {
    OpList::MANY
}

impl OpList {
    /// As many as the service takes of itself.
    pub(super) const MANY: u16 = 500;
}

/// The policy `rehire`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Rehire {
    Hold,
    Reactivate,
}

/// One operation. Each begins a second after the one before.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Op {
    /// A new webhook.
    Send(Letter),
    /// One that was sent before, byte for byte, counted from the first.
    Resend { nth: usize, signed: Signed },
    /// Something that must do no harm.
    Bad(Bad),
    /// Time passes.
    Advance { minutes: i64 },
    /// The worker does one round.
    Work,
    /// The worker goes on until it has nothing to do, and then the timer looks.
    Settle,
    /// The timer looks.
    Timer,
    /// Another replica does a round at the same time.
    TwoAtWork,
    /// The process dies in the middle of a round, and another is started. Something may arrive in between.
    Kill {
        at: KillPoint,
        meanwhile: Option<Letter>,
    },
    /// Postgres ends all sessions of the service.
    EndSessions,
    /// The way to Postgres is cut.
    Cut,
    /// And is there again.
    Restore,
    /// The next step of a rotation: the service takes both keys, the sender signs with the new one, the service takes
    /// only that.
    Rotate(Source),
    /// Retention.
    KeepHouse,
    /// A person says yes to an open hold.
    Approve { nth: usize },
    /// A person says no.
    Reject { nth: usize },
    /// Somebody switches an account on by hand, and its user logs in.
    SwitchOn(Record),
    /// Somebody switches an account off by hand.
    SwitchOff(Record),
    /// The comparison of roster and accounts, with `drift.mode = "fix"`.
    FixDrift,
    /// The database does not let the service change an account, from now on.
    Obstruct { of: Record, by: Obstacle },
    /// It does again.
    Permit(Record),
    /// The application deletes the account.
    DeleteAccount(Record),
    /// The application creates an account under the address, if there is none.
    CreateAccount(Record),
    /// The periodic comparison of roster and accounts, with `drift.mode = "report"`.
    CheckDrift,
    /// A person releases all open trips, of those that are held at that moment.
    ReleaseTrips,
    /// A person rejects all open trips.
    RejectTrips,
}

/// How the database keeps an account as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Obstacle {
    /// A trigger raises an error.
    Raises,
    /// A deferred trigger raises an error at the end of the transaction.
    RaisesLate,
    /// A trigger puts the old value back.
    Reverts,
    /// A trigger skips the row.
    Skips,
    /// A trigger raises an error when a session is deleted.
    KeepsSessions,
    /// Row level security hides the account.
    Hides,
    /// Row level security shows the account and lets no update see it.
    Locks,
    /// Row level security rejects the changed account.
    Refuses,
}

/// What HR says of somebody.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Letter {
    pub(super) of: Record,
    pub(super) says: Says,
    /// So many minutes ago it was so.
    #[serde(default)]
    pub(super) minutes_old: i64,
    /// A BambooHR form, whose entries bear no time: it is as of the time that was signed.
    #[serde(default)]
    pub(super) form: bool,
}

/// Facts, as an HR department would put them. Days are counted from the day of the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Says {
    /// Works there; there is no termination date.
    Works,
    /// Works there. Of a date nothing is said, or, where records are whole, it stays as it is said here.
    StillWorks { days: i64 },
    /// Works there, until a day.
    WorksUntil { days: i64 },
    /// Has left.
    Left,
    /// Does not work there (any more), with a last day that may lie ahead.
    InactiveFrom { days: i64 },
    /// Inactive and no more (Merge).
    Inactive,
    /// Will begin on a day that may lie ahead (BambooHR: inactive, with a hire date; Merge: PENDING).
    Begins { days: i64 },
    /// The record has been removed.
    Removed,
    /// Something has changed (BambooHR's event-based webhooks).
    Changed,
    /// Has a new address; nobody's.
    Renamed,
}

/// An employee's record in one HR system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Record {
    Ana,
    Ben,
    /// Nothing is known of Dia at first.
    Dia,
    Eve,
    Fay,
    /// Gus is in both systems, with one account.
    GusInBamboohr,
    GusInMerge,
    /// Nothing is known of Hal at first, and Hal has no account.
    Hal,
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Source {
    Bamboohr,
    Merge,
}

/// How a repetition is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Signed {
    /// Anew, with the key of the day.
    Anew,
    /// As it was the first time: captured and replayed.
    AsBefore,
}

/// What must do no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Bad {
    /// Signed, and nonsense.
    Garbage(Source),
    /// A departure, signed with another key.
    Forged(Source),
    /// A departure for a source that is not there.
    UnknownSource,
    /// A departure that was signed four hours ago (BambooHR).
    Stale,
    /// Signed, and not about an employee (Merge).
    Ignored,
}

/// Where the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KillPoint {
    /// Deliveries are claimed, the roster is not read yet.
    Claimed,
    /// The accounts are about to be changed.
    Decided,
    /// The accounts are changed and the record is about to be written.
    Applied,
}

impl Op {
    /// Whom it is about.
    pub(super) fn of(&mut self) -> Option<&mut Record> {
        match self {
            Self::Send(letter) => Some(&mut letter.of),
            Self::Kill { meanwhile, .. } => meanwhile.as_mut().map(|letter| &mut letter.of),
            Self::SwitchOn(of)
            | Self::SwitchOff(of)
            | Self::Obstruct { of, .. }
            | Self::Permit(of)
            | Self::DeleteAccount(of)
            | Self::CreateAccount(of) => Some(of),
            _ => None,
        }
    }
}

impl Record {
    pub(super) const ALL: [Self; 8] = [
        Self::Ana,
        Self::Ben,
        Self::Dia,
        Self::Eve,
        Self::Fay,
        Self::GusInBamboohr,
        Self::GusInMerge,
        Self::Hal,
    ];

    pub(super) fn source(self) -> Source {
        match self {
            Self::Ana | Self::Ben | Self::Dia | Self::GusInBamboohr | Self::Hal => Source::Bamboohr,
            Self::Eve | Self::Fay | Self::GusInMerge => Source::Merge,
        }
    }

    /// The id in its HR system.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Ana => "101",
            Self::Ben => "102",
            Self::Dia => "103",
            Self::GusInBamboohr => "104",
            Self::Hal => "105",
            Self::Eve => "m-eve",
            Self::Fay => "m-fay",
            Self::GusInMerge => "m-gus",
        }
    }

    /// The person, whose account bears the name.
    pub(super) fn person(self) -> &'static str {
        match self {
            Self::Ana => "ana",
            Self::Ben => "ben",
            Self::Dia => "dia",
            Self::Eve => "eve",
            Self::Fay => "fay",
            Self::GusInBamboohr | Self::GusInMerge => "gus",
            Self::Hal => "hal",
        }
    }
}

impl Source {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bamboohr => "bamboohr",
            Self::Merge => "merge",
        }
    }
}
