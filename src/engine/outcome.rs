//! The effect of a decision on the account of one employee.

/// The effect on the account of one employee.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::IntoStaticStr,
    strum::VariantNames,
)]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// The account was deactivated.
    Deactivated,
    /// The account was reactivated.
    Reactivated,
    /// The end of access was scheduled or moved.
    Scheduled,
    /// A hold was opened: a person decides.
    Held,
    /// The account stays active.
    Kept,
    /// The account was inactive before.
    AlreadyInactive,
    /// The database did not carry out the decision. It is tried again.
    Blocked,
    /// The employee has no account.
    NoAccount,
    /// The observation repeats what is known.
    Unchanged,
    /// The observation is older than what is known.
    Stale,
    /// The employee is read from the provider's API first.
    Reading,
    /// The source is in shadow mode: the change is planned.
    Planned,
}

impl Outcome {
    /// All names.
    pub(crate) const NAMES: &'static [&'static str] = <Self as strum::VariantNames>::VARIANTS;

    /// Returns whether something was changed or was to be changed, as opposed to found.
    #[must_use]
    pub fn is_change(self) -> bool {
        matches!(
            self,
            Self::Deactivated
                | Self::Reactivated
                | Self::Scheduled
                | Self::Held
                | Self::Blocked
                | Self::Planned
        )
    }

    /// Returns the name used in `leaver.deliveries.outcome` and in the metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
