//! A seller with a ledger, its buyers, and statements of it: every signature is a real one.
#![allow(clippy::unwrap_used, missing_docs)] // It serves tests, where a panic is the verdict.
mod log;
mod papers;

use autopilot_events::{
    Draft, Event, Recorded,
    head::{HeadSigner, SignedHead, origin},
    pb::{self, Source},
    texts::forgotten_key,
    tree,
    words::{JobId, TreeHash},
};
use autopilot_statement::{Bytes, Entry, FORMAT, Header, LIMITS, Settlement, SignedEvent};
use bitcoin::secp256k1::{Secp256k1, SecretKey};
use lightning_invoice::Currency;
use nostr::Keys;
use prost::Message as _;
use sha2::{Digest, Sha256};

pub use self::{
    log::{head_event, witness},
    papers::{invoice, json, signed, tag},
};
use self::{
    log::{proof, root},
    papers::keys,
};
use crate::Pen;

pub const START_MS: i64 = 1_763_600_000_000;
pub const PRICE_MSAT: u64 = 10_000;
pub const LEDGER_ID: [u8; 16] = [7; 16];

/// How a sale is unlike others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sale {
    pub receipt: bool,
    pub erased: bool,
    pub prepaid: bool,
    /// Of an old ledger: neither evidence nor preimage.
    pub old: bool,
    /// More than the invoice asks for, in millisatoshi.
    pub beyond_msat: u64,
    /// The request is the seller's own.
    pub own: bool,
}

pub struct Shop {
    pub seller: Keys,
    pub buyer: Keys,
    pub node: SecretKey,
    pub signer: HeadSigner,
    pub facts: Vec<Recorded>,
    pen: Pen,
    pub settled: Vec<(u64, Settlement)>,
    /// What a dishonest ledger says instead of the truth, from now on.
    pub bend: Option<fn(&mut pb::JobSettled)>,
}

/// What is said in a job.
pub struct Deal {
    /// How it is unlike others.
    pub sale: Sale,
    /// The job.
    pub id: JobId,
    preimage: [u8; 32],
    bolt11: String,
    /// The buyer's request.
    pub request: SignedEvent,
    /// The seller's result.
    pub result: SignedEvent,
    /// The buyer's receipt, if there is to be one.
    pub receipt: Option<SignedEvent>,
}

impl Shop {
    /// A new one.
    pub fn open() -> Shop {
        Shop::of(keys(0x11))
    }

    /// A new one of this seller.
    pub fn of(seller: Keys) -> Shop {
        let mut shop = Shop {
            seller,
            buyer: keys(0x22),
            node: SecretKey::from_slice(&[0x33; 32]).unwrap(),
            signer: HeadSigner::new(&origin(&LEDGER_ID), &[0x44; 32]).unwrap(),
            facts: Vec::new(),
            pen: Pen::default(),
            settled: Vec::new(),
            bend: None,
        };
        let opened = pb::LedgerOpened {
            ledger_id: LEDGER_ID.to_vec(),
            network: "regtest".into(),
            identity: shop.seller.public_key().to_bytes().to_vec(),
            program: "tests".into(),
        };
        shop.write("ledger", opened);
        shop
    }

    /// Writes a fact.
    pub fn write(&mut self, stream: &str, event: impl Into<Event>) -> pb::FactLink {
        self.write_keyed(stream, event, String::new())
    }

    /// Writes that the texts of a subject are forgotten.
    pub fn forget(&mut self, subject: &str) {
        let forgotten = pb::TextForgotten {
            subject: subject.to_owned(),
            reason: pb::ForgetReason::Job as i32,
        };
        self.write_keyed("ledger", forgotten, forgotten_key(subject));
    }

    fn write_keyed(
        &mut self,
        stream: &str,
        event: impl Into<Event>,
        idempotency_key: String,
    ) -> pb::FactLink {
        let draft = Draft {
            event: event.into(),
            stream: stream.to_owned(),
            source: Source::Wallet,
            idempotency_key,
            correlation: Vec::new(),
        };
        let at_ms = START_MS + 1_000 * self.facts.len() as i64;
        let fact = self.pen.write(draft, at_ms);
        let link = pb::FactLink {
            sequence: fact.fact.sequence,
            leaf: tree::leaf(&fact.bytes).to_vec(),
        };
        self.facts.push(fact);
        link
    }

    pub fn seller_key(&self) -> String {
        self.seller.public_key().to_hex()
    }

    /// A job from request to receipt. Answers its place among the settlements, which have no proof before
    /// [`Shop::settlements`].
    pub fn sell(&mut self, sale: Sale) -> usize {
        let deal = self.deal(sale);
        self.write_down(deal, None)
    }

    /// What is said in the next job, before any of it is a fact.
    pub fn deal(&self, sale: Sale) -> Deal {
        let number = self.settled.len() as u8;
        let preimage = [0x80 + number; 32];
        let at_s = (START_MS / 1_000) as u64 + u64::from(number);
        let buyer = if sale.own { &self.seller } else { &self.buyer };
        let asked = format!("Count to {number}.\u{7f}\t\"ü\u{2028}");
        let request = signed(buyer, 5_050, &[tag(&["i", &asked, "text"])], "", at_s);
        let bolt11 = invoice(&self.node, &preimage, PRICE_MSAT, Currency::Regtest);
        let result_tags = [
            tag(&["request", &json(&request)]),
            tag(&["e", &request.id, "ws://relay"]),
            tag(&["p", &request.pubkey]),
            tag(&["amount", &PRICE_MSAT.to_string(), &bolt11]),
        ];
        let result = signed(&self.seller, 6_050, &result_tags, "1, 2, 3", at_s + 1);
        let receipt = self.receipt(&request, &result, &preimage, PRICE_MSAT);
        Deal {
            sale,
            id: JobId::derive("nip90", &request.id().0),
            preimage,
            bolt11,
            request,
            result,
            receipt: sale.receipt.then_some(receipt),
        }
    }

    /// Makes facts of a job, with references to where result and receipt are kept, if they are.
    pub fn write_down(&mut self, deal: Deal, kept: Option<[pb::BodyRef; 2]>) -> usize {
        let Deal {
            sale, id, preimage, ..
        } = deal;
        let number = self.settled.len();
        let [kept_result, kept_receipt] = kept.map_or([None, None], |kept| kept.map(Some));
        let (job_id, payment_hash) = (id.to_vec(), Sha256::digest(preimage).to_vec());
        let stream = format!("job/{id}");
        let received = pb::JobReceived {
            job_id: job_id.clone(),
            market: "nip90".into(),
            native_id: deal.request.id().to_vec(),
            requester: deal.request.author().to_vec(),
            kind: 5_050,
            ..Default::default()
        };
        let issued = pb::InvoiceIssued {
            job_id: job_id.clone(),
            payment_hash: payment_hash.clone(),
            bolt11: deal.bolt11.clone(),
            amount_msat: PRICE_MSAT,
            expires_at_ms: START_MS + 3_600_000,
            ..pb::InvoiceIssued::default()
        };
        let model = if number.is_multiple_of(2) {
            String::new()
        } else {
            "a <b>model</b>".into()
        };
        let executed = pb::JobExecuted {
            job_id: job_id.clone(),
            receipt: Some(pb::Receipt {
                model_digest: vec![0xaa; 32],
                model,
                ..Default::default()
            }),
            output: None,
        };
        let signed_result = pb::EventSigned {
            event_id: deal.result.id().to_vec(),
            purpose: pb::Purpose::Result as i32,
            job_id: job_id.clone(),
            kind: 6_050,
            event: kept_result,
            ..Default::default()
        };
        let first = self.facts.len();
        let mut evidence = vec![
            self.write(&stream, received),
            self.write(&stream, executed),
            self.write(&stream, issued),
            self.write(&stream, signed_result),
        ];
        let bound = self.facts[first..].iter().map(|fact| Bytes(fact.bytes.clone()));
        let mut bound: Vec<Bytes> = bound.collect();
        if sale.old {
            (evidence, bound) = (Vec::new(), Vec::new());
        }
        let mut settled = pb::JobSettled {
            job_id: job_id.clone(),
            payment_hash: payment_hash.clone(),
            amount_msat: PRICE_MSAT + sale.beyond_msat,
            settled_at_ms: START_MS + 1_000 * self.facts.len() as i64,
            payment_id: vec![1; 32],
            prepaid: sale.prepaid,
            evidence,
            preimage: if sale.old { Vec::new() } else { preimage.to_vec() },
        };
        if let Some(bend) = self.bend {
            bend(&mut settled);
        }
        let sequence = self.write(&stream, settled).sequence;
        let fact = Bytes(
            self.facts
                .last()
                .map(|fact| fact.bytes.clone())
                .unwrap_or_default(),
        );
        if let (Some(receipt), Some(kept)) = (&deal.receipt, kept_receipt) {
            let receipted = pb::JobReceipted {
                job_id,
                event_id: receipt.id().to_vec(),
                receipt: Some(kept),
                payment_hash,
                amount_msat: PRICE_MSAT,
                created_at_s: START_MS / 1_000 + 60,
            };
            self.write_keyed(&stream, receipted, format!("receipt/{id}"));
        }
        let settlement = Settlement {
            fact,
            proof: Bytes::default(),
            evidence: bound,
            result: (!sale.erased).then_some(deal.result),
            receipt: deal.receipt.filter(|_| !sale.erased),
            erased: sale.erased,
        };
        self.settled.push((sequence, settlement));
        number
    }

    /// The next fact has this number: the ledger is another one's continuation.
    pub fn begin_at(&mut self, sequence: u64) {
        self.pen.head.sequence = sequence - 1;
    }

    /// A dishonest ledger: the settlement of a sale is written down a second time.
    pub fn settle_again(&mut self, sale: usize) {
        let settlement = self.settled[sale].1.clone();
        let fact = autopilot_events::pb::Fact::decode(settlement.fact.0.as_slice()).unwrap();
        let settled = pb::JobSettled::decode(fact.payload.as_slice()).unwrap();
        let sequence = self.write(&fact.stream, settled).sequence;
        let fact = Bytes(self.facts.last().unwrap().bytes.clone());
        self.settled.push((sequence, Settlement { fact, ..settlement }));
    }

    /// The buyer's receipt.
    pub fn receipt(
        &self,
        request: &SignedEvent,
        result: &SignedEvent,
        preimage: &[u8],
        msat: u64,
    ) -> SignedEvent {
        let tags = [
            tag(&["e", &request.id, "", "request"]),
            tag(&["e", &result.id, "", "result"]),
            tag(&["p", &self.seller_key()]),
            tag(&["amount", &msat.to_string()]),
            tag(&["payment_hash", &hex::encode(Sha256::digest(preimage))]),
        ];
        signed(&self.buyer, 7_001, &tags, "", (START_MS / 1_000) as u64 + 60)
    }

    fn leaves(&self) -> Vec<TreeHash> {
        self.facts.iter().map(|fact| tree::leaf(&fact.bytes)).collect()
    }

    pub fn note(&self) -> String {
        let head = SignedHead {
            origin: origin(&LEDGER_ID),
            size: self.facts.len() as u64,
            root: root(&self.leaves()),
            chain: self.facts.last().unwrap().chain,
            folds: [("jobs/4".to_owned(), autopilot_events::words::Digest([9; 32]))].into(),
        };
        self.signer.sign(&head).unwrap()
    }

    pub fn head(&self) -> SignedEvent {
        head_event(&self.seller, &self.note(), self.signer.verifier_key())
    }

    /// The node that signs the invoices.
    pub fn node_id(&self) -> bitcoin::secp256k1::PublicKey {
        bitcoin::secp256k1::PublicKey::from_secret_key(&Secp256k1::new(), &self.node)
    }

    /// The header of a statement of all there is.
    pub fn header(&self) -> Header {
        let node = self.node_id();
        Header {
            format: FORMAT.into(),
            limits: LIMITS.into(),
            network: "regtest".into(),
            node: Some(node.to_string()),
            from_ms: Some(START_MS),
            to_ms: Some(START_MS + 3_600_000),
            head: self.head(),
            cosignatures: Vec::new(),
        }
    }

    /// The settlements with their proofs in the tree that there is now.
    pub fn settlements(&self) -> Vec<Settlement> {
        let leaves = self.leaves();
        let with_proof = |(sequence, settlement): &(u64, Settlement)| {
            let proof = proof(*sequence as usize - 1, &leaves);
            Settlement {
                proof: Bytes(proof.iter().flat_map(|hash| hash.0).collect()),
                ..settlement.clone()
            }
        };
        self.settled.iter().map(with_proof).collect()
    }

    /// A file as a seller makes it, whatever is in it: lines, then a seal over them.
    pub fn file(&self, header: &Header, settlements: &[Settlement], lines: u64, msat: u64) -> Vec<u8> {
        let mut file = Entry::Statement(Box::new(header.clone())).to_line().unwrap();
        for settlement in settlements {
            file += &Entry::Settled(Box::new(settlement.clone())).to_line().unwrap();
        }
        self.sealed(file.into_bytes(), lines, msat)
    }

    pub fn sealed(&self, mut file: Vec<u8>, lines: u64, msat: u64) -> Vec<u8> {
        let seal = self.seal(&file, lines, msat);
        file.extend(Entry::Seal(Box::new(seal)).to_line().unwrap().into_bytes());
        file
    }

    pub fn seal(&self, before: &[u8], lines: u64, msat: u64) -> SignedEvent {
        let tags = [
            tag(&["d", FORMAT]),
            tag(&["lines", &lines.to_string()]),
            tag(&["amount_msat", &msat.to_string()]),
        ];
        let at_s = (START_MS / 1_000) as u64 + 7_200;
        signed(
            &self.seller,
            30_078,
            &tags,
            &hex::encode(Sha256::digest(before)),
            at_s,
        )
    }
}
