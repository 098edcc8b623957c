//! Prometheus reads the metrics, its alerts fire, the dashboard has data.
