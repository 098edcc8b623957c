//! Crashes, failures of Postgres and hostile clients. docs/RELIABILITY.md numbers the faults and names the test of each.

mod black_hole;
pub(crate) mod checker;
mod clocks;
mod database;
mod disk;
mod hostile;
mod kills;
pub(crate) mod ledger;
pub(crate) mod own_postgres;
#[cfg(feature = "failpoints")]
mod points;
#[cfg(feature = "failpoints")]
mod poison;
mod refusals;
pub(crate) mod load_test;
mod stops;
pub(crate) mod table;

/// Says why a test shows nothing here, or how to repeat it.
#[expect(clippy::print_stderr, reason = "whoever runs the tests should read it")]
pub(crate) fn say(words: &str) {
    eprintln!("{words}");
}

/// A way for a test to choose that a seed repeats.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number below `end`, by splitmix64.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}
