//! A hostile body stays inside its memory.
