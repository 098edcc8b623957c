//! Which facts about the position of an employee are observed, and how they are hashed.

use crate::domain::{EmployeeId, Field, HashedText, PositionFact, Tenant};
use crate::signature::Key;

/// The observed facts about the position. Without the key, which only commands that observe have, none is parsed.
#[derive(Clone, Debug, Default)]
pub struct PositionFacts {
    facts: Vec<PositionFact>,
    key: Option<Key>,
    /// True if the values of a change can be read over the API.
    can_read: bool,
}

impl PositionFacts {
    /// No fact.
    pub const NONE: Self = Self {
        facts: vec![],
        key: None,
        can_read: false,
    };

    /// Creates the set of these facts.
    #[must_use]
    pub fn new(facts: Vec<PositionFact>, key: Option<Key>) -> Self {
        Self {
            facts,
            key,
            can_read: false,
        }
    }

    /// Sets whether the values of a change can be read over the API.
    #[must_use]
    pub fn readable(self, can_read: bool) -> Self {
        Self { can_read, ..self }
    }

    /// Returns whether a fact is kept.
    #[must_use]
    pub fn keeps(&self, fact: PositionFact) -> bool {
        self.facts.contains(&fact)
    }

    /// Returns whether a fact is parsed.
    #[must_use]
    pub fn parses(&self, fact: PositionFact) -> bool {
        self.key.is_some() && self.keeps(fact)
    }

    /// Returns the facts that are parsed.
    pub fn parsed(&self) -> impl Iterator<Item = PositionFact> {
        let facts = self.facts.iter().copied();
        facts.filter(|fact| self.parses(*fact))
    }

    /// Returns whether a change of a fact without its value is followed by a read.
    pub(super) fn reads(&self, fact: PositionFact) -> bool {
        self.can_read && self.parses(fact)
    }

    /// Hashes the posted text of an employee. A value that cannot be read counts as absent: nothing depends on it but an event.
    pub(super) fn hashed(
        &self,
        fact: PositionFact,
        tenant: &Tenant,
        employee_id: &EmployeeId,
        posted: Field<String>,
    ) -> Field<HashedText> {
        let Some(key) = self.key.as_ref().filter(|_| self.keeps(fact)) else {
            return Field::Absent;
        };
        match posted {
            Field::Absent | Field::Unreadable => Field::Absent,
            Field::Empty => Field::Empty,
            Field::Value(text) => {
                let parts = [fact.as_str(), tenant.as_str(), employee_id.as_str(), &text];
                // Each part has its length, so that no two lists of parts are the same message.
                let lengths = parts.map(|part| (part.len() as u64).to_be_bytes());
                let message = lengths.iter().zip(&parts);
                let message: Vec<&[u8]> = message
                    .flat_map(|(length, part)| [length.as_slice(), part.as_bytes()])
                    .collect();
                let key_id = key.tag(&[b"leaver position key"]);
                Field::Value(HashedText::new(&key_id, &key.tag(&message), text))
            }
        }
    }
}

/// Returns whether a text can be an id, and not the name of a person.
pub(super) fn is_id(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_digit()) && !text.contains([' ', ','])
}
