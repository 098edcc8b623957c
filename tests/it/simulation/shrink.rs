//! Shrinks a failing list for as long as it fails.

use std::time::{Duration, Instant};

use super::ops::{Letter, Op, OpList};

/// A list that fails, how it does, and how many runs may still be spent on it.
pub(super) struct Failing {
    pub(super) list: OpList,
    pub(super) error: String,
    pub(super) runs: usize,
    /// When the last of them may begin.
    pub(super) until: Instant,
}

/// How long shrinking may take. A list that does not end takes long each time.
pub(super) const SHRINKING_TIME: Duration = Duration::from_secs(90);

impl Failing {
    /// Leaves out what it can, in ever smaller pieces, and makes plainer what is left.
    pub(super) async fn shrink(&mut self, outcome: impl AsyncFn(OpList) -> Result<(), String>) {
        loop {
            let before = self.runs;
            let mut piece = self.list.ops.len().div_ceil(2);
            let mut smaller = false;
            while piece > 0 {
                smaller |= self.leave_out(piece, &outcome).await;
                piece /= 2;
            }
            smaller |= self.make_plainer(&outcome).await;
            if !smaller || before == self.runs || Instant::now() > self.until {
                return;
            }
        }
    }

    async fn leave_out(
        &mut self,
        piece: usize,
        outcome: &impl AsyncFn(OpList) -> Result<(), String>,
    ) -> bool {
        let mut smaller = false;
        // From the end, since what came before a failure is needed more often than what came after it.
        let mut end = self.list.ops.len();
        while end > 0 {
            let start = end.saturating_sub(piece);
            let mut list = self.list.clone();
            list.ops.drain(start..end);
            smaller |= self.try_with(list, outcome).await;
            end = start;
        }
        smaller
    }

    async fn make_plainer(&mut self, outcome: &impl AsyncFn(OpList) -> Result<(), String>) -> bool {
        let mut plainer = false;
        for position in 0..self.list.ops.len() {
            for op in plainer_than(&self.list.ops[position]) {
                let mut list = self.list.clone();
                list.ops[position] = op;
                plainer |= self.try_with(list, outcome).await;
            }
        }
        if self.list.batch != OpList::MANY {
            let list = OpList {
                batch: OpList::MANY,
                ..self.list.clone()
            };
            plainer |= self.try_with(list, outcome).await;
        }
        plainer
    }

    async fn try_with(
        &mut self,
        list: OpList,
        outcome: &impl AsyncFn(OpList) -> Result<(), String>,
    ) -> bool {
        if self.runs == 0 || Instant::now() > self.until {
            return false;
        }
        self.runs -= 1;
        let Err(error) = outcome(list.clone()).await else {
            return false;
        };
        self.list = list;
        self.error = error;
        true
    }
}

/// The same with less in it. Each is plainer than the operation for good, so that this comes to an end.
fn plainer_than(op: &Op) -> Vec<Op> {
    match op {
        Op::Send(letter) => plainer_letters(letter).into_iter().map(Op::Send).collect(),
        Op::Kill {
            at,
            meanwhile: Some(letter),
        } => vec![
            Op::Kill {
                at: *at,
                meanwhile: None,
            },
            Op::Send(letter.clone()),
        ],
        Op::Kill { .. } | Op::TwoAtWork => vec![Op::Work],
        Op::Work => vec![Op::Settle],
        Op::Advance { minutes } => [1, 60, 1_440]
            .into_iter()
            .filter(|fewer| fewer < minutes)
            .map(|minutes| Op::Advance { minutes })
            .collect(),
        _ => vec![],
    }
}

fn plainer_letters(letter: &Letter) -> Vec<Letter> {
    let mut plainer = vec![];
    if letter.minutes_old > 0 {
        plainer.push(Letter {
            minutes_old: 0,
            ..letter.clone()
        });
    }
    if letter.form {
        plainer.push(Letter {
            form: false,
            ..letter.clone()
        });
    }
    plainer
}

#[tokio::test]
async fn what_does_not_matter_for_a_failure_is_left_out() {
    let list = super::seeded(7, 60);
    // Fails whenever somebody is sent about and a day passes later on.
    let outcome = async |list: OpList| {
        let sent = list.ops.iter().position(|op| matches!(op, Op::Send(_)));
        let day = |op: &Op| matches!(op, Op::Advance { minutes } if *minutes >= 1_440);
        match sent {
            Some(sent) if list.ops[sent..].iter().any(day) => Err("a day later".to_owned()),
            _ => Ok(()),
        }
    };
    let error = outcome(list.clone()).await.unwrap_err();
    let mut failing = Failing {
        list,
        error,
        runs: 200,
        until: Instant::now() + SHRINKING_TIME,
    };
    failing.shrink(outcome).await;
    let left = serde_json::to_value(&failing.list.ops).unwrap();
    assert_eq!(failing.list.ops.len(), 2, "{left}");
    assert_eq!(left[0]["send"]["minutes_old"], 0);
    assert_eq!(left[1]["advance"]["minutes"], 1_440);
}
