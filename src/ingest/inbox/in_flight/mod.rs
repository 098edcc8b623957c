//! What each worker has in hand, written down before it begins. A delivery that ends the whole process each time is
//! found by it: after a crash whatever was in hand is taken one by one, with nothing else in hand in its process, and what
//! was in hand like this has failed. A delivery in another loop's hand is not to blame for a crash.
//!
//! ```text
//!  transaction of the batch:   claim (rows locked) ........ effect, settle, forget mark . commit
//!  a connection beside it:                 mark . commit
//! ```
//!
//! While its owner lives, the marked rows are locked; when they are not, the owner is gone.

pub mod store;

use leaver_core::domain::DeliveryId;

/// What a worker that died had in hand and did not finish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Orphaned {
    /// Any of these may be the cause, or one in another hand, so each is taken alone from now on.
    Any(Vec<DeliveryId>),
    /// This one, which was taken alone and so has failed once more.
    One(DeliveryId),
}
