//! Work on many items that is tried in one piece first, and in halves after a failure, until the item at fault is alone.

/// Parts that have not been tried yet, the next one last.
#[derive(Debug)]
pub(crate) struct Halves<T>(Vec<Vec<T>>);

impl<T> Halves<T> {
    /// Starts with all items in one part.
    pub(crate) fn new(items: Vec<T>) -> Self {
        Self(vec![items])
    }

    /// Takes the next part.
    pub(crate) fn next(&mut self) -> Option<Vec<T>> {
        self.0.pop()
    }

    /// Puts a failed part back as two halves. Returns the part if it has fewer than two items.
    pub(crate) fn split(&mut self, mut part: Vec<T>) -> Option<Vec<T>> {
        if part.len() < 2 {
            return Some(part);
        }
        let second = part.split_off(part.len() / 2);
        self.0.extend([second, part]);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_but_the_bad_ones_succeeds_in_order() {
        let bad = [3, 8];
        let (mut halves, mut done, mut failed) = (Halves::new((0..10).collect()), vec![], vec![]);
        while let Some(part) = halves.next() {
            if part.iter().any(|item| bad.contains(item)) {
                failed.extend(halves.split(part).into_iter().flatten());
            } else {
                done.extend(part);
            }
        }
        assert_eq!(failed, bad);
        assert_eq!(done, [0, 1, 2, 4, 5, 6, 7, 9]);
    }
}
