//! Signed heads: read back as they were signed, and by nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used)] // In tests a panic is the verdict.
use std::collections::BTreeMap;

use autopilot_events::{
    head::{HeadError, HeadSigner, MAX_NOTE_BYTES, SignedHead, origin},
    words::{ChainHash, Digest, TreeHash},
};

fn signer(id: u8, secret: u8) -> HeadSigner {
    HeadSigner::new(&origin(&[id; 16]), &[secret; 32]).expect("a signer")
}

fn head() -> SignedHead {
    SignedHead {
        origin: origin(&[7; 16]),
        size: 1_207,
        root: TreeHash([1; 32]),
        chain: ChainHash([2; 32]),
        folds: BTreeMap::from([
            ("earnings/1".to_owned(), Digest([3; 32])),
            ("jobs/2".to_owned(), Digest([4; 32])),
        ]),
    }
}

#[test]
fn a_signed_head_reads_back_as_it_was_signed() {
    let signer = signer(7, 9);
    let note = signer.sign(&head()).expect("a note");
    assert!(note.starts_with("autopilot.ledger/07070707070707070707070707070707\n1207\nAQEBAQ"));
    assert_eq!(
        SignedHead::open(note.as_bytes(), signer.verifier_key()),
        Ok(head())
    );
    assert_eq!(
        format!("{signer:?}"),
        signer.verifier_key(),
        "no secret in what is printed"
    );
}

#[test]
fn every_other_byte_another_key_and_another_ledger_are_refused() {
    let mine = signer(7, 9);
    let note = mine.sign(&head()).expect("a note");
    let open = |note: &[u8], key: &HeadSigner| SignedHead::open(note, key.verifier_key());
    for place in 0..note.len() {
        for bit in 0..8 {
            let mut bent = note.clone().into_bytes();
            bent[place] ^= 1 << bit;
            let read = open(&bent, &mine);
            // Base64 spells some bits twice; such a note says the same thing, signed by the same key.
            assert!(read.is_err() || read == Ok(head()), "bit {bit} of byte {place}");
        }
    }
    assert_eq!(open(note.as_bytes(), &signer(7, 8)), Err(HeadError::Signature));
    assert_eq!(open(note.as_bytes(), &signer(6, 9)), Err(HeadError::Signature));
    assert_eq!(signer(6, 9).sign(&head()), Err(HeadError::OtherLedger));
    assert_eq!(
        open(&note.as_bytes()[..note.len() - 1], &mine),
        Err(HeadError::Malformed)
    );
    assert_eq!(
        open(&vec![b'a'; MAX_NOTE_BYTES + 1], &mine),
        Err(HeadError::Malformed)
    );
    assert_eq!(SignedHead::open(note.as_bytes(), "no key"), Err(HeadError::Key));
}

#[test]
fn a_witness_may_add_a_signature() {
    let mine = signer(7, 9);
    let note = mine.sign(&head()).expect("a note");
    let (_, signature) = note.rsplit_once("\n\n").expect("a note has a blank line");
    let cosigned = format!(
        "{note}{}",
        signature.replace("autopilot.ledger/", "witness.example/")
    );
    assert_eq!(
        SignedHead::open(cosigned.as_bytes(), mine.verifier_key()),
        Ok(head())
    );
}
