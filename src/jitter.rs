//! Random jitter, so that the processes of a fleet do not all ask at the same time. Random ids.

use std::hash::{BuildHasher, RandomState};

/// Returns a random number in the range from 0 (inclusive) to 1 (exclusive).
pub(crate) fn fraction() -> f64 {
    // The keys of `RandomState` are random.
    let random = RandomState::new().hash_one(0_u8);
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

/// Returns a random id: a UUID of version 4, as LiteLLM gives to models that are added.
pub(crate) fn uuid() -> String {
    let [high, low] = [0_u8, 1].map(|part| RandomState::new().hash_one(part));
    let (time, version) = (high >> 16, (high & 0xFFF) | 0x4000);
    let (variant, node) = ((low >> 48 & 0x3FFF) | 0x8000, low & 0xFFFF_FFFF_FFFF);
    format!("{:08x}-{:04x}-{version:04x}-{variant:04x}-{node:012x}", time >> 16, time & 0xFFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_distinct_uuids() {
        let ids: std::collections::HashSet<String> = (0..1_000).map(|_| uuid()).collect();
        assert_eq!(ids.len(), 1_000);
        for id in ids {
            let parts: Vec<&str> = id.split('-').collect();
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id}");
            assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{id}");
            assert!(id.chars().all(|c| c == '-' || c.is_ascii_hexdigit()));
        }
    }

    #[test]
    fn is_anywhere_in_its_range() {
        let drawn: Vec<f64> = (0..1_000).map(|_| fraction()).collect();
        assert!(drawn.iter().all(|number| (0.0..1.0).contains(number)));
        assert!(drawn.iter().any(|number| *number < 0.1) && drawn.iter().any(|number| *number > 0.9));
    }
}
