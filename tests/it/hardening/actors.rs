//! Actors cannot be claimed.
