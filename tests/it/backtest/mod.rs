//! Recorded observations, and `leaver backtest` over them.

mod command;
mod recording;
