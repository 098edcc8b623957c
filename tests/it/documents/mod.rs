//! The pages of the documentation: their links and their shell blocks.
