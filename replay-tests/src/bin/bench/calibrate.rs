//! What the machine gives: a file that was written to its full length before, overwritten and synced.
use std::{
    fs::{File, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::Path,
};

use autopilot_events::{Recorded, chain::push_frame};

/// Length of the file; writing starts over at its end.
const LENGTH: u64 = 64 << 20;

/// A flat preallocated file, synced with `fdatasync`.
pub struct Flat {
    file: File,
    at: u64,
}

impl Flat {
    /// Makes the file and writes all of it once, so that a later sync has no length or blocks to record.
    pub fn new(path: &Path) -> anyhow::Result<Flat> {
        let mut file = OpenOptions::new().create_new(true).write(true).open(path)?;
        let zeros = vec![0; 1 << 20];
        for _ in 0..LENGTH >> 20 {
            file.write_all(&zeros)?;
        }
        file.sync_all()?;
        Ok(Flat { file, at: 0 })
    }

    /// Appends the frames of a commit; durable when it returns.
    pub fn append(&mut self, facts: &[Recorded]) -> anyhow::Result<()> {
        let mut block = Vec::new();
        facts.iter().for_each(|fact| push_frame(&mut block, &fact.bytes));
        if self.at + block.len() as u64 > LENGTH {
            self.at = 0;
        }
        self.file.seek(SeekFrom::Start(self.at))?;
        self.file.write_all(&block)?;
        self.file.sync_data()?;
        self.at += block.len() as u64;
        Ok(())
    }
}
