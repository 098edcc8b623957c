//! Deliveries on their way in: the words of the receiving half.

pub mod store;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use leaver_core::domain::DeliveryId;
use leaver_core::signature::VerifiedDelivery;

/// An authentic delivery that is to be written down.
#[derive(Clone, Debug)]
pub struct NewArrival {
    /// The id that it gets if the same body from the same source is not there yet.
    pub id: DeliveryId,
    /// What was sent.
    pub delivery: VerifiedDelivery,
    /// When it had arrived whole.
    pub received_at: DateTime<Utc>,
}

impl NewArrival {
    /// What makes two deliveries the same: the same bytes from the same source. 128 bits are enough, since only a
    /// holder of the key could look for two bodies with the same, and would need 2^64 attempts.
    #[must_use]
    pub fn fingerprint(&self) -> Uuid {
        let hash = Sha256::new()
            .chain_update(self.delivery.source().as_str())
            .chain_update(":")
            .chain_update(self.delivery.digest())
            .finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        Uuid::from_bytes(bytes)
    }
}

/// What the sender is told about a delivery that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The id of the delivery, or of the earlier one with the same body.
    pub id: DeliveryId,
    /// Whether the same body had arrived before.
    pub duplicate: bool,
}

/// Whether a commit outlives a crash, by the database's settings for our session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durability {
    /// A commit is answered only after it was handed to the disk: `synchronous_commit` is not `off`.
    pub waits_for_disk: bool,
    /// What is handed to the disk is also flushed: `fsync`.
    pub fsync: bool,
    /// A page that was half written when the machine died can be mended: `full_page_writes`.
    pub full_page_writes: bool,
}

impl Durability {
    /// What a crash of the machine could cost although commits wait for the disk, and what to change.
    #[must_use]
    pub fn durability_warning(&self) -> Option<&'static str> {
        match (self.fsync, self.full_page_writes) {
            (true, true) => None,
            (false, _) => Some(
                "fsync is off: a crash of the machine can lose deliveries that were answered 200, and the whole database; \
                 set fsync = on in postgresql.conf, except for a database that may be thrown away",
            ),
            (true, false) => Some(
                "full_page_writes is off: a crash of the machine can damage tables; \
                 set full_page_writes = on in postgresql.conf, except where the file system never tears a page",
            ),
        }
    }
}
