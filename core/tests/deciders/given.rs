//! Inputs with sensible contents, and stories up to a point.
use autopilot_core::{
    Input,
    input::{
        Answer, AnswerKind, Bill, Cancelled, Command, Outcome, Readiness, Request, ResolvedInputs,
        WalletInput, Worked,
    },
    policy::default_policy,
    ports::market::MARKET_NIP90,
};
use autopilot_events::{
    pb,
    words::{EventId, JobId, Msat, PaymentHash, PublicKey},
};

use crate::ledger::{Ledger, NOON_MS};

/// What a job costs in these stories, in millisatoshi.
pub const PRICE_MSAT: u64 = 1_000;
/// The key that the ledger belongs to.
pub const OWN_KEY: [u8; 32] = [0xEE; 32];

pub fn body(size: u64) -> pb::BodyRef {
    pb::BodyRef {
        ciphertext_digest: vec![1; 32],
        size,
        commitment: vec![2; 32],
        subject: "job/x".to_owned(),
    }
}

pub fn job(n: u8) -> JobId {
    JobId::derive(MARKET_NIP90, &[n; 32])
}

/// The hash of a job's invoice, and others that belong to nobody.
pub fn hash(n: u8) -> PaymentHash {
    PaymentHash([n; 32])
}

/// The id of the event with this purpose about this job.
pub fn event(n: u8, purpose: pb::Purpose) -> EventId {
    let mut id = [n; 32];
    id[0] = 0x80 + purpose as u8;
    EventId(id)
}

pub fn policy() -> pb::Policy {
    default_policy(PRICE_MSAT)
}

pub fn ready() -> Readiness {
    Readiness {
        model: Some("llama".to_owned()),
        model_problem: None,
        embedding: None,
        receivable: Msat(1_000_000),
        wallet_problem: None,
        clock_problem: None,
        ledger_problem: None,
        relays_connected: 1,
    }
}

/// A request that is taken: open, from buyer 1, with a bid, dated now.
pub fn request(n: u8) -> Request {
    Request {
        native_id: EventId([n; 32]),
        requester: PublicKey([1; 32]),
        kind: 5050,
        bid: Some(Msat(2_000)),
        created_at_s: NOON_MS / 1_000,
        ttl_s: 60,
        targeted: false,
        open: true,
        encrypted: false,
        input_bytes: 100,
        inputs: 1,
        remote_inputs: 0,
        result_room_bytes: 40_000,
        model: None,
        unreadable: String::new(),
        max_tokens: None,
        text: "Say yes.".to_owned(),
        topics: Vec::new(),
        refund_offer: String::new(),
        body: body(500),
        relay: "wss://one".to_owned(),
    }
}

pub fn cancelled(n: u8, author: u8) -> Input {
    Input::Cancelled(Cancelled {
        native_id: EventId([n; 32]),
        author: PublicKey([author; 32]),
    })
}

/// The inputs of job `n` are here, with so many bytes of text.
pub fn resolved(n: u8, bytes: u64) -> Input {
    let input = pb::ResolvedInput {
        r#type: "job".to_owned(),
        event_id: vec![7; 32],
        kind: 6050,
        author: vec![8; 32],
        bytes,
        ..pb::ResolvedInput::default()
    };
    let inputs = pb::JobInputsResolved {
        job_id: job(n).to_vec(),
        inputs: vec![input],
        events: Some(body(bytes)),
    };
    Input::Resolved(ResolvedInputs {
        job: job(n),
        outcome: Ok(inputs),
        text: "the text of an input".to_owned(),
    })
}

/// They never will be.
pub fn unresolved(n: u8) -> Input {
    Input::Resolved(ResolvedInputs {
        job: job(n),
        outcome: Err("what it names is empty".to_owned()),
        text: String::new(),
    })
}

pub fn done(n: u8, attempt: u32) -> Input {
    let outcome = Outcome::Done {
        receipt: Box::default(),
        output: body(50),
    };
    Input::Worked(Worked {
        job: job(n),
        attempt,
        outcome,
    })
}

pub fn failed(n: u8, attempt: u32, again: bool) -> Input {
    let outcome = Outcome::Failed {
        class: pb::FailureClass::Execution,
        code: "worker-died".to_owned(),
        detail: "it died".to_owned(),
        again,
    };
    Input::Worked(Worked {
        job: job(n),
        attempt,
        outcome,
    })
}

pub fn invoiced(n: u8) -> Input {
    Input::Invoiced(pb::InvoiceIssued {
        job_id: job(n).to_vec(),
        payment_hash: hash(n).to_vec(),
        bolt11: format!("lnbcrt{n}"),
        amount_msat: PRICE_MSAT,
        expires_at_ms: NOON_MS + 3_600_000,
        pay_first: false,
    })
}

pub fn signed(n: u8, purpose: pb::Purpose) -> Input {
    Input::Signed(pb::EventSigned {
        event_id: event(n, purpose).to_vec(),
        purpose: purpose as i32,
        job_id: job(n).to_vec(),
        kind: 7000,
        event: Some(body(900)),
        deadline_ms: NOON_MS + 600_000,
        about: Vec::new(),
        relays: Vec::new(),
    })
}

pub fn published(n: u8, purpose: pb::Purpose, accepted: u32) -> Input {
    Input::Published {
        event_id: event(n, purpose),
        accepted,
        tried: 3,
    }
}

pub fn received(hash: PaymentHash, amount_msat: u64) -> Input {
    let payment = pb::WalletPaymentReceived {
        payment_id: hash.to_vec(),
        payment_hash: hash.to_vec(),
        amount_msat,
        settled_at_ms: NOON_MS + 5_000,
        ..pb::WalletPaymentReceived::default()
    };
    Input::Wallet(WalletInput::Received { payment, bound: None })
}

pub fn sent(hash: PaymentHash, amount_msat: u64) -> Input {
    Input::Wallet(WalletInput::Sent(pb::WalletPaymentSent {
        payment_id: hash.to_vec(),
        payment_hash: hash.to_vec(),
        amount_msat,
        fee_msat: 3,
        preimage: vec![7; 32],
        intent_id: Vec::new(),
        approval: 0,
        settled_at_ms: NOON_MS + 5_000,
    }))
}

pub fn not_sent(hash: PaymentHash) -> Input {
    Input::Wallet(WalletInput::Failed(pb::WalletPaymentFailed {
        payment_id: hash.to_vec(),
        payment_hash: hash.to_vec(),
        reason: "no route".to_owned(),
    }))
}

pub fn spendable(msat: u64) -> Input {
    Input::Wallet(WalletInput::Balances(pb::WalletBalanceObserved {
        spendable_msat: msat,
        onchain_sat: 50,
        ..pb::WalletBalanceObserved::default()
    }))
}

pub fn bill(n: u8, amount_msat: u64) -> Bill {
    Bill {
        bolt11: format!("lnbcrt{n}"),
        payment_hash: hash(n),
        amount: Some(Msat(amount_msat)),
        payee: vec![2; 33],
        network: "regtest".to_owned(),
        expires_at_ms: NOON_MS + 3_600_000,
    }
}

/// A purchase for at most 5 sat that waits a minute.
pub fn purchase(n: u8) -> pb::PurchaseRequested {
    pb::PurchaseRequested {
        purchase_id: job(n).to_vec(),
        native_id: vec![n; 32],
        kind: 5050,
        provider: Vec::new(),
        budget_msat: 5_000,
        fee_ceiling_msat: 100,
        deadline_ms: NOON_MS + 60_000,
        ..pb::PurchaseRequested::default()
    }
}

pub fn buy(n: u8, terms: pb::PurchaseRequested) -> Input {
    let Input::Signed(event) = signed(n, pb::Purpose::Request) else {
        unreachable!()
    };
    Input::Person(Command::Buy { terms, event })
}

/// Provider `provider` answers purchase `n`; `event` numbers the answers.
pub fn answer(
    n: u8,
    provider: u8,
    event: u8,
    kind: AnswerKind,
    invoice: Option<Result<Bill, String>>,
) -> Input {
    let mut event_id = [event; 32];
    event_id[0] = 0xA0;
    Input::Answer(Answer {
        purchase: job(n),
        provider: PublicKey([provider; 32]),
        event_id: EventId(event_id),
        kind,
        invoice,
        body: body(700),
    })
}

/// A result with an invoice whose hash has the number `bill`.
pub fn result(n: u8, provider: u8, event: u8, bill_n: u8) -> Input {
    answer(
        n,
        provider,
        event,
        AnswerKind::Result(Ok(())),
        Some(Ok(bill(bill_n, 4_000))),
    )
}

/// A ledger with identity, policy and money, offline.
pub fn offline(policy: pb::Policy) -> Ledger {
    let mut ledger = Ledger::empty();
    let opened = pb::LedgerOpened {
        ledger_id: vec![9; 16],
        network: "regtest".to_owned(),
        identity: OWN_KEY.to_vec(),
        program: "tests".to_owned(),
    };
    ledger.check(Input::Person(Command::OpenLedger(opened)), &["ledger.opened"]);
    ledger.check(Input::Person(Command::SetPolicy(policy)), &["policy.changed"]);
    ledger.check(spendable(100_000), &["wallet.balance_observed"]);
    ledger.check(Input::Readiness(ready()), &[]);
    ledger
}

/// The same, serving.
pub fn online_with(policy: pb::Policy) -> Ledger {
    let mut ledger = offline(policy);
    ledger.check(
        Input::Person(Command::GoOnline { run_id: vec![5; 16] }),
        &["provider.went_online"],
    );
    ledger
}

pub fn online() -> Ledger {
    online_with(policy())
}

impl Ledger {
    /// Job `n` as far as its result is recorded and its invoice is out.
    pub fn executed(&mut self, n: u8) {
        self.check(
            Input::Request(request(n)),
            &["job.received", "job.accepted work-first", "job.started 1"],
        );
        self.check(done(n, 1), &["job.executed"]);
        self.check(invoiced(n), &["invoice.issued"]);
    }

    /// Job `n` as far as a relay took its result.
    pub fn delivered(&mut self, n: u8) {
        self.executed(n);
        self.check(signed(n, pb::Purpose::Result), &["event.signed result"]);
        self.check(
            published(n, pb::Purpose::Result, 1),
            &["job.delivered", "event.published result"],
        );
    }

    /// A quote for job `n` is out.
    pub fn quoted(&mut self, n: u8) {
        let request = Request {
            bid: None,
            ..request(n)
        };
        self.check(
            Input::Request(request),
            &["job.received", "job.accepted pay-first"],
        );
        self.check(invoiced(n), &["invoice.issued"]);
    }
}
