//! Limits log lines about refused requests to one a minute and subject: forged requests must not fill the disk. Each line has
//! the number of requests since the last one, and their peers. Metrics count all of them.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Least time between two lines about one subject.
const PAUSE: Duration = Duration::from_mins(1);

/// How often lines that are due are logged although no further request comes.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// Most peers that are counted one by one between two lines.
const MAX_PEERS: usize = 64;
/// Most peers in a line.
const MAX_PEERS_SHOWN: usize = 8;

/// Requests since the last line, by subject.
#[derive(Debug, Default)]
pub struct LogThrottle(Mutex<HashMap<String, Window>>);

#[derive(Debug)]
struct Window {
    since: Instant,
    count: u64,
    peers: BTreeMap<IpAddr, u64>,
}

/// The content of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Requests since the last line about the subject.
    pub(crate) count: u64,
    /// Their peers, those with the most requests first.
    pub(crate) peers: String,
}

impl LogThrottle {
    /// Counts a request. Returns a line if one is due about this subject, such as the name of a source. There must be few
    /// subjects.
    pub(crate) fn check(&self, subject: &str, peer: Option<IpAddr>, now: Instant) -> Option<Line> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = windows.get_mut(subject) {
            window.add(peer);
            return window.is_due(now).then(|| window.take_line(now));
        }
        let mut first = Window::new(now);
        first.add(peer);
        let line = first.take_line(now);
        windows.insert(subject.to_owned(), first);
        Some(line)
    }

    /// Returns the lines that are due, with their subjects. Forgets subjects without requests for a minute.
    fn take_due(&self, now: Instant) -> Vec<(String, Line)> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows.retain(|_, window| window.count > 0 || !window.is_due(now));
        let due = windows.iter_mut().filter(|(_, window)| window.is_due(now));
        due.map(|(subject, window)| (subject.clone(), window.take_line(now)))
            .collect()
    }

    /// Returns the lines about all requests that no line has counted.
    fn take_all(&self) -> Vec<(String, Line)> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut windows: Vec<_> = windows.drain().collect();
        windows.retain(|(_, window)| window.count > 0);
        let lines = windows.into_iter();
        lines
            .map(|(subject, mut window)| {
                let line = window.take_line(window.since);
                (subject, line)
            })
            .collect()
    }

    /// Logs the lines that are due until `stop`, and the others then.
    pub(crate) async fn report(&self, stop: &CancellationToken) {
        while stop
            .run_until_cancelled(tokio::time::sleep(REPORT_INTERVAL))
            .await
            .is_some()
        {
            log(self.take_due(Instant::now()));
        }
        log(self.take_all());
    }
}

fn log(lines: Vec<(String, Line)>) {
    for (subject, Line { count, peers }) in lines {
        warn!(
            subject,
            count, peers, "requests.refused: further requests since the last line about this"
        );
    }
}

impl Window {
    fn new(now: Instant) -> Self {
        Self {
            since: now,
            count: 0,
            peers: BTreeMap::new(),
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= PAUSE
    }

    fn add(&mut self, peer: Option<IpAddr>) {
        self.count += 1;
        if let Some(peer) = peer
            && (self.peers.len() < MAX_PEERS || self.peers.contains_key(&peer))
        {
            *self.peers.entry(peer).or_default() += 1;
        }
    }

    fn take_line(&mut self, now: Instant) -> Line {
        let count = std::mem::take(&mut self.count);
        let mut peers: Vec<(IpAddr, u64)> = std::mem::take(&mut self.peers).into_iter().collect();
        peers.sort_by_key(|(_, requests)| std::cmp::Reverse(*requests));
        peers.truncate(MAX_PEERS_SHOWN);
        let shown: u64 = peers.iter().map(|(_, requests)| requests).sum();
        let mut texts: Vec<String> = peers
            .iter()
            .map(|(peer, requests)| format!("{peer} ({requests})"))
            .collect();
        if shown < count {
            texts.push(format!("others ({})", count - shown));
        }
        self.since = now;
        Line {
            count,
            peers: texts.join(", "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "requests may have no peer")]
    fn peer(n: u32) -> Option<IpAddr> {
        Some(IpAddr::V4((0x0A00_0000 + n).into()))
    }

    fn line(count: u64, peers: &str) -> Line {
        let peers = peers.to_owned();
        Line { count, peers }
    }

    #[test]
    fn allows_one_line_a_minute_and_counts_the_others() {
        let (throttle, source, other) = (LogThrottle::default(), "merge", "bamboohr");
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let first = throttle.check(source, peer(1), start);
        assert_eq!(first, Some(line(1, "10.0.0.1 (1)")));
        for n in 0..500 {
            assert_eq!(throttle.check(source, peer(2 - n % 5 / 4), after(30)), None);
        }
        let first = throttle.check(other, None, after(36));
        assert_eq!(first, Some(line(1, "others (1)")));
        assert_eq!(
            throttle.check(source, peer(3), after(60)),
            Some(line(501, "10.0.0.2 (400), 10.0.0.1 (100), 10.0.0.3 (1)"))
        );
        assert_eq!(throttle.check(source, peer(3), after(61)), None);
    }

    #[test]
    fn requests_after_a_line_are_reported_without_further_ones() {
        let (throttle, start) = (LogThrottle::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        throttle.check("merge", peer(1), start);
        throttle.check("merge", peer(1), after(1));
        assert_eq!(throttle.take_due(after(59)), []);
        let due = throttle.take_due(after(60));
        assert_eq!(due, [("merge".to_owned(), line(1, "10.0.0.1 (1)"))]);
        assert_eq!(throttle.take_due(after(119)), []);
        throttle.check("merge", peer(1), after(119));
        let rest = throttle.take_all();
        assert_eq!(rest, [("merge".to_owned(), line(1, "10.0.0.1 (1)"))]);
        assert_eq!(throttle.take_all(), []);
    }

    #[test]
    fn a_line_has_few_peers_and_counts_the_others() {
        let (throttle, start) = (LogThrottle::default(), Instant::now());
        throttle.check("merge", peer(0), start);
        for n in 0..1_000 {
            throttle.check("merge", peer(n), start);
        }
        let (_, Line { count, peers }) = throttle.take_all().remove(0);
        assert_eq!(count, 1_000);
        assert_eq!(peers.split(", ").count(), MAX_PEERS_SHOWN + 1);
        assert!(peers.ends_with("others (992)"), "{peers}");
    }
}
