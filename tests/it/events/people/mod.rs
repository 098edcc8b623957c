//! Slack and e-mail: one message for many events, and no names in it.
