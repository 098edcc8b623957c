//! The systemd unit, the package, the image and the chart.

mod manager;
mod notify;
mod unit;
mod watchdog;
