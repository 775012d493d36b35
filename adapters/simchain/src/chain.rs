//! Blocks, unspent outputs and the mempool.
use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use bitcoin::{
    Amount, Block, BlockHash, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid,
    Witness,
    absolute::LockTime,
    blockdata::{constants, opcodes, script},
    relative, transaction,
};

use crate::{SimChainError, store::BlockFile};

/// Mempool bound; beyond it transactions are refused.
const MEMPOOL_LIMIT: usize = 10_000;
const COINBASE_MATURITY: u32 = 100;
const FAUCET_FEE_SAT: u64 = 1_000;

/// A transaction that the mempool does not take, with bitcoind's code and words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Rejected {
    /// bitcoind's RPC error code.
    pub code: i32,
    /// bitcoind's reject reason.
    pub reason: &'static str,
}

const fn refused(reason: &'static str) -> Rejected {
    Rejected { code: -26, reason }
}

#[derive(Clone)]
struct Coin {
    output: TxOut,
    height: u32,
    coinbase: bool,
}

pub(crate) struct MempoolEntry {
    pub(crate) tx: Transaction,
    pub(crate) time_s: u64,
    pub(crate) height: u32,
    pub(crate) fee_sat: u64,
    pub(crate) order: u64,
}

pub(crate) struct Chain {
    blocks: Vec<Block>,
    heights: HashMap<BlockHash, u32>,
    coins: HashMap<OutPoint, Coin>,
    confirmed: HashMap<Txid, u32>,
    mempool: HashMap<Txid, MempoolEntry>,
    spent_in_mempool: HashMap<OutPoint, Txid>,
    faucet: BTreeMap<OutPoint, u64>,
    next_order: u64,
    file: Option<BlockFile>,
}

fn faucet_script() -> ScriptBuf {
    script::Builder::new()
        .push_opcode(opcodes::OP_TRUE)
        .into_script()
        .to_p2wsh()
}

pub(crate) fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

impl Chain {
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, SimChainError> {
        let genesis = constants::genesis_block(Network::Regtest);
        let mut chain = Self {
            heights: HashMap::from([(genesis.block_hash(), 0)]),
            blocks: vec![genesis],
            coins: HashMap::new(),
            confirmed: HashMap::new(),
            mempool: HashMap::new(),
            spent_in_mempool: HashMap::new(),
            faucet: BTreeMap::new(),
            next_order: 0,
            file: None,
        };
        if let Some(path) = path {
            let (file, blocks) = BlockFile::open(path)?;
            for block in blocks {
                if block.header.prev_blockhash != chain.tip_hash() || !block.check_merkle_root() {
                    return Err(SimChainError::Damaged(file.path().to_owned()));
                }
                chain.connect(block);
            }
            chain.file = Some(file);
        }
        Ok(chain)
    }

    pub(crate) fn height(&self) -> u32 {
        (self.blocks.len() - 1) as u32
    }

    pub(crate) fn tip_hash(&self) -> BlockHash {
        // The genesis block is never removed.
        self.blocks[self.blocks.len() - 1].block_hash()
    }

    pub(crate) fn block(&self, hash: &BlockHash) -> Option<(u32, &Block)> {
        let height = *self.heights.get(hash)?;
        Some((height, &self.blocks[height as usize]))
    }

    pub(crate) fn block_at(&self, height: u32) -> Option<&Block> {
        self.blocks.get(height as usize)
    }

    pub(crate) fn confirmed_height(&self, txid: &Txid) -> Option<u32> {
        self.confirmed.get(txid).copied()
    }

    pub(crate) fn transaction(&self, txid: &Txid) -> Option<Transaction> {
        if let Some(entry) = self.mempool.get(txid) {
            return Some(entry.tx.clone());
        }
        let block = self.block_at(self.confirmed_height(txid)?)?;
        block.txdata.iter().find(|tx| tx.compute_txid() == *txid).cloned()
    }

    pub(crate) fn mempool(&self) -> &HashMap<Txid, MempoolEntry> {
        &self.mempool
    }

    pub(crate) fn mempool_len(&self) -> usize {
        self.mempool.len()
    }

    /// An unspent output, its height (`None`: in the mempool) and whether a coinbase made it.
    pub(crate) fn unspent(&self, out: &OutPoint, with_mempool: bool) -> Option<(TxOut, Option<u32>, bool)> {
        if with_mempool && self.spent_in_mempool.contains_key(out) {
            return None;
        }
        if let Some(coin) = self.coins.get(out) {
            return Some((coin.output.clone(), Some(coin.height), coin.coinbase));
        }
        let entry = self.mempool.get(&out.txid).filter(|_| with_mempool)?;
        Some((entry.tx.output.get(out.vout as usize)?.clone(), None, false))
    }

    /// Takes a transaction into the mempool, replacing conflicting ones that pay less.
    pub(crate) fn accept(&mut self, tx: Transaction) -> Result<Txid, Rejected> {
        let txid = tx.compute_txid();
        if self.mempool.contains_key(&txid) {
            return Ok(txid);
        }
        if self.confirmed.contains_key(&txid) {
            return Err(Rejected {
                code: -27,
                reason: "Transaction outputs already in utxo set",
            });
        }
        if tx.is_coinbase() || tx.input.is_empty() || tx.output.is_empty() {
            return Err(refused("coinbase or empty transaction"));
        }
        if self.mempool.len() >= MEMPOOL_LIMIT {
            return Err(refused("mempool full"));
        }
        let next_height = self.height() + 1;
        let final_inputs = tx.input.iter().all(|input| input.sequence == Sequence::MAX);
        if !final_inputs && !self.lock_time_passed(tx.lock_time, next_height) {
            return Err(refused("non-final"));
        }
        let (mut value_in, mut conflicts) = (0_u64, Vec::new());
        for input in &tx.input {
            let (output, height, coinbase) = self
                .unspent(&input.previous_output, false)
                .or_else(|| self.mempool_output(&input.previous_output))
                .ok_or(Rejected {
                    code: -25,
                    reason: "bad-txns-inputs-missingorspent",
                })?;
            let depth = height.map_or(0, |height| next_height - height);
            if coinbase && depth < COINBASE_MATURITY {
                return Err(refused("bad-txns-premature-spend-of-coinbase"));
            }
            if tx.version >= transaction::Version::TWO && !relative_lock_passed(input.sequence, depth) {
                return Err(refused("non-BIP68-final"));
            }
            value_in = value_in.saturating_add(output.value.to_sat());
            conflicts.extend(self.spent_in_mempool.get(&input.previous_output).copied());
        }
        let value_out = tx
            .output
            .iter()
            .fold(0_u64, |sum, output| sum.saturating_add(output.value.to_sat()));
        let fee_sat = value_in
            .checked_sub(value_out)
            .ok_or(refused("bad-txns-in-belowout"))?;
        let replaced: u64 = conflicts
            .iter()
            .filter_map(|id| self.mempool.get(id))
            .map(|entry| entry.fee_sat)
            .sum();
        if !conflicts.is_empty() && fee_sat <= replaced {
            return Err(refused("insufficient fee, rejecting replacement"));
        }
        conflicts.iter().for_each(|id| self.evict(id));
        for input in &tx.input {
            self.spent_in_mempool.insert(input.previous_output, txid);
        }
        let (time_s, order) = (now_s(), self.next_order);
        self.next_order += 1;
        let entry = MempoolEntry {
            tx,
            time_s,
            height: self.height(),
            fee_sat,
            order,
        };
        self.mempool.insert(txid, entry);
        Ok(txid)
    }

    fn mempool_output(&self, out: &OutPoint) -> Option<(TxOut, Option<u32>, bool)> {
        let output = self.mempool.get(&out.txid)?.tx.output.get(out.vout as usize)?;
        Some((output.clone(), None, false))
    }

    fn lock_time_passed(&self, lock_time: LockTime, next_height: u32) -> bool {
        match lock_time {
            LockTime::Blocks(height) => height.to_consensus_u32() < next_height,
            LockTime::Seconds(time) => u64::from(time.to_consensus_u32()) < now_s(),
        }
    }

    /// Removes a transaction and everything that spends it.
    fn evict(&mut self, txid: &Txid) {
        let Some(entry) = self.mempool.remove(txid) else {
            return;
        };
        entry.tx.input.iter().for_each(|input| {
            self.spent_in_mempool.remove(&input.previous_output);
        });
        for vout in 0..entry.tx.output.len() as u32 {
            if let Some(child) = self
                .spent_in_mempool
                .get(&OutPoint { txid: *txid, vout })
                .copied()
            {
                self.evict(&child);
            }
        }
    }

    pub(crate) fn fund(&mut self, script: ScriptBuf, amount_sat: u64) -> Result<Txid, Rejected> {
        let next_height = self.height() + 1;
        let needed = amount_sat.saturating_add(FAUCET_FEE_SAT);
        let (mut inputs, mut value) = (Vec::new(), 0_u64);
        for (out, sat) in &self.faucet {
            let mature = self
                .coins
                .get(out)
                .is_some_and(|coin| !coin.coinbase || next_height - coin.height >= COINBASE_MATURITY);
            if mature && !self.spent_in_mempool.contains_key(out) && value < needed {
                inputs.push(TxIn {
                    previous_output: *out,
                    script_sig: ScriptBuf::new(),
                    sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
                    witness: Witness::from_slice(&[[opcodes::OP_TRUE.to_u8()]]),
                });
                value += sat;
            }
        }
        let change = value
            .checked_sub(needed)
            .ok_or(refused("the faucet is empty; mine more blocks"))?;
        let pay = TxOut {
            value: Amount::from_sat(amount_sat),
            script_pubkey: script,
        };
        let back = TxOut {
            value: Amount::from_sat(change),
            script_pubkey: faucet_script(),
        };
        self.accept(Transaction {
            version: transaction::Version::TWO,
            lock_time: LockTime::ZERO,
            input: inputs,
            output: vec![pay, back],
        })
    }

    pub(crate) fn mine(&mut self, count: u32, pay_to: Option<ScriptBuf>) -> Result<u32, SimChainError> {
        let script = pay_to.unwrap_or_else(faucet_script);
        for _ in 0..count {
            let block = self.next_block(script.clone());
            if let Some(file) = &mut self.file {
                file.append(&block)?;
            }
            self.connect(block);
        }
        Ok(self.height())
    }

    pub(crate) fn median_time(&self) -> u32 {
        let mut times: Vec<u32> = self
            .blocks
            .iter()
            .rev()
            .take(11)
            .map(|block| block.header.time)
            .collect();
        times.sort_unstable();
        times[times.len() / 2]
    }

    fn connect(&mut self, block: Block) {
        let height = self.height() + 1;
        let faucet = faucet_script();
        for tx in &block.txdata {
            let txid = tx.compute_txid();
            for input in &tx.input {
                self.coins.remove(&input.previous_output);
                self.faucet.remove(&input.previous_output);
                self.spent_in_mempool.remove(&input.previous_output);
            }
            for (vout, output) in tx.output.iter().enumerate() {
                let out = OutPoint {
                    txid,
                    vout: vout as u32,
                };
                if output.script_pubkey == faucet {
                    self.faucet.insert(out, output.value.to_sat());
                }
                if !output.script_pubkey.is_op_return() {
                    let coin = Coin {
                        output: output.clone(),
                        height,
                        coinbase: tx.is_coinbase(),
                    };
                    self.coins.insert(out, coin);
                }
            }
            self.confirmed.insert(txid, height);
            self.mempool.remove(&txid);
        }
        self.heights.insert(block.block_hash(), height);
        self.blocks.push(block);
    }
}

fn relative_lock_passed(sequence: Sequence, depth: u32) -> bool {
    match sequence.to_relative_lock_time() {
        Some(relative::LockTime::Blocks(blocks)) => depth >= u32::from(blocks.value()),
        // Time-based locks are not simulated: nothing here uses them.
        Some(relative::LockTime::Time(_)) | None => true,
    }
}
