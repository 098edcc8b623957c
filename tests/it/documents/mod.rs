//! The pages of the documentation: their links, and what they state.

mod erasure;
mod links;
mod pages;
mod proxies;
