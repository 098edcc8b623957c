//! Large reads of everybody: their memory, time and writes.
