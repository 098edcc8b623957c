//! The split of `database.max_connections` (ADR 0014).

/// The smallest number of connections with which the service works.
pub const MIN_CONNECTIONS: u32 = 8;

/// The connections of each part of the service. Their sum is [`Split::total`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// Inserts of new deliveries.
    pub receiving: u32,
    /// Records repeated deliveries.
    pub duplicates: u32,
    /// Ends backends that were given up.
    pub control: u32,
    /// Health and readiness: one for queries, one for the write probe.
    pub health: u32,
    /// Work that one replica does at a time.
    pub locks: u32,
    /// Notifications of other replicas. Without it they are polled for.
    pub listening: u32,
    /// All other work of the jobs, and lists of the roster.
    pub jobs: u32,
}

impl Split {
    /// Splits this many connections; fewer than [`MIN_CONNECTIONS`] count as so many.
    ///
    /// Receiving gets its share first. What is left over goes to the jobs.
    #[must_use]
    pub fn of(connections: u32) -> Self {
        let total = connections.max(MIN_CONNECTIONS);
        let mut split = Self {
            receiving: if total < 10 {
                2 - u32::from(total == 8)
            } else {
                3
            },
            duplicates: 1,
            control: 1,
            health: 2,
            locks: 1 + u32::from(total >= 14),
            listening: u32::from(total >= 12),
            jobs: 0,
        };
        split.jobs = total - split.total();
        split
    }

    /// Returns the sum of all shares.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.receiving
            + self.duplicates
            + self.control
            + self.health
            + self.locks
            + self.listening
            + self.jobs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_add_up_to_the_limit() {
        for connections in MIN_CONNECTIONS..200 {
            let split = Split::of(connections);
            assert_eq!(split.total(), connections);
            // A batch and its record need two.
            assert!(split.jobs >= 2, "{split:?}");
        }
        assert_eq!(Split::of(0), Split::of(MIN_CONNECTIONS));
    }

    #[test]
    fn a_higher_limit_never_lowers_a_share() {
        for connections in MIN_CONNECTIONS..200 {
            let (less, more) = (Split::of(connections), Split::of(connections + 1));
            assert!(more.receiving >= less.receiving && more.health >= less.health);
            assert!(more.locks >= less.locks && more.jobs + 1 >= less.jobs);
        }
    }
}
