//! Weak, published and shared keys do not start.
