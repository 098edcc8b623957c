//! Attacks: each line of the threat model in `docs/THREATS.md` has its tests here.

mod actors;
mod keys;
mod memory;
mod path;
mod payloads;
mod printed;
mod refusals;
mod row_security;
mod secrets;
mod slices;
mod slots;
mod statements;
mod supply;
mod tenants;
mod threats;
pub(crate) mod tls;
