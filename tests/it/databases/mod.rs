//! Databases as they are met in production: poolers, limits, failover, restore, large tables, every supported version.

mod bounds;
mod cluster;
mod failover;
mod health;
mod idle;
mod nodes;
mod numbers;
mod poolers;
mod replicas;
mod restore;
mod urls;
mod versions;
