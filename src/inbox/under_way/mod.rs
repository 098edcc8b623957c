//! What each worker has in hand, written down before it begins. A delivery that ends the whole process each time is
//! found by it: after a crash whatever was in hand is taken one by one, and what was in hand alone has failed.
//!
//! ```text
//!  transaction of the batch:   claim (rows locked) ........ effect, settle, forget mark . commit
//!  a connection beside it:                 mark . commit
//! ```
//!
//! While its owner lives, the marked rows are locked; when they are not, the owner is gone.

pub mod store;

use crate::domain::DeliveryId;

/// What a worker that died had in hand and did not finish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Orphaned {
    /// Several deliveries: any of them may be the cause, so each is taken alone from now on.
    Several(Vec<DeliveryId>),
    /// This one, which so has failed once more.
    One(DeliveryId),
}
