//! Progress of long work: a bar on a terminal after half a second, otherwise a line every 10 s on stderr. A summary at the end.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;

use super::output;

/// Time between two lines where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Quicker work draws no bar.
const BAR_DELAY: Duration = Duration::from_millis(500);

/// Template of a bar with a known total.
const WITH_TOTAL: &str = "{prefix} {bar:30} {pos} of {len}, {msg}, {eta} left";
/// Template without one.
const WITHOUT_TOTAL: &str = "{prefix} {spinner} {pos}, {msg}";

/// The expected number of items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Total {
    /// It is not known.
    Unknown,
    /// About as many, by an earlier count.
    About(u64),
    /// Exactly as many.
    Exactly(u64),
}

impl Total {
    /// Returns the number, if one is known.
    fn number(self) -> Option<u64> {
        match self {
            Self::Unknown | Self::About(0) => None,
            Self::About(number) | Self::Exactly(number) => Some(number),
        }
    }
}

/// Progress of one piece of work. Dropping it ends its lines.
pub(super) struct Progress {
    counted: Arc<Counted>,
    bar: Option<ProgressBar>,
    /// Draws the bar later, or prints the lines.
    shown: JoinHandle<()>,
}

/// The work and how much of it is done.
struct Counted {
    /// Such as `sync bamboohr`.
    name: String,
    /// The items in the singular, such as `employee`.
    noun: &'static str,
    total: Total,
    done: AtomicU64,
    began: Instant,
}

impl Progress {
    /// Begins to show progress. It must be called inside the runtime.
    pub(super) fn start(name: impl Into<String>, noun: &'static str, total: Total) -> Self {
        let counted = Arc::new(Counted {
            name: name.into(),
            noun,
            total,
            done: AtomicU64::new(0),
            began: Instant::now(),
        });
        let terminal = ProgressDrawTarget::stderr();
        // A terminal that moves no cursor gets lines.
        let has_bar =
            std::io::stderr().is_terminal() && !output::is_quiet() && !terminal.is_hidden();
        let bar = has_bar.then(|| bar(&counted));
        let shown = match bar.clone() {
            Some(bar) => tokio::spawn(draw_later(bar, terminal)),
            None => tokio::spawn(print_lines(Arc::clone(&counted))),
        };
        Self {
            counted,
            bar,
            shown,
        }
    }

    /// Shows how many items are done by now.
    pub(super) fn set(&self, done: u64) {
        self.counted.done.store(done, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            // A total by an earlier count may be too small.
            if bar.length().is_some_and(|length| length < done) {
                bar.set_length(done);
            }
            bar.set_message(self.counted.rate(self.counted.began.elapsed()));
            bar.set_position(done);
        }
    }

    /// Removes the bar and prints the summary.
    pub(super) fn finish(mut self) {
        self.end();
        output::note(&self.counted.summary(self.counted.began.elapsed()));
    }

    fn end(&mut self) {
        self.shown.abort();
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

/// Draws a bar once its work has taken a while.
async fn draw_later(bar: ProgressBar, terminal: ProgressDrawTarget) {
    tokio::time::sleep(BAR_DELAY).await;
    bar.set_draw_target(terminal);
    bar.enable_steady_tick(Duration::from_millis(200));
}

/// Prints a line at intervals.
async fn print_lines(counted: Arc<Counted>) {
    let mut ticks = tokio::time::interval(LINE_INTERVAL);
    // The first tick is at once.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        output::note(&counted.line(counted.began.elapsed()));
    }
}

/// Returns a bar that is not drawn yet.
fn bar(counted: &Counted) -> ProgressBar {
    let length = counted.total.number();
    let template = if length.is_some() {
        WITH_TOTAL
    } else {
        WITHOUT_TOTAL
    };
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::hidden());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_prefix(output::text(&counted.name));
    bar.set_message(counted.rate(Duration::ZERO));
    bar
}

impl Counted {
    fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    fn items(&self, number: u64) -> String {
        output::count(usize::try_from(number).unwrap_or(usize::MAX), self.noun)
    }

    fn rate(&self, elapsed: Duration) -> String {
        format!("{:.0} a second", per_second(self.done(), elapsed))
    }

    /// Returns the line of a moment.
    fn line(&self, elapsed: Duration) -> String {
        let (name, done, rate) = (&self.name, self.done(), self.rate(elapsed));
        let Some(total) = self.total.number().filter(|total| *total >= done) else {
            return format!("{name}: {}, {rate}", self.items(done));
        };
        let about = match self.total {
            Total::About(_) => "about ",
            Total::Unknown | Total::Exactly(_) => "",
        };
        let left = match per_second(done, elapsed) {
            rate if rate > 0.0 => {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "an estimate of seconds needs no more"
                )]
                let seconds = (total - done) as f64 / rate;
                format!(", about {} left", duration(seconds))
            }
            _ => String::new(),
        };
        format!(
            "{name}: {done} of {about}{}, {rate}{left}",
            self.items(total)
        )
    }

    fn summary(&self, elapsed: Duration) -> String {
        let (name, items) = (&self.name, self.items(self.done()));
        let took = duration(elapsed.as_secs_f64());
        format!("{name}: {items} in {took}, {}", self.rate(elapsed))
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rate needs no more than 52 bits"
)]
fn per_second(done: u64, elapsed: Duration) -> f64 {
    done as f64 / elapsed.as_secs_f64().max(0.001)
}

/// Returns a time with its unit.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(total: Total, done: u64) -> Counted {
        Counted {
            name: "sync hr".to_owned(),
            noun: "employee",
            total,
            done: AtomicU64::new(done),
            began: Instant::now(),
        }
    }

    #[test]
    fn a_line_has_count_total_rate_and_time_left() {
        let at = Duration::from_secs(10);
        for (total, done, line) in [
            (
                Total::Exactly(5000),
                1200,
                "sync hr: 1200 of 5000 employees, 120 a second, about 32 s left",
            ),
            (
                Total::About(100_000),
                1000,
                "sync hr: 1000 of about 100000 employees, 100 a second, about 16 min left",
            ),
            (
                Total::Exactly(10),
                0,
                "sync hr: 0 of 10 employees, 0 a second",
            ),
            (
                Total::Unknown,
                1200,
                "sync hr: 1200 employees, 120 a second",
            ),
            // The estimate was too small.
            (
                Total::About(10),
                1200,
                "sync hr: 1200 employees, 120 a second",
            ),
        ] {
            assert_eq!(counted(total, done).line(at), line);
        }
        let summary = counted(Total::Unknown, 1).summary(Duration::from_millis(1500));
        assert_eq!(summary, "sync hr: 1 employee in 1.5 s, 1 a second");
    }
}
