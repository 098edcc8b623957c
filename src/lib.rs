#![doc = "Leaver ends a leaver's access in your own Postgres the moment HR says so."]

pub mod domain;
pub mod signature;
pub mod inbox;
pub mod decision;
pub mod roster;
pub mod accounts;
pub mod audit;
pub mod holds;
