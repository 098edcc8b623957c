//! Causes of changes of accounts: a delivery, a sync, a timer round, a drift fix or a command.

use uuid::Uuid;

use crate::engine::audit::Actor;
use crate::engine::safeguard::Wanted;
use leaver_core::domain::Employee;

/// The kind of a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Cause {
    /// A delivery.
    Webhook,
    /// A scheduled end of access, or the retry of one that the database did not carry out.
    Timer,
    /// A sync of a source.
    Sync,
    /// A drift fix.
    Drift,
    /// The read of one employee over the API.
    Api,
    /// A command, or an approved hold.
    Cli,
    /// The release of a trip.
    Release,
    /// An undo.
    Undo,
}

impl Cause {
    /// Returns the value in `leaver.changes` and `leaver.batches`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    fn is_decided_by_person(self) -> bool {
        matches!(self, Self::Cli | Self::Release | Self::Undo)
    }
}

/// The cause of changes, the actor, and the batch that they belong to.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Who causes them, for the audit log.
    pub actor: Actor,
    /// The cause.
    pub cause: Cause,
    /// True if a person decided about each account: the safeguard neither stops nor counts such changes.
    pub(crate) is_decided_by_person: bool,
    /// True if changes of accounts and holds wait: the employees are left as they are, and reported.
    pub(crate) defers_changes: bool,
    /// Changes of this and of later slices of the transaction. The safeguard counts them with the first slice.
    pub(crate) announced: Wanted,
    /// The batch. Changes of deliveries belong to the delivery.
    batch: Uuid,
}

impl Origin {
    fn new(cause: Cause, actor: Actor) -> Self {
        Self {
            actor,
            cause,
            is_decided_by_person: cause.is_decided_by_person(),
            defers_changes: false,
            announced: Wanted::new(),
            batch: Uuid::now_v7(),
        }
    }

    /// Returns the origin of the changes that deliveries cause.
    #[must_use]
    pub fn deliveries() -> Self {
        Self::new(Cause::Webhook, Actor::WORKER)
    }

    /// Returns the same origin, whose changes of accounts and holds wait.
    #[must_use]
    pub(crate) fn deferring_changes(self) -> Self {
        Self {
            defers_changes: true,
            ..self
        }
    }

    /// Returns the same origin, which announces the changes of later slices.
    #[must_use]
    pub(crate) fn announcing(self, announced: Wanted) -> Self {
        Self { announced, ..self }
    }

    /// Returns the origin of one round of the timer.
    #[must_use]
    pub fn timer() -> Self {
        Self::new(Cause::Timer, Actor::TIMER)
    }

    /// Returns the origin of one sync.
    #[must_use]
    pub fn sync() -> Self {
        Self::new(Cause::Sync, Actor::SYNC)
    }

    /// Returns the origin of one drift check.
    #[must_use]
    pub fn drift() -> Self {
        Self::new(Cause::Drift, Actor::DRIFT)
    }

    /// Returns the origin of the read of one employee.
    #[must_use]
    pub fn api() -> Self {
        Self::new(Cause::Api, Actor::WORKER)
    }

    /// Returns the origin of a command of a person.
    #[must_use]
    pub fn person(cause: Cause, actor: &Actor) -> Self {
        Self::new(cause, actor.clone())
    }

    /// Returns the origin of the changes that shadow mode has only planned. A person decided to make them, and not about each.
    #[must_use]
    pub fn backlog(actor: &Actor) -> Self {
        Self {
            is_decided_by_person: false,
            ..Self::person(Cause::Cli, actor)
        }
    }

    /// Returns the batch of a change of this employee's account.
    pub(crate) fn batch_of(&self, employee: &Employee) -> Uuid {
        match (self.cause, employee.last_delivery_id) {
            (Cause::Webhook, Some(delivery)) => delivery.0,
            _ => self.batch,
        }
    }

    /// Returns the batch of changes that no delivery causes.
    #[must_use]
    pub fn batch(&self) -> Uuid {
        self.batch
    }
}
