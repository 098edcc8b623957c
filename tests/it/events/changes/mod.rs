//! Events of accounts, holds, the safeguard, drift and sources: each is recorded with its change, and none without.
