//! Named places where a test ends, stops or fails the process, to see what a crash there leaves behind. Without the
//! feature `failpoints`, which no release has, each of them is nothing at all.
//!
//! `FAILPOINTS="POINT=ACTION[@HIT][:MARKER];..."`: `abort` ends the process without a farewell, at the first hit or at
//! the one of that number; any other action is one that the crate `fail` knows, such as `panic` or `sleep(200)`. With a
//! marker, only what holds these bytes hits.

#[cfg(feature = "failpoints")]
pub(crate) use self::armed::{arm, reach};

/// A place that is passed with these bodies in hand.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub(crate) fn reach<'a>(_point: &'static str, _bodies: impl IntoIterator<Item = &'a [u8]>) {}

#[cfg(feature = "failpoints")]
mod armed {
    use std::collections::HashSet;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, PoisonError};

    static MARKERS: Mutex<Vec<(String, Vec<u8>)>> = Mutex::new(vec![]);

    /// A place that is passed with these bodies in hand.
    pub(crate) fn reach<'a>(point: &'static str, bodies: impl IntoIterator<Item = &'a [u8]>) {
        let markers = MARKERS.lock().unwrap_or_else(PoisonError::into_inner);
        let marker = markers.iter().find(|(marked, _)| marked == point);
        let marker = marker.map(|(_, marker)| marker.clone());
        drop(markers);
        let hits = marker.is_none_or(|marker| {
            let has = |body: &[u8]| body.windows(marker.len()).any(|part| part == marker);
            bodies.into_iter().any(has)
        });
        if hits {
            fail::fail_point!(point);
        }
    }

    /// Sets the points that a test wants.
    ///
    /// # Errors
    /// Says which entry is not understood.
    pub(crate) fn arm(points: &str) -> Result<(), String> {
        let mut known = HashSet::new();
        for entry in points.split(';').filter(|entry| !entry.is_empty()) {
            let wrong = || format!("FAILPOINTS: {entry:?} is not POINT=ACTION[@HIT][:MARKER]");
            let (point, rest) = entry.split_once('=').ok_or_else(wrong)?;
            let (rest, marker) = match rest.split_once(':') {
                Some((rest, marker)) => (rest, Some(marker)),
                None => (rest, None),
            };
            let (action, hit) = rest.split_once('@').unwrap_or((rest, "1"));
            let hit: usize = hit.parse().map_err(|_| wrong())?;
            if !known.insert(point) {
                return Err(format!("FAILPOINTS: {point} is there twice"));
            }
            if let Some(marker) = marker {
                let mut markers = MARKERS.lock().unwrap_or_else(PoisonError::into_inner);
                markers.push((point.to_owned(), marker.as_bytes().to_vec()));
            }
            if action == "abort" {
                let hits = AtomicUsize::new(0);
                fail::cfg_callback(point, move || {
                    if hits.fetch_add(1, Ordering::Relaxed) + 1 == hit {
                        std::process::abort();
                    }
                })?;
            } else {
                fail::cfg(point, action)?;
            }
        }
        Ok(())
    }
}
