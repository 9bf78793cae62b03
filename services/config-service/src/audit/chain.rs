//! The hash chain, exactly.
//!
//! `hash(n) = SHA-256(hash(n - 1) ‖ encoding(n))`, and `hash(0)` is 32 zero bytes. The encoding of an event is, in this
//! order and with nothing between:
//!
//! | field    | bytes                                                                       |
//! |----------|-----------------------------------------------------------------------------|
//! | version  | the 12 bytes `hes.audit.v1`                                                 |
//! | sequence | 8, big-endian                                                               |
//! | time     | 8, big-endian, signed: microseconds since 1970-01-01T00:00:00Z              |
//! | outcome  | 4, big-endian: the number of `hes.config.v1.AuditOutcome`                   |
//! | actor    | length (4, big-endian), then UTF-8                                          |
//! | action   | the same                                                                    |
//! | resource | the same                                                                    |
//! | details  | their number (4, big-endian), then key and value of each, each as the actor |
//!
//! Details are ordered by the bytes of their keys. Every length stands before what it measures, so no two different
//! events have the same encoding. An export carries all of it: whoever holds one verifies it without this service, and
//! whoever kept an older head hash notices that the log was cut or rewritten.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

const VERSION: &[u8] = b"hes.audit.v1";

/// An event's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What stands before the first event.
    pub const START: Self = Self([0; 32]);
}

/// How an audited action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Succeeded,
    /// The caller may not.
    Denied,
    Failed,
}

impl Outcome {
    /// The number in the contract, which is stored and hashed.
    pub fn number(self) -> i32 {
        match self {
            Self::Succeeded => 1,
            Self::Denied => 2,
            Self::Failed => 3,
        }
    }

    pub fn from_number(number: i64) -> Option<Self> {
        [Self::Succeeded, Self::Denied, Self::Failed]
            .into_iter()
            .find(|outcome| i64::from(outcome.number()) == number)
    }
}

/// One event of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// From 1, without gaps.
    pub sequence: i64,
    /// To the microsecond: what is stored is what is hashed.
    pub time: Timestamp,
    pub actor: String,
    pub action: String,
    pub resource: String,
    pub outcome: Outcome,
    pub details: BTreeMap<String, String>,
}

impl Entry {
    /// This event's hash, behind `previous`.
    pub fn hash(&self, previous: &Hash) -> Hash {
        let mut hasher = Sha256::new();
        hasher.update(previous.0);
        hasher.update(VERSION);
        hasher.update(self.sequence.to_be_bytes());
        hasher.update(self.time.as_microsecond().to_be_bytes());
        hasher.update(self.outcome.number().to_be_bytes());
        for text in [&self.actor, &self.action, &self.resource] {
            update(&mut hasher, text);
        }
        hasher.update(length(self.details.len()));
        for (key, value) in &self.details {
            update(&mut hasher, key);
            update(&mut hasher, value);
        }
        Hash(hasher.finalize().into())
    }
}

fn update(hasher: &mut Sha256, text: &str) {
    hasher.update(length(text.len()));
    hasher.update(text.as_bytes());
}

/// Nothing that is audited comes near 4 GiB; a length that would not fit is told apart from all that do.
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

/// Walks the log from its start and stops at the first event that doesn't follow.
#[derive(Debug)]
pub struct Verifier {
    checked: i64,
    head: Hash,
    broken: Option<i64>,
}

impl Default for Verifier {
    fn default() -> Self {
        Self {
            checked: 0,
            head: Hash::START,
            broken: None,
        }
    }
}

impl Verifier {
    /// Whether the log is intact up to and with this event.
    pub fn check(&mut self, entry: &Entry, hash: &Hash) -> bool {
        if self.broken.is_some() {
            return false;
        }
        let expected = self.checked + 1;
        if entry.sequence != expected || entry.hash(&self.head) != *hash {
            self.broken = Some(expected);
            return false;
        }
        self.checked = expected;
        self.head = *hash;
        true
    }

    /// Notes that the newest event should have been another one: events at the end are missing.
    pub fn check_head(&mut self, sequence: i64, hash: &Hash) {
        if self.broken.is_none() && (sequence != self.checked || *hash != self.head) {
            self.broken = Some(self.checked + 1);
        }
    }

    /// Notes an event that can't even be read.
    pub fn unreadable(&mut self) {
        self.broken.get_or_insert(self.checked + 1);
    }

    pub fn checked(&self) -> i64 {
        self.checked
    }

    /// Hash of the last event that follows.
    pub fn head(&self) -> Hash {
        self.head
    }

    /// Sequence number of the first event that doesn't follow.
    pub fn broken(&self) -> Option<i64> {
        self.broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Vec<(Entry, Hash)> {
        let mut head = Hash::START;
        (1..=4)
            .map(|sequence| {
                let entry = Entry {
                    sequence,
                    time: Timestamp::from_second(1_800_000_000 + sequence).unwrap(),
                    actor: "administrator".into(),
                    action: "domain.update".into(),
                    resource: format!("domains/d{sequence}"),
                    outcome: Outcome::Succeeded,
                    details: BTreeMap::from([("fields".into(), "a,b".into())]),
                };
                head = entry.hash(&head);
                (entry, head)
            })
            .collect()
    }

    fn broken(log: &[(Entry, Hash)]) -> Option<i64> {
        let mut verifier = Verifier::default();
        for (entry, hash) in log {
            verifier.check(entry, hash);
        }
        verifier.broken()
    }

    #[test]
    fn an_untouched_log_verifies() {
        assert_eq!(broken(&log()), None);
    }

    #[test]
    fn any_altered_field_is_found() {
        let alterations: [fn(&mut Entry); 8] = [
            |e| e.sequence = 9,
            |e| e.time = Timestamp::UNIX_EPOCH,
            |e| e.actor.push('x'),
            |e| e.action = "domain.delete".into(),
            |e| e.resource = "domains/d9".into(),
            |e| e.outcome = Outcome::Failed,
            |e| drop(e.details.insert("fields".into(), "a".into())),
            |e| drop(e.details.insert("more".into(), String::new())),
        ];
        for (number, alter) in alterations.into_iter().enumerate() {
            let mut log = log();
            alter(&mut log[1].0);
            assert_eq!(broken(&log), Some(2), "alteration {number}");
        }
    }

    #[test]
    fn text_cannot_move_from_one_field_to_the_next() {
        let mut log = log();
        log[1].0.actor = "administratordomain".into();
        log[1].0.action = ".update".into();

        assert_eq!(broken(&log), Some(2));
    }

    #[test]
    fn removed_reordered_and_rehashed_events_are_found() {
        let mut removed = log();
        removed.remove(1);
        assert_eq!(broken(&removed), Some(2));

        let mut reordered = log();
        reordered.swap(1, 2);
        assert_eq!(broken(&reordered), Some(2));

        // Whoever recomputes one event's hash must recompute all behind it.
        let mut rehashed = log();
        rehashed[1].0.actor = "someone".into();
        rehashed[1].1 = rehashed[1].0.hash(&rehashed[0].1.clone());
        assert_eq!(broken(&rehashed), Some(3));
    }

    #[test]
    fn a_cut_end_is_found_by_the_head_kept_elsewhere() {
        let log = log();
        let mut verifier = Verifier::default();
        for (entry, hash) in &log[..3] {
            assert!(verifier.check(entry, hash));
        }

        verifier.check_head(4, &log[3].1);

        assert_eq!(verifier.broken(), Some(4));
    }
}
