//! Refusals are counted and throttled.
