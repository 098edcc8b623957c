//! The rules of correctness, each from a signed delivery to the account.

mod acting;
mod addresses;
mod afterwards;
mod by_hand;
mod deleted;
mod judging;
mod locked;
mod locales;
mod outdated;
mod reading;
mod records;
mod rows;
mod seen;
mod shapes;
mod states;
mod tenants;
