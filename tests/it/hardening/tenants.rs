//! One company never reaches the accounts of another.
