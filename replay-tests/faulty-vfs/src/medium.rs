//! What a medium holds of one file: the bytes as last synced, and the changes since. Pure.

/// Bytes that a medium writes as a whole.
const SECTOR: usize = 512;

/// What becomes of changes that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All are lost.
    All,
    /// None is.
    Nothing,
    /// Those up to some moment are kept, the last of them in part.
    Tail,
    /// Any may be kept and any lost, whatever their order; any of those kept in part.
    Some,
}

/// A change since the last sync.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

/// One file. `durable`: none: its name is not on the medium either.
#[derive(Clone, Debug, Default)]
pub(crate) struct Medium {
    pub(crate) durable: Option<Vec<u8>>,
    pub(crate) pending: Vec<Change>,
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write(at, written) => {
            let end = at + written.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*at..end].copy_from_slice(written);
        }
        Change::Truncate(length) => bytes.truncate(*length),
    }
}

impl Medium {
    pub(crate) fn sync(&mut self) {
        let durable = self.durable.get_or_insert_default();
        self.pending.drain(..).for_each(|change| apply(durable, &change));
    }

    /// What is left after a loss of power; `below(n)` draws a number in `0..n`.
    pub(crate) fn survivor(&self, loss: Loss, below: &mut impl FnMut(u64) -> u64) -> Option<Vec<u8>> {
        let mut kept: Vec<Change> = match loss {
            Loss::All => Vec::new(),
            Loss::Nothing => self.pending.clone(),
            Loss::Tail => {
                let most = below(self.pending.len() as u64 + 1);
                let most = usize::try_from(most).unwrap_or(0);
                self.pending.iter().take(most).cloned().collect()
            }
            Loss::Some => self.pending.iter().filter(|_| below(2) == 0).cloned().collect(),
        };
        match loss {
            Loss::Tail => kept.last_mut().into_iter().for_each(|change| tear(change, below)),
            Loss::Some => kept
                .iter_mut()
                .filter(|_| below(4) == 0)
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|change| tear(change, below)),
            Loss::All | Loss::Nothing => {}
        }
        if self.durable.is_none() && kept.is_empty() {
            return None;
        }
        let mut bytes = self.durable.clone().unwrap_or_default();
        kept.iter().for_each(|change| apply(&mut bytes, change));
        Some(bytes)
    }
}

/// Only some whole sectors of a write reach the medium.
fn tear(change: &mut Change, below: &mut impl FnMut(u64) -> u64) {
    if let Change::Write(_, written) = change {
        let sectors = written.len().div_ceil(SECTOR) as u64;
        let kept = usize::try_from(below(sectors + 1)).unwrap_or(0) * SECTOR;
        written.truncate(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_synced_survives_every_loss_and_what_was_not_may() {
        let mut file = Medium::default();
        file.pending.push(Change::Write(0, vec![1; 2_048]));
        assert_eq!(file.survivor(Loss::All, &mut |_| 0), None, "not even its name");
        file.sync();
        file.pending.push(Change::Write(1_024, vec![2; 2_048]));
        let torn = file.survivor(Loss::Tail, &mut |n| n - 2).unwrap();
        assert_eq!(torn, vec![1; 2_048], "no change was kept");
        let torn = file
            .survivor(Loss::Tail, &mut |n| if n == 2 { 1 } else { 3 })
            .unwrap();
        assert_eq!(
            (torn.len(), torn[1_023], torn[1_024], torn[2_559]),
            (2_560, 1, 2, 2)
        );
        assert_eq!(file.survivor(Loss::Nothing, &mut |_| 0).unwrap().len(), 3_072);
    }
}
