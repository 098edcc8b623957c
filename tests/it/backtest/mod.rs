//! Recorded observations, and `leaver backtest` over them.

mod agreement;
mod command;
mod recording;
