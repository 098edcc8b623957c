//! Companies read in few requests.
