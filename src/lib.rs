#![doc = "Leaver ends a leaver's access in your own Postgres the moment HR says so."]

pub mod domain;
pub mod clock;
pub mod settings;
pub mod http;
pub mod signature;
pub mod inbox;
pub mod intake;
pub mod payload;
pub mod decision;
pub mod roster;
pub mod accounts;
pub mod audit;
pub mod holds;
pub mod worker;
pub mod pull;
pub mod metrics;
pub mod vitals;
pub mod health;
pub mod schema;
pub mod telemetry;
pub mod app;
pub mod embedded;
pub mod client;
pub mod cli;
pub mod demo;
