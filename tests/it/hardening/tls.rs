//! A server that does not prove who it is gets no password.
