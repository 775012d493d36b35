//! The shop's log: heads, witnesses, and RFC 6962 word by word.
use autopilot_events::{head::SignedHead, tree, words::TreeHash};
use autopilot_statement::SignedEvent;
use nostr::Keys;

use super::{START_MS, signed, tag};

pub fn head_event(keys: &Keys, note: &str, verifier_key: &str) -> SignedEvent {
    let head = SignedHead::open(note.as_bytes(), verifier_key).unwrap();
    let address = format!("{}/{}/{}", head.origin, head.size, &head.root.to_string()[..16]);
    let tags = [
        tag(&["d", &address]),
        tag(&["t", "autopilot-head"]),
        tag(&["verifier", verifier_key]),
    ];
    signed(keys, 30_078, &tags, note, (START_MS / 1_000) as u64 + 3_600)
}

/// Largest power of two below a count.
fn split(count: usize) -> usize {
    count.next_power_of_two() / 2
}

/// RFC 6962, section 2.1, word by word.
pub(super) fn root(leaves: &[TreeHash]) -> TreeHash {
    match leaves {
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            tree::node(&root(left), &root(right))
        }
    }
}

/// RFC 6962, section 2.1.1, word by word.
pub(super) fn proof(index: usize, leaves: &[TreeHash]) -> Vec<TreeHash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut path, other) = match index < left.len() {
        true => (proof(index, left), root(right)),
        false => (proof(index - left.len(), right), root(left)),
    };
    path.push(other);
    path
}

/// A witness of the tests: its verifier key, and its signature line under a note.
pub fn witness(seed: u8, note: &str) -> (String, String) {
    use ed25519_dalek::Signer as _;
    let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
    let typed = [&[4], key.verifying_key().as_bytes().as_slice()].concat();
    let name = "witness.example/w";
    let id = signed_note::key_id(name, &typed);
    let base64 = |bytes: &[u8]| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
    let text = note.rsplit_once("\n\n").unwrap().0;
    let message = format!("cosignature/v1\ntime 1763607000\n{text}\n");
    let signature = key.sign(message.as_bytes()).to_bytes();
    let stamped = [
        &id.to_be_bytes()[..],
        &1_763_607_000_u64.to_be_bytes(),
        &signature,
    ]
    .concat();
    (
        format!("{name}+{id:08x}+{}", base64(&typed)),
        format!("— {name} {}", base64(&stamped)),
    )
}
