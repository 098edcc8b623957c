//! Each command reads only the secrets that it uses.
