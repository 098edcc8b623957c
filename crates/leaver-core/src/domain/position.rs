//! The position of an employee: job title, department and manager. Values are compared by keyed hashes; texts are not kept.

use std::cmp::Ordering;
use std::fmt;

/// Bytes of the hash. A repeat of 128 bits by chance is out of reach.
const HASH_BYTES: usize = 16;
/// Bytes that identify the key.
const KEY_ID_BYTES: usize = 4;

/// A fact about the position.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum PositionFact {
    /// The job title.
    JobTitle,
    /// The department.
    Department,
    /// The provider's id of the manager.
    Manager,
}

impl PositionFact {
    /// All facts.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// Returns the name in the configuration and in events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One value for each fact about the position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position<T> {
    /// Of the job title.
    pub job_title: T,
    /// Of the department.
    pub department: T,
    /// Of the manager.
    pub manager: T,
}

impl<T> Position<T> {
    /// Returns the value for a fact.
    #[must_use]
    pub fn get(&self, fact: PositionFact) -> &T {
        match fact {
            PositionFact::JobTitle => &self.job_title,
            PositionFact::Department => &self.department,
            PositionFact::Manager => &self.manager,
        }
    }

    /// Returns the value for a fact, to be changed.
    pub fn get_mut(&mut self, fact: PositionFact) -> &mut T {
        match fact {
            PositionFact::JobTitle => &mut self.job_title,
            PositionFact::Department => &mut self.department,
            PositionFact::Manager => &mut self.manager,
        }
    }
}

/// A text as a keyed hash. Two are equal if hash and key are; the text itself is known only where it was just observed.
#[derive(Clone)]
pub struct HashedText {
    key_id: [u8; KEY_ID_BYTES],
    hash: [u8; HASH_BYTES],
    text: Option<String>,
}

impl HashedText {
    /// Creates the hash of a text from two authentication tags: one that identifies the key, and that of the text.
    pub(crate) fn new(key: &[u8; 32], tag: &[u8; 32], text: String) -> Self {
        let mut hashed = Self {
            key_id: [0; KEY_ID_BYTES],
            hash: [0; HASH_BYTES],
            text: Some(text),
        };
        hashed.key_id.copy_from_slice(&key[..KEY_ID_BYTES]);
        hashed.hash.copy_from_slice(&tag[..HASH_BYTES]);
        hashed
    }

    /// Returns the form that is stored: without the text.
    #[must_use]
    pub fn to_stored(&self) -> String {
        format!("{}:{}", hex::encode(self.key_id), hex::encode(self.hash))
    }

    /// Parses the stored form.
    #[must_use]
    pub fn from_stored(stored: &str) -> Option<Self> {
        let (key_id, hash) = stored.split_once(':')?;
        Some(Self {
            key_id: hex::decode(key_id).ok()?.try_into().ok()?,
            hash: hex::decode(hash).ok()?.try_into().ok()?,
            text: None,
        })
    }

    /// Returns the text if it was just observed.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// Returns whether both were made with the same key, so that they can be compared.
    #[must_use]
    pub fn has_same_key(&self, other: &Self) -> bool {
        self.key_id == other.key_id
    }
}

impl PartialEq for HashedText {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for HashedText {}

impl PartialOrd for HashedText {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for HashedText {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.key_id, self.hash).cmp(&(other.key_id, other.hash))
    }
}

impl fmt::Debug for HashedText {
    /// Leaves out the text and its hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashedText(redacted)")
    }
}
