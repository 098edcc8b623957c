//! The deliveries that each loop is processing, recorded before it begins. This finds a delivery that crashes the
//! process: after a crash the deliveries in flight are processed one by one, with nothing else in flight in the process.
//! A delivery that was in flight alone has failed. Deliveries in flight in another loop are not blamed.
//!
//! ```text
//!  transaction of the batch:   claim (rows locked) ....... apply, settle, delete mark . commit
//!  another connection:                     mark . commit
//! ```
//!
//! While the owner of a mark lives, the marked rows are locked. If they are not, it has died.

pub(crate) mod store;

use leaver_core::domain::DeliveryId;

/// The deliveries that a dead loop did not finish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Orphaned {
    /// Any of these may have caused the crash, or one of another loop. Each must be processed alone from now on.
    Any(Vec<DeliveryId>),
    /// This one was processed alone, so it has failed once more.
    One(DeliveryId),
}
