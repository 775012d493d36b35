//! A bounded memory of ids: the newer half is always complete, the older one is forgotten at once.

use std::collections::HashSet;

#[derive(Default)]
pub(super) struct Seen {
    young: HashSet<[u8; 32]>,
    old: HashSet<[u8; 32]>,
}

impl Seen {
    pub fn contains(&self, id: &[u8; 32]) -> bool {
        self.young.contains(id) || self.old.contains(id)
    }

    /// Remembers `id`; holds between half of `capacity` and all of it.
    pub fn insert(&mut self, id: [u8; 32], capacity: usize) {
        if self.young.len() >= (capacity / 2).max(1) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_at_least_half_and_never_more_than_all() {
        let mut seen = Seen::default();
        let id = |n: u32| {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&n.to_be_bytes());
            id
        };
        for n in 0..1_000 {
            seen.insert(id(n), 100);
            assert!(seen.young.len() + seen.old.len() <= 100);
            for recent in n.saturating_sub(49)..=n {
                assert!(seen.contains(&id(recent)));
            }
        }
        assert!(!seen.contains(&id(0)));
    }
}
