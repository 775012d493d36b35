//! Facts out of a flat file as the bench writes it: frames of a little-endian length and an encoded Fact.
use std::path::Path;

use anyhow::Context;

pub struct Fact {
    pub stream: String,
    /// In its stream, from 1.
    pub version: u64,
    pub bytes: Vec<u8>,
}

/// The first `count` facts.
///
/// # Errors
/// If the file can't be read, or holds fewer.
pub fn read(path: &Path, count: usize) -> anyhow::Result<Vec<Fact>> {
    let file = std::fs::read(path)?;
    let (mut rest, mut facts) = (file.as_slice(), Vec::with_capacity(count));
    while facts.len() < count {
        facts.push(frame(&mut rest).context("too few facts, or a file of another kind")?);
    }
    Ok(facts)
}

fn frame(rest: &mut &[u8]) -> Option<Fact> {
    let length = u32::from_le_bytes(take(rest, 4)?.try_into().ok()?);
    let bytes = take(rest, u64::from(length))?;
    let (stream, version) = stream_of(bytes)?;
    Some(Fact {
        stream,
        version,
        bytes: bytes.to_vec(),
    })
}

/// Stream and version of a fact: fields 5 and 6 of the message.
fn stream_of(mut fact: &[u8]) -> Option<(String, u64)> {
    let (mut stream, mut version) = (String::new(), 0);
    while !fact.is_empty() {
        let tag = varint(&mut fact)?;
        let value = varint(&mut fact)?;
        match (tag & 7, tag >> 3) {
            (0, 6) => version = value,
            (0, _) => {}
            (2, 5) => stream = String::from_utf8(take(&mut fact, value)?.to_vec()).ok()?,
            (2, _) => drop(take(&mut fact, value)?),
            _ => return None,
        }
    }
    Some((stream, version))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = *take(bytes, 1)? else { return None };
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'bytes>(bytes: &mut &'bytes [u8], length: u64) -> Option<&'bytes [u8]> {
    let (taken, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(taken)
}
