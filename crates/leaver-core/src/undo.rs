//! Decides whether recorded changes of an account can be undone.

/// A recorded change of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedChange {
    /// True if access was given back, false if it was ended.
    pub activates: bool,
    /// True if the change was undone.
    pub undone: bool,
    /// Low 32 bits of the transaction that wrote the row, if known.
    pub writer: Option<u32>,
}

/// An account as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresentAccount {
    /// True if it has access.
    pub is_active: bool,
    /// Low 32 bits of the transaction that wrote the row last, if the database shows it.
    pub writer: Option<u32>,
}

/// The possible effect of an undo on one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The account can be restored.
    Restore {
        /// True if access is given back, false if it is ended.
        activate: bool,
    },
    /// The account stays as it is.
    Keep(Obstacle),
}

/// The reason why an account stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// All its changes were undone already.
    UndoneAlready,
    /// There is no such account any more.
    Gone,
    /// It is active, as it was before.
    ActiveAgain,
    /// It is inactive, as it was before.
    InactiveAgain,
    /// Leaver has changed it later.
    ChangedLater,
    /// Somebody else has written the row since.
    Touched,
    /// It is not known who wrote the row last.
    NotComparable,
}

/// Returns the effect of undoing these changes of one account, in the order in which they were made. The account returns to
/// its state before the first that is not undone.
///
/// `changed_later` is true if Leaver has changed the account after the last of them. With `also_touched`, the writers are not
/// compared.
#[must_use]
pub fn judge(
    changes: &[RecordedChange],
    changed_later: bool,
    present: Option<PresentAccount>,
    also_touched: bool,
) -> Verdict {
    let mut standing = changes.iter().filter(|change| !change.undone);
    let Some(first) = standing.next() else {
        return Verdict::Keep(Obstacle::UndoneAlready);
    };
    let last = standing.next_back().unwrap_or(first);
    let Some(present) = present else {
        return Verdict::Keep(Obstacle::Gone);
    };
    let activate = !first.activates;
    if present.is_active == activate {
        return Verdict::Keep(if activate {
            Obstacle::ActiveAgain
        } else {
            Obstacle::InactiveAgain
        });
    }
    if changed_later {
        return Verdict::Keep(Obstacle::ChangedLater);
    }
    match (last.writer, present.writer) {
        _ if also_touched => Verdict::Restore { activate },
        (Some(ours), Some(now)) if ours == now => Verdict::Restore { activate },
        (Some(_), Some(_)) => Verdict::Keep(Obstacle::Touched),
        (None, _) | (_, None) => Verdict::Keep(Obstacle::NotComparable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: RecordedChange = RecordedChange {
        activates: false,
        undone: false,
        writer: Some(7),
    };
    const RETURN: RecordedChange = RecordedChange {
        activates: true,
        ..END
    };
    const UNDONE: RecordedChange = RecordedChange {
        undone: true,
        ..END
    };

    #[expect(clippy::unnecessary_wraps, reason = "an account may be gone")]
    fn account(is_active: bool, writer: u32) -> Option<PresentAccount> {
        let writer = Some(writer);
        Some(PresentAccount { is_active, writer })
    }

    #[test]
    fn an_untouched_account_is_restored_in_both_directions() {
        let restored = |activate| Verdict::Restore { activate };
        assert_eq!(
            judge(&[END], false, account(false, 7), false),
            restored(true)
        );
        assert_eq!(
            judge(&[RETURN], false, account(true, 7), false),
            restored(false)
        );
    }

    #[test]
    fn an_account_returns_to_its_state_before_the_first_change() {
        let changes = [END, RETURN, END];
        let verdict = judge(&changes, false, account(false, 7), false);
        assert_eq!(verdict, Verdict::Restore { activate: true });
        let verdict = judge(&changes[..2], false, account(true, 7), false);
        assert_eq!(verdict, Verdict::Keep(Obstacle::ActiveAgain));
    }

    #[test]
    fn the_writer_of_the_last_change_counts() {
        let earlier = RecordedChange {
            writer: Some(3),
            ..END
        };
        let verdict = judge(&[earlier, RETURN, END], false, account(false, 7), false);
        assert_eq!(verdict, Verdict::Restore { activate: true });
        let verdict = judge(&[earlier, RETURN, END], false, account(false, 3), false);
        assert_eq!(verdict, Verdict::Keep(Obstacle::Touched));
    }

    #[test]
    fn each_obstacle_has_its_reason() {
        let kept = |obstacle| Verdict::Keep(obstacle);
        let off = account(false, 7);
        let unseen = RecordedChange {
            writer: None,
            ..END
        };
        for (changes, later, present, obstacle) in [
            (&[UNDONE][..], false, off, Obstacle::UndoneAlready),
            (&[END], false, None, Obstacle::Gone),
            (&[END], false, account(true, 9), Obstacle::ActiveAgain),
            (&[RETURN], false, off, Obstacle::InactiveAgain),
            (&[END], true, off, Obstacle::ChangedLater),
            (&[END], false, account(false, 8), Obstacle::Touched),
            (&[unseen], false, off, Obstacle::NotComparable),
        ] {
            let verdict = judge(changes, later, present, false);
            assert_eq!(verdict, kept(obstacle), "{changes:?}");
        }
    }

    #[test]
    fn touched_accounts_are_restored_on_request_only() {
        let unseen = Some(PresentAccount {
            is_active: false,
            writer: None,
        });
        for present in [account(false, 8), unseen] {
            let verdict = judge(&[END], false, present, true);
            assert_eq!(verdict, Verdict::Restore { activate: true });
        }
        // The request is about changes by others, not about a later batch.
        let verdict = judge(&[END], true, account(false, 8), true);
        assert_eq!(verdict, Verdict::Keep(Obstacle::ChangedLater));
    }

    #[test]
    fn a_change_after_an_undo_can_be_undone() {
        let verdict = judge(&[UNDONE, END], false, account(false, 7), false);
        assert_eq!(verdict, Verdict::Restore { activate: true });
    }
}
