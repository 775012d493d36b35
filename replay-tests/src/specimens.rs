//! One fact of each type that no story tells, for golden ledgers. A new type of the catalogue gets a line here.
use autopilot_events::{
    Draft, Event,
    pb::{self, Source},
};

/// Ids of specimens.
const ID: [u8; 32] = [0x51; 32];
const AT_MS: i64 = 1_700_000_500_000;

fn body(subject: &str) -> Option<pb::BodyRef> {
    Some(pb::BodyRef {
        ciphertext_digest: vec![0x52; 32],
        size: 12,
        commitment: vec![0x53; 32],
        subject: subject.to_owned(),
    })
}

/// The specimens as drafts of one stream each.
pub fn specimens() -> Vec<Draft> {
    let events = [ledger(), jobs(), wallet(), buying(), heads()].concat();
    let draft = |event: Event| Draft {
        stream: format!("specimen/{}", event.kind()),
        event,
        source: Source::Clock,
        idempotency_key: String::new(),
        correlation: Vec::new(),
    };
    events.into_iter().map(draft).collect()
}

#[rustfmt::skip] // One specimen is one line.
fn ledger() -> Vec<Event> {
    let policy = pb::Policy { min_price_msat: 1_000, kinds: vec![5050], refused_words: vec!["casino".into()], ..Default::default() };
    let kinds = vec![pb::KindDemand { kind: 5001, jobs: 3, bids: 1, bids_msat: 70, highest_bid_msat: 70, ..Default::default() }];
    vec![
        pb::LedgerOpened { ledger_id: vec![1; 16], network: "regtest".into(), identity: vec![2; 32], program: "golden".into() }.into(),
        pb::IdentityBackedUp { to: "file".into() }.into(),
        pb::IdentityProtected { by: "passphrase".into() }.into(),
        pb::PolicyChanged { policy: Some(policy), digest: vec![3; 32] }.into(),
        pb::DemandSeen { window_start_ms: AT_MS, window_end_ms: AT_MS + 300_000, online: false, kinds }.into(),
        pb::IntakeAggregated { window_start_ms: AT_MS, window_end_ms: AT_MS + 1, count: 9, bytes: 900, ids_digest: vec![4; 32] }.into(),
        pb::PriceObserved { currency: "EUR".into(), per_btc: 5_000_000, decimals: 2, source: "a shop".into(), observed_at_ms: AT_MS }.into(),
        pb::TextForgotten { subject: "job/51".into(), reason: pb::ForgetReason::Age as i32 }.into(),
        pb::TextForgotten { subject: format!("chat/{}", "52".repeat(32)), reason: pb::ForgetReason::Job as i32 }.into(),
        pb::AlertAcknowledged { id: "head-disputed".into() }.into(),
        pb::MilestoneReached { sats: 10 }.into(),
        pb::MilestoneCelebrated { sats: 10 }.into(),
        pb::ModelChosen { name: "qwen2.5-1.5b".into(), sha256: vec![6; 32], source: "fetch".into() }.into(),
        pb::RelaysChanged { relays: vec!["wss://one".into()], added: vec![], removed: vec!["wss://two".into()] }.into(),
        pb::ChatAsked { thread_id: ID.to_vec(), message_id: vec![1; 32], text: body("chat/51"), previous: 0, number: 1 }.into(),
        pb::ChatAsked { thread_id: ID.to_vec(), message_id: vec![2; 32], text: body("chat/51"), previous: 3, number: 2 }.into(),
        pb::ChatAsked { thread_id: ID.to_vec(), message_id: vec![3; 32], text: body("chat/51"), previous: 4, number: 3 }.into(),
        pb::ChatAsked { thread_id: ID.to_vec(), message_id: vec![4; 32], text: body("chat/51"), previous: 5, number: 4 }.into(),
        pb::ChatAnswered { thread_id: ID.to_vec(), message_id: vec![1; 32], receipt: Some(pb::Receipt { output_tokens: 7, ..Default::default() }), output: body("chat/51"), left_out: 1 }.into(),
        pb::ChatFailed { thread_id: ID.to_vec(), message_id: vec![2; 32], class: pb::FailureClass::Execution as i32, code: "worker-crashed".into(), detail: "it ended".into() }.into(),
        pb::ChatStopped { thread_id: ID.to_vec(), message_id: vec![3; 32] }.into(),
        pb::ControlCommanded { key_digest: ID.to_vec(), command: "go-online".into(), params_digest: vec![5; 32] }.into(),
        pb::ControlAnswered { key_digest: ID.to_vec(), code: "not-ready".into(), sentence: "no model".into(), next: "autopilotctl status".into(), status: 422, reply: String::new() }.into(),
    ]
}

#[rustfmt::skip]
fn jobs() -> Vec<Event> {
    let job_id = || ID.to_vec();
    let input = pb::ResolvedInput { r#type: "job".into(), event_id: vec![7; 32], kind: 6050, author: vec![8; 32], bytes: 9, ..Default::default() };
    let stages = vec![pb::CanaryStage { name: "received".into(), reached: true, at_ms: AT_MS, detail: String::new() }];
    vec![
        pb::CanaryStarted { job_id: job_id(), native_id: ID.to_vec(), requester: ID.to_vec(), price_msat: 10, deadline_ms: AT_MS, pays: true }.into(),
        pb::JobReceived { job_id: job_id(), market: "nip90".into(), native_id: ID.to_vec(), requester: ID.to_vec(), kind: 5050, remote_inputs: 1, request: body("job/51"), ..Default::default() }.into(),
        pb::JobAccepted { job_id: job_id(), price_msat: 10, order: pb::PaymentOrder::PayFirst as i32, deadline_ms: AT_MS, policy_digest: vec![3; 32], max_output_tokens: 5 }.into(),
        pb::JobInputsResolved { job_id: job_id(), inputs: vec![input], events: body("job/51") }.into(),
        pb::JobPrepaid { job_id: job_id(), payment_hash: vec![9; 32], amount_msat: 10, settled_at_ms: AT_MS, ..Default::default() }.into(),
        pb::JobRefundFailed { job_id: job_id(), reason: "no route".into() }.into(),
        pb::JobRefunded { job_id: job_id(), payment_hash: vec![9; 32], amount_msat: 10, fee_msat: 1 }.into(),
        pb::JobReceipted { job_id: job_id(), event_id: vec![5; 32], receipt: body("job/51"), payment_hash: vec![9; 32], amount_msat: 10, created_at_s: 1 }.into(),
        pb::CanarySettled { job_id: job_id(), payment_hash: vec![9; 32], amount_msat: 10, settled_at_ms: AT_MS, ..Default::default() }.into(),
        pb::CanaryFinished { job_id: job_id(), outcome: "paid".into(), stages, detail: String::new() }.into(),
        pb::RefusalMarked { job_id: vec![0x61; 32], wrong: true, rule: "word:casino".into(), note: "chess".into() }.into(),
    ]
}

#[rustfmt::skip]
fn wallet() -> Vec<Event> {
    vec![
        pb::WalletStarted { node_id: vec![2; 33], network: "regtest".into(), chain_source: "bitcoind".into() }.into(),
        pb::WalletBalanceObserved { spendable_msat: 5_000, receivable_msat: 7_000, channels: 1, channels_usable: 1, onchain_confirmed_sat: Some(3), ..Default::default() }.into(),
        pb::WalletReconciled { wallet_received_msat: 70, ledger_received_msat: 60, difference_msat: 10, payments_seen: 2, wallet_onchain_sat: Some(3), ..Default::default() }.into(),
        pb::OfferApproved { intent_id: vec![6; 16], offer_id: vec![7; 32], bolt12: "lno1…".into(), amount_msat: 40, fee_ceiling_msat: 5, purpose: pb::PaymentPurpose::Withdrawal as i32, ..Default::default() }.into(),
        pb::OfferFailed { intent_id: vec![6; 16], reason: "no answer".into(), in_doubt: true }.into(),
        pb::WalletStopped { reason: "asked to".into() }.into(),
    ]
}

#[rustfmt::skip]
fn buying() -> Vec<Event> {
    vec![
        pb::BuyModeStarted { buy_mode_id: vec![8; 16], budget_msat: 900, per_job_msat: 90, kind: 5050, pace_ms: 1_000, prompt: body("buy_mode/08"), ends_at_ms: AT_MS, ..Default::default() }.into(),
        pb::PurchaseRejected { purchase_id: vec![0x71; 32], provider: vec![2; 32], event_id: vec![3; 32], reason: "too dear".into(), result: body("purchase/71") }.into(),
        pb::BuyModeStopped { buy_mode_id: vec![8; 16], reason: "stopped".into(), purchases: 1, spent_msat: 80 }.into(),
    ]
}

#[rustfmt::skip]
fn heads() -> Vec<Event> {
    let rolled_back = pb::HeadVerdict::RolledBack as i32;
    vec![
        pb::HeadSigned { size: 3, root: vec![1; 32], chain: vec![2; 32], note: "a note".into(), verifier_key: "a key".into() }.into(),
        pb::HeadPublished { size: 3, event_id: vec![4; 32], relays: vec!["wss://one".into()], relays_tried: 2 }.into(),
        pb::HeadCompared { held_size: 9_000, held_root: vec![5; 32], held_by: "wss://one".into(), verdict: rolled_back, first_different: 80, note: "a note".into() }.into(),
        pb::HeadOverruled { held_root: vec![5; 32], reason: "a restored copy".into(), first_different: 80 }.into(),
        pb::HeadKept { provider: vec![6; 32], origin: "autopilot.ledger/06".into(), size: 7, root: vec![7; 32], event_id: vec![8; 32], event: body("head/06"), verdict: pb::KeptVerdict::Grew as i32, ..Default::default() }.into(),
    ]
}
