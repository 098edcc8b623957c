#![doc = "Leaver ends a leaver's access in your own Postgres the moment HR says so."]

pub mod api;
pub mod ingest;
pub mod engine;
pub mod roster;
pub mod jobs;
pub mod connect;
pub mod reports;
pub mod db;
pub mod base;
pub mod config;
pub mod service;
pub mod cli;
pub(crate) mod demo;
