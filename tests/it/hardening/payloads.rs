//! Bodies, pages and headers that mislead a parser.
