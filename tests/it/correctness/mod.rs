//! The rules of correctness, each from a signed delivery to the account.

mod acting;
mod addresses;
mod by_hand;
mod judging;
mod locales;
mod outdated;
mod reading;
mod records;
mod rows;
mod seen;
mod shapes;
mod states;
mod tenants;
