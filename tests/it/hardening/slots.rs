//! Connections of strangers take nothing from senders that were verified.
