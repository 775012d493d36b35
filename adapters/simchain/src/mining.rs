//! Making a block that any wallet's checks accept: height, commitment, merkle root and regtest's proof of work.
use bitcoin::{
    Amount, Block, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut,
    Witness, WitnessMerkleNode,
    absolute::LockTime,
    block::{Header, Version},
    blockdata::script,
    hashes::Hash,
    transaction,
};

use crate::chain::{Chain, MempoolEntry, now_s};

const SUBSIDY_SAT: u64 = 50 * 100_000_000;

impl Chain {
    /// A block on the tip with everything in the mempool, whose coinbase pays `script`.
    pub(crate) fn next_block(&self, script: ScriptBuf) -> Block {
        let height = self.height() + 1;
        let mut waiting: Vec<&MempoolEntry> = self.mempool().values().collect();
        // Parents enter the mempool before their children, so this order is valid.
        waiting.sort_by_key(|entry| entry.order);
        let fees: u64 = waiting.iter().map(|entry| entry.fee_sat).sum();
        let mut coinbase = Transaction {
            version: transaction::Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: OutPoint::null(),
                script_sig: script::Builder::new()
                    .push_int(i64::from(height))
                    .push_slice(b"simulated")
                    .into_script(),
                sequence: Sequence::MAX,
                witness: Witness::from_slice(&[[0_u8; 32]]),
            }],
            output: vec![TxOut {
                value: Amount::from_sat(SUBSIDY_SAT + fees),
                script_pubkey: script,
            }],
        };
        let wtxids = std::iter::once([0; 32]).chain(
            waiting
                .iter()
                .map(|entry| entry.tx.compute_wtxid().to_byte_array()),
        );
        let root = bitcoin::merkle_tree::calculate_root(wtxids.map(WitnessMerkleNode::from_byte_array))
            .unwrap_or(WitnessMerkleNode::all_zeros());
        let commitment = Block::compute_witness_commitment(&root, &[0; 32]);
        let mut pushed = [0_u8; 36];
        pushed[..4].copy_from_slice(&[0xaa, 0x21, 0xa9, 0xed]);
        pushed[4..].copy_from_slice(commitment.as_byte_array());
        coinbase.output.push(TxOut {
            value: Amount::ZERO,
            script_pubkey: ScriptBuf::new_op_return(pushed),
        });

        let mut txdata = vec![coinbase];
        txdata.extend(waiting.iter().map(|entry| entry.tx.clone()));
        let header = Header {
            version: Version::from_consensus(0x2000_0000),
            prev_blockhash: self.tip_hash(),
            merkle_root: TxMerkleNode::all_zeros(),
            time: (now_s() as u32).max(self.median_time() + 1),
            bits: CompactTarget::from_consensus(0x207f_ffff),
            nonce: 0,
        };
        let mut block = Block { header, txdata };
        block.header.merkle_root = block.compute_merkle_root().unwrap_or(TxMerkleNode::all_zeros());
        while block.header.validate_pow(block.header.target()).is_err() {
            block.header.nonce += 1; // Regtest's target lets every second nonce pass.
        }
        block
    }
}
