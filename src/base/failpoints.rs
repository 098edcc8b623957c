//! Named points at which a test ends, delays or fails the process, to check what a crash there leaves behind. Without the
//! feature `failpoints`, which no release has, they compile to nothing.
//!
//! `FAILPOINTS="POINT=ACTION[@HIT][:MARKER];..."`: the action `abort` ends the process at once, at the first hit or at the hit
//! of that number. Other actions are those of the crate `fail`, such as `panic` or `sleep(200)`. With a marker, only bodies
//! that contain these bytes count as hits.

#[cfg(feature = "failpoints")]
pub(crate) use self::armed::{arm, reach};

/// Marks a point that is passed while these bodies are processed.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub(crate) fn reach<'a>(_point: &'static str, _bodies: impl IntoIterator<Item = &'a [u8]>) {}

#[cfg(feature = "failpoints")]
mod armed {
    use std::collections::HashSet;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, PoisonError};

    static MARKERS: Mutex<Vec<(String, Vec<u8>)>> = Mutex::new(vec![]);

    /// Marks a point that is passed while these bodies are processed.
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

    /// Why a fail point could not be set.
    #[derive(Debug, thiserror::Error)]
    pub(crate) enum FailpointError {
        /// An entry has another form.
        #[error("FAILPOINTS: {0:?} is not POINT=ACTION[@HIT][:MARKER]")]
        Malformed(String),
        /// A point has two entries.
        #[error("FAILPOINTS: {0} is set twice")]
        Repeated(String),
        /// The crate `fail` refuses the action.
        #[error("FAILPOINTS: {point}: {problem}")]
        Action {
            /// The point.
            point: String,
            /// The refusal.
            problem: String,
        },
    }

    /// Sets fail points.
    ///
    /// # Errors
    /// Returns the entry that cannot be parsed.
    pub(crate) fn arm(points: &str) -> Result<(), FailpointError> {
        let mut known = HashSet::new();
        for entry in points.split(';').filter(|entry| !entry.is_empty()) {
            let wrong = || FailpointError::Malformed(entry.to_owned());
            let (point, rest) = entry.split_once('=').ok_or_else(wrong)?;
            let (rest, marker) = match rest.split_once(':') {
                Some((rest, marker)) => (rest, Some(marker)),
                None => (rest, None),
            };
            let (action, hit) = rest.split_once('@').unwrap_or((rest, "1"));
            let hit: usize = hit.parse().map_err(|_| wrong())?;
            if !known.insert(point) {
                return Err(FailpointError::Repeated(point.to_owned()));
            }
            if let Some(marker) = marker {
                let mut markers = MARKERS.lock().unwrap_or_else(PoisonError::into_inner);
                markers.push((point.to_owned(), marker.as_bytes().to_vec()));
            }
            let refused = |problem| FailpointError::Action {
                point: point.to_owned(),
                problem,
            };
            if action == "abort" {
                let hits = AtomicUsize::new(0);
                fail::cfg_callback(point, move || {
                    if hits.fetch_add(1, Ordering::Relaxed) + 1 == hit {
                        std::process::abort();
                    }
                })
                .map_err(refused)?;
            } else {
                fail::cfg(point, action).map_err(refused)?;
            }
        }
        Ok(())
    }
}
