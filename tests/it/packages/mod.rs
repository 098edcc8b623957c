//! The systemd unit, the package, the image and the chart.
