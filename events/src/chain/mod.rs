//! The blake3 chain over stored bytes, and the framing of facts in a block. `docs/BYTE_LAYOUT.md` is the specification.
mod runs;
#[cfg(target_arch = "x86_64")]
mod wide;

pub use runs::{Run, link_runs};

use crate::{envelope::MAX_FACT_BYTES, words::ChainHash};

/// Chain value before the first fact: the blake3 digest of this text.
pub const GENESIS_TEXT: &[u8] = b"autopilot/ledger/1";

/// Chain value before the first fact.
pub fn genesis() -> ChainHash {
    ChainHash(*blake3::hash(GENESIS_TEXT).as_bytes())
}

/// `blake3(previous ‖ bytes of the fact)`. The previous value has a fixed length, so nothing is ambiguous.
pub fn link(previous: &ChainHash, fact: &[u8]) -> ChainHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&previous.0).update(fact);
    ChainHash(*hasher.finalize().as_bytes())
}

/// A block that does not divide into whole facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Fewer bytes than the length in front of them says.
    #[error("the block ends within a fact, at byte {offset}")]
    Short {
        /// Offset of the frame in its block.
        offset: usize,
    },
    /// A length beyond [`MAX_FACT_BYTES`].
    #[error("a fact at byte {offset} claims {length} bytes")]
    TooLong {
        /// Offset of the frame in its block.
        offset: usize,
        /// What it claims.
        length: usize,
    },
}

/// Appends one frame: length as four little-endian bytes, then the fact.
pub fn push_frame(block: &mut Vec<u8>, fact: &[u8]) {
    block.extend_from_slice(&(fact.len() as u32).to_le_bytes());
    block.extend_from_slice(fact);
}

/// The facts of a block, in order, as they lie there.
pub fn frames(block: &[u8]) -> Frames<'_> {
    Frames { block, offset: 0 }
}

/// What [`frames`] gives. Nothing after a broken frame, which can't be trusted to end where it seems to.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    block: &'a [u8],
    offset: usize,
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<&'a [u8], FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        let offset = self.offset;
        let rest = self.block.get(offset..).filter(|rest| !rest.is_empty())?;
        let frame = match rest.split_first_chunk::<4>() {
            None => Err(FrameError::Short { offset }),
            Some((length, body)) => match u32::from_le_bytes(*length) as usize {
                length if length > MAX_FACT_BYTES => Err(FrameError::TooLong { offset, length }),
                length => body.get(..length).ok_or(FrameError::Short { offset }),
            },
        };
        self.offset = frame.map_or(self.block.len(), |fact| offset + 4 + fact.len());
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(facts: &[&[u8]]) -> Vec<u8> {
        let mut block = Vec::new();
        facts.iter().for_each(|fact| push_frame(&mut block, fact));
        block
    }

    #[test]
    fn frames_give_back_what_was_pushed() {
        let facts: [&[u8]; 3] = [b"one", b"", b"three"];
        let block = block(&facts);
        assert_eq!(
            frames(&block).collect::<Result<Vec<_>, _>>().as_deref(),
            Ok(facts.as_slice())
        );
        assert_eq!(frames(&[]).count(), 0);
    }

    #[test]
    fn a_cut_or_lying_frame_is_the_last_thing_read() {
        let whole = block(&[b"one", b"three"]);
        for length in 1..whole.len() {
            let read: Vec<_> = frames(&whole[..length]).collect();
            if length == 7 {
                assert_eq!(read, [Ok(b"one".as_slice())], "the cut falls between two facts");
            } else {
                let offset = if length > 7 { 7 } else { 0 };
                assert_eq!(
                    read.last(),
                    Some(&Err(FrameError::Short { offset })),
                    "cut to {length}"
                );
            }
        }
        let mut lying = whole;
        lying[..4].copy_from_slice(&(MAX_FACT_BYTES as u32 + 1).to_le_bytes());
        let read: Vec<_> = frames(&lying).collect();
        assert_eq!(
            read,
            [Err(FrameError::TooLong {
                offset: 0,
                length: MAX_FACT_BYTES + 1
            })]
        );
    }

    #[test]
    fn the_chain_depends_on_every_fact_and_their_order() {
        let chain = |facts: &[&[u8]]| facts.iter().fold(genesis(), |chain, fact| link(&chain, fact));
        let sound = chain(&[b"a", b"b", b"c"]);
        assert_eq!(sound, chain(&[b"a", b"b", b"c"]));
        for other in [
            &[b"a".as_slice(), b"c", b"b"],
            &[b"a", b"b", b"C"],
            &[b"ab", b"", b"c"],
        ] {
            assert_ne!(sound, chain(other));
        }
        assert_ne!(sound, chain(&[b"a", b"b"]));
        assert_eq!(
            genesis(),
            ChainHash(*blake3::hash(b"autopilot/ledger/1").as_bytes())
        );
    }
}
