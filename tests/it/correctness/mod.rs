//! The rules of correctness, each from a signed delivery to the account.

mod acting;
mod addresses;
mod by_hand;
mod deleted;
mod judging;
mod outdated;
mod reading;
mod records;
mod rows;
mod seen;
mod shapes;
mod states;
