//! Random jitter, so that the processes of a fleet do not all ask at the same time.

use std::hash::{BuildHasher, RandomState};

/// Returns a random number in the range from 0 (inclusive) to 1 (exclusive).
pub(crate) fn fraction() -> f64 {
    // The keys of `RandomState` are random.
    let random = RandomState::new().hash_one(0_u8);
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_anywhere_in_its_range() {
        let drawn: Vec<f64> = (0..1_000).map(|_| fraction()).collect();
        assert!(drawn.iter().all(|number| (0.0..1.0).contains(number)));
        assert!(drawn.iter().any(|number| *number < 0.1) && drawn.iter().any(|number| *number > 0.9));
    }
}
