//! The systemd unit, the package, the image and the chart.

mod manager;
mod image;
mod notify;
mod package;
mod release;
mod unit;
mod watchdog;
