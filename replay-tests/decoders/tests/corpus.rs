//! What fuzzing kept, replayed without an engine: each input once, and each with small damage.
#![allow(clippy::unwrap_used, clippy::expect_used)] // In tests a panic is the verdict.
use std::{fs, path::Path};

use autopilot_decoders::{DECODERS, run};

/// The corpus is for the repository: it stays small.
const CORPUS_BYTES_MAX: u64 = 200 << 10;

fn corpus() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

#[test]
fn every_kept_input_and_its_neighbours_are_read_without_a_fault() {
    for (name, decoder) in DECODERS {
        let folder = corpus().join(name);
        let files: Vec<_> = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(!files.is_empty(), "{name} has no corpus");
        decoder(&[]);
        for file in files {
            let bytes = fs::read(&file).unwrap();
            // Named before it runs, so that a panic says which.
            println!("{}", file.display());
            decoder(&bytes);
            decoder(&bytes[..bytes.len() / 2]);
            for place in (0..bytes.len()).step_by(bytes.len().div_ceil(16).max(1)) {
                let mut damaged = bytes.clone();
                damaged[place] ^= 0x55;
                decoder(&damaged);
            }
        }
    }
}

#[test]
fn corpus_and_targets_are_the_decoders_and_the_corpus_is_small() {
    let folders = |path: &Path| -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    let known: Vec<String> = DECODERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(folders(&corpus()), known);
    assert_eq!(folders(&corpus().join("../fuzz_targets")), known);
    let bytes: u64 = DECODERS
        .iter()
        .flat_map(|(name, _)| fs::read_dir(corpus().join(name)).unwrap())
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(bytes <= CORPUS_BYTES_MAX, "{bytes} bytes");
    // One of them, by name, as a target runs it.
    run(&known[0], b"\0");
}
