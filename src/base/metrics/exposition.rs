//! The two text formats of `/metrics`.

use std::fmt::{Error, Write};

use prometheus_client::encoding::text::{encode_eof, encode_registry};

use super::Metrics;

/// A format of metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text, version 0.0.4.
    #[default]
    Text,
    /// `OpenMetrics` text, version 1.0.0.
    OpenMetrics,
}

impl Format {
    /// Returns the format for the value of an `Accept` header. `OpenMetrics` must be named there, and not with a lower quality
    /// than text.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        let quality = |wanted: &str| {
            let ranges = accept.split(',').filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                let name = parts.next()?;
                let quality = parts.find_map(|part| part.strip_prefix("q="));
                name.eq_ignore_ascii_case(wanted)
                    .then(|| quality.map_or(1.0, |q| q.parse().unwrap_or(0.0)))
            });
            ranges.fold(0.0, f64::max)
        };
        let wanted = quality("application/openmetrics-text");
        if wanted > 0.0 && wanted >= quality("text/plain") {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    /// Returns the value of `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Metrics {
    /// Returns all metrics as text.
    ///
    /// # Errors
    /// Returns the encoder's error; writing to memory does not fail.
    pub fn text(&self, format: Format) -> Result<String, Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        encode_registry(&mut text, &self.process)?;
        match format {
            Format::Text => classic(&text),
            Format::OpenMetrics => {
                encode_eof(&mut text)?;
                Ok(text)
            }
        }
    }
}

/// Converts `OpenMetrics` to Prometheus text. There a counter's description has the name of its samples, which ends with
/// `_total`, and units are comments.
fn classic(open: &str) -> Result<String, Error> {
    let mut text = String::with_capacity(open.len());
    let mut help = "";
    for line in open.lines() {
        if line.starts_with("# HELP ") {
            help = line;
        } else if let Some(described) = line.strip_prefix("# TYPE ") {
            let name = described.split(' ').next().unwrap_or_default();
            let is_counter = described.ends_with(" counter");
            let total = if is_counter { "_total" } else { "" };
            for (keyword, of) in [("HELP", help), ("TYPE", line)] {
                let rest = of.splitn(4, ' ').nth(3).unwrap_or_default();
                writeln!(text, "# {keyword} {name}{total} {rest}")?;
            }
        } else if !line.starts_with('#') {
            writeln!(text, "{line}")?;
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_needs_to_be_preferred() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, format) in [
            (prometheus, Format::OpenMetrics),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("text/plain;version=0.0.4", Format::Text),
            (
                "text/plain;version=0.0.4;q=1,application/openmetrics-text;q=0.3",
                Format::Text,
            ),
            ("application/openmetrics-text;q=0", Format::Text),
            ("*/*", Format::Text),
            ("", Format::Text),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }

    #[test]
    fn classic_text_describes_counters_by_their_samples() {
        let open = "# HELP a_b Some help.\n# TYPE a_b counter\n# UNIT a_b b\na_b_total{x=\"# HELP\"} 1\n# EOF\n";
        let text =
            "# HELP a_b_total Some help.\n# TYPE a_b_total counter\na_b_total{x=\"# HELP\"} 1\n";
        assert_eq!(classic(open).as_deref(), Ok(text));
    }
}
