//! Recorded observations, and `leaver backtest` over them.

mod recording;
