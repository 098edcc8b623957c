//! Claims, retries, pauses, dead letters, and `leaver events`.
