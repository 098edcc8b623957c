//! Functions and operators that others plant are never called.
