//! The rules of correctness, each from a signed delivery to the account.

mod reading;
mod shapes;
