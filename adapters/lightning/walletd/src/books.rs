//! Durable records beside the wallet: one small JSON file per key, written whole or not at all.
//!
//! They make effects repeatable: which invoice a key got, what was asked to be paid, which send was started.
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use ldk_node::bitcoin::hashes::{Hash, sha256};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The invoice of a key.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct InvoiceRecord {
    pub(crate) key: String,
    pub(crate) amount_msat: u64,
    pub(crate) description: String,
    pub(crate) expiry_s: u32,
    pub(crate) bolt11: String,
    pub(crate) payment_hash: String,
    pub(crate) created_at_s: u64,
    pub(crate) expires_at_s: u64,
}

/// A payment that was asked for, written before it is sent.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct PayRecord {
    pub(crate) bolt11: String,
    pub(crate) amount_msat: u64,
    pub(crate) fee_ceiling_msat: u64,
    pub(crate) asked_at_s: u64,
    pub(crate) failure: Option<String>,
}

/// A payment to an offer that was asked for, written before the payee is asked and again with what became of it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct OfferRecord {
    pub(crate) key: String,
    pub(crate) bolt12: String,
    pub(crate) amount_msat: u64,
    pub(crate) fee_ceiling_msat: u64,
    pub(crate) asked_at_s: u64,
    /// The engine's id, once it said it.
    pub(crate) payment_id: Option<String>,
    pub(crate) failure: Option<String>,
}

/// An on-chain send, written before it is sent and again with its transaction.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SendRecord {
    pub(crate) key: String,
    pub(crate) address: String,
    /// `None`: everything.
    pub(crate) amount_sat: Option<u64>,
    pub(crate) asked_at_s: u64,
    pub(crate) txid: Option<String>,
    /// Nothing was sent: the wallet refused.
    pub(crate) refused: Option<String>,
}

/// What is remembered of a channel beyond its life.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChannelRecord {
    /// Its id, as hexadecimal text; records of the first version have none.
    #[serde(default)]
    pub(crate) channel_id: Option<String>,
    pub(crate) counterparty: String,
    pub(crate) capacity_sat: u64,
    pub(crate) funding_outpoint: String,
    pub(crate) outbound: bool,
    pub(crate) anchors: bool,
    pub(crate) opening_balance_msat: u64,
    pub(crate) last_balance_msat: u64,
}

impl ChannelRecord {
    /// Ours in the two anchor outputs of 330 sat: the funder's.
    pub(crate) fn anchors_msat(&self) -> u64 {
        if self.outbound && self.anchors { 660_000 } else { 0 }
    }

    /// The balance that the engine's claim, in satoshi, tells better than what is remembered. `None` where the two agree
    /// to the satoshi, since what is remembered is exact, and where the claim is nothing or the whole channel: then a
    /// side below the dust limit may hide in the fee.
    pub(crate) fn balance_by_claim(&self, claimed_sat: u64) -> Option<u64> {
        let whole_sat = self.capacity_sat.saturating_sub(self.anchors_msat() / 1_000);
        let told =
            claimed_sat > 0 && claimed_sat < whole_sat && claimed_sat != self.last_balance_msat / 1_000;
        told.then_some(claimed_sat * 1_000)
    }
}

/// A folder of records of one kind.
pub(crate) struct Book {
    dir: PathBuf,
    /// One writer at a time: the unfinished file of a key has one name.
    writing: Mutex<()>,
}

impl Book {
    pub(crate) fn open(root: &Path, name: &str) -> io::Result<Self> {
        let dir = root.join("books").join(name);
        fs::create_dir_all(&dir)?;
        Ok(Self {
            dir,
            writing: Mutex::new(()),
        })
    }

    /// Any key becomes a file name by its hash, so that it can hold any bytes.
    fn path(&self, key: &str) -> PathBuf {
        let name = sha256::Hash::hash(key.as_bytes()).to_string();
        self.dir.join(&name[..2]).join(name)
    }

    pub(crate) fn read<T: DeserializeOwned>(&self, key: &str) -> io::Result<Option<T>> {
        match fs::read(self.path(key)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Durable when it returns: the bytes, then the name, then the folder.
    pub(crate) fn write<T: Serialize>(&self, key: &str, record: &T) -> io::Result<()> {
        let path = self.path(key);
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = path.parent().unwrap_or(&self.dir);
        if !folder.exists() {
            fs::create_dir_all(folder)?;
            File::open(&self.dir)?.sync_all()?;
        }
        let part = path.with_extension("part");
        let mut file = File::create(&part)?;
        file.write_all(&serde_json::to_vec(record)?)?;
        file.sync_all()?;
        fs::rename(&part, &path)?;
        File::open(folder)?.sync_all()
    }

    /// Every record, in no order.
    pub(crate) fn all<T: DeserializeOwned>(&self) -> io::Result<Vec<T>> {
        let mut records = Vec::new();
        for folder in fs::read_dir(&self.dir)? {
            for file in fs::read_dir(folder?.path())? {
                let path = file?.path();
                if path.extension().is_none() {
                    records.push(serde_json::from_slice(&fs::read(path)?)?);
                }
            }
        }
        Ok(records)
    }
}

/// All the books of a wallet.
pub(crate) struct Books {
    pub(crate) invoices: Book,
    /// Payment hash → invoice key.
    pub(crate) invoice_keys: Book,
    pub(crate) payments: Book,
    pub(crate) sends: Book,
    pub(crate) offers: Book,
    /// The engine's payment id → offer key.
    pub(crate) offer_keys: Book,
    pub(crate) channels: Book,
    pub(crate) counters: Book,
    /// Transaction id → which closed channel it pays out.
    pub(crate) receipts: Book,
}

impl Books {
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        Ok(Self {
            invoices: Book::open(root, "invoices")?,
            invoice_keys: Book::open(root, "invoice-keys")?,
            payments: Book::open(root, "payments")?,
            sends: Book::open(root, "sends")?,
            offers: Book::open(root, "offers")?,
            offer_keys: Book::open(root, "offer-keys")?,
            channels: Book::open(root, "channels")?,
            counters: Book::open(root, "counters")?,
            receipts: Book::open(root, "receipts")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ChannelRecord;

    #[test]
    fn a_claim_corrects_a_balance_that_is_one_payment_old_and_nothing_else() {
        let record = ChannelRecord {
            channel_id: None,
            counterparty: String::new(),
            capacity_sat: 100_000,
            funding_outpoint: String::new(),
            outbound: true,
            anchors: true,
            opening_balance_msat: 99_000_000,
            last_balance_msat: 98_900_250,
        };
        assert_eq!(record.balance_by_claim(99_000), Some(99_000_000));
        assert_eq!(record.balance_by_claim(98_900), None, "the same to the satoshi");
        assert_eq!(record.balance_by_claim(0), None, "ours may be dust");
        assert_eq!(record.balance_by_claim(99_340), None, "theirs may be dust");
    }
}
