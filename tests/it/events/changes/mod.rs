//! Events about accounts, holds, trips, drift and sources.

mod schemas;
mod accounts;
