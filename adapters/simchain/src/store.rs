//! The block file: consensus-encoded blocks one after the other. A torn last block is cut off.
use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

use bitcoin::{Block, consensus::encode};

use crate::SimChainError;

pub(crate) struct BlockFile {
    file: File,
    path: String,
}

impl BlockFile {
    /// Opens or creates the file and reads the blocks that are complete, without genesis.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<Block>), SimChainError> {
        let name = path.display().to_string();
        let failed = |source| SimChainError::File {
            path: name.clone(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let (mut blocks, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let Ok((block, used)) = encode::deserialize_partial::<Block>(&bytes[at..]) else {
                break;
            };
            blocks.push(block);
            at += used;
        }
        file.set_len(at as u64).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok((Self { file, path: name }, blocks))
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn append(&mut self, block: &Block) -> Result<(), SimChainError> {
        self.file
            .write_all(&encode::serialize(block))
            .map_err(|source| SimChainError::File {
                path: self.path.clone(),
                source,
            })
    }
}
