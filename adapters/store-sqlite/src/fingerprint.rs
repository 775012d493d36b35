//! A digest of a set of rows that can be kept up to date row by row: the sum of the rows' own digests.
use autopilot_events::words::Digest;

/// Sum, lane by lane modulo 2^64, of blake3 digests. Independent of order; adding and removing are exact inverses.
///
/// It finds accidents and bugs. It is not meant against somebody who forges rows on purpose: the chain is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fingerprint([u64; 4]);

impl Fingerprint {
    pub(crate) fn add(&mut self, row: &[u8]) {
        self.each(row, u64::wrapping_add);
    }

    pub(crate) fn remove(&mut self, row: &[u8]) {
        self.each(row, u64::wrapping_sub);
    }

    fn each(&mut self, row: &[u8], combine: fn(u64, u64) -> u64) {
        let digest = blake3::hash(row);
        let (lanes, _) = digest.as_bytes().as_chunks::<8>();
        for (sum, lane) in self.0.iter_mut().zip(lanes) {
            *sum = combine(*sum, u64::from_le_bytes(*lane));
        }
    }

    pub(crate) fn to_digest(self) -> Digest {
        let mut bytes = [0; 32];
        for (place, lane) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.0) {
            *place = lane.to_le_bytes();
        }
        Digest(bytes)
    }

    pub(crate) fn of_digest(digest: Digest) -> Fingerprint {
        let mut sum = Fingerprint::default();
        for (lane, bytes) in sum.0.iter_mut().zip(digest.0.as_chunks::<8>().0) {
            *lane = u64::from_le_bytes(*bytes);
        }
        sum
    }
}
