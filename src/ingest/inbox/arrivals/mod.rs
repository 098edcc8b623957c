//! Deliveries that are being received.

pub mod store;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use leaver_core::domain::DeliveryId;
use leaver_core::signature::VerifiedDelivery;

/// An authenticated delivery to be stored.
#[derive(Clone, Debug)]
pub struct NewArrival {
    /// Its id, unless the same body from the same source is stored already.
    pub id: DeliveryId,
    /// The delivery.
    pub delivery: VerifiedDelivery,
    /// When its last byte had arrived.
    pub received_at: DateTime<Utc>,
}

impl NewArrival {
    /// Returns a 128-bit hash of source and body. Two deliveries with the same hash are duplicates.
    // 128 bits are enough: only a holder of the key could search for a collision, with 2^64 attempts.
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

/// The acknowledgement of a stored delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The id of the delivery, or of the earlier one with the same body.
    pub id: DeliveryId,
    /// True if the same body had arrived before.
    pub duplicate: bool,
}

/// The database's settings that decide whether a commit survives a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durability {
    /// True if `synchronous_commit` is not `off`, so a commit returns only after it was written.
    pub waits_for_disk: bool,
    /// True if `fsync` is on, so what is written is also flushed to disk.
    pub fsync: bool,
    /// True if `full_page_writes` is on, so a half-written page can be repaired.
    pub full_page_writes: bool,
}

impl Durability {
    /// Describes what a crash of the machine could lose although commits wait, and what to change.
    #[must_use]
    pub(crate) fn durability_warning(self) -> Option<&'static str> {
        match (self.fsync, self.full_page_writes) {
            (true, true) => None,
            (false, _) => Some(
                "`fsync` is off, so a crash of the machine can lose acknowledged deliveries and the whole database; \
                 set fsync = on in postgresql.conf, unless the database is disposable",
            ),
            (true, false) => Some(
                "`full_page_writes` is off, so a crash of the machine can damage tables; \
                 set full_page_writes = on in postgresql.conf, unless the file system writes whole pages",
            ),
        }
    }
}
