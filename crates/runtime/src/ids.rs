//! Identifiers and randomness, as a value that a test can seed.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use uuid::Uuid;

/// Makes ids, random bytes and jitter. Cheap to clone. Not for keys or passwords: `sealing` makes those.
#[derive(Clone)]
pub struct Ids(Arc<Source>);

enum Source {
    System,
    Seeded(AtomicU64),
}

impl Ids {
    /// The operating system's randomness.
    pub fn system() -> Self {
        Self(Arc::new(Source::System))
    }

    /// The same sequence for the same seed: for tests.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Source::Seeded(AtomicU64::new(seed))))
    }

    /// A random id (version 4), for what is looked up and never sorted.
    pub fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }

    /// An id that sorts by time (version 7), for rows that are read in the order they were made.
    pub fn uuid_at(&self, now: Timestamp) -> Uuid {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes()).into_uuid()
    }

    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// At least 0, less than 1.
    pub fn fraction(&self) -> f64 {
        // 53 bits: all that an f64 between 0 and 1 can hold evenly.
        let bits = u64::from_le_bytes(self.bytes()) >> 11;
        bits as f64 / (1_u64 << 53) as f64
    }

    /// `duration`, moved at random by up to `share` of itself either way, so that what runs on many machines or for
    /// many domains does not run at the same instant.
    pub fn jitter(&self, duration: Duration, share: f64) -> Duration {
        let factor = 1.0 + share.clamp(0.0, 1.0) * (2.0 * self.fraction() - 1.0);
        Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(duration)
    }

    /// How long to wait before trying again: doubles with each failure in a row, from 2 seconds to 2 minutes, and is never
    /// the same on two replicas.
    pub fn backoff(&self, failures: u32) -> Duration {
        const FIRST: Duration = Duration::from_secs(2);
        const LONGEST: Duration = Duration::from_mins(2);
        let pause = FIRST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
        self.jitter(pause.min(LONGEST), 0.2)
    }

    fn fill(&self, bytes: &mut [u8]) {
        match &*self.0 {
            Source::System => system(bytes),
            Source::Seeded(state) => {
                for chunk in bytes.chunks_mut(8) {
                    let word = split_mix(state).to_le_bytes();
                    for (byte, random) in chunk.iter_mut().zip(word) {
                        *byte = random;
                    }
                }
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "this is the randomness the ban tells everyone else to use; without any, no id may be handed out"
)]
fn system(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system has no randomness to give");
}

fn split_mix(state: &AtomicU64) -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut z = state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &*self.0 {
            Source::System => "Ids(system)",
            Source::Seeded(_) => "Ids(seeded)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids_and_never_the_same_id_twice() {
        let (one, two) = (Ids::seeded(7), Ids::seeded(7));
        let ids: Vec<Uuid> = (0..100).map(|_| one.uuid()).collect();

        assert!(ids.iter().all(|id| *id == two.uuid()));
        assert_eq!(
            ids.iter().collect::<std::collections::HashSet<_>>().len(),
            100
        );
        assert_ne!(Ids::system().uuid(), Ids::system().uuid());
    }

    #[test]
    fn a_later_id_sorts_after_an_earlier_one() {
        let ids = Ids::system();
        let (early, late) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
        assert!(ids.uuid_at(early) < ids.uuid_at(late));
    }

    #[test]
    fn jitter_stays_within_its_share() {
        let ids = Ids::seeded(1);
        for _ in 0..1000 {
            let moved = ids.jitter(Duration::from_secs(100), 0.1);
            assert!((90.0..=110.0).contains(&moved.as_secs_f64()), "{moved:?}");
        }
    }
}
