//! The pages of the documentation: their links, and what they state.

mod blocks;
mod erasure;
mod links;
mod pages;
mod proxies;
