//! The `leaver` command.

fn main() {}
