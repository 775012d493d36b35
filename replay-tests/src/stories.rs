//! Plausible histories: whole stories of jobs, purchases and the wallet, interleaved as they come.
use std::collections::VecDeque;

use autopilot_events::{
    Draft, Event, Recorded,
    pb::{self, Source},
};
use proptest::prelude::*;

use crate::Pen;

/// One story; the numbers make ids and amounts.
#[derive(Clone, Debug)]
pub enum Story {
    /// A job refused for a reason.
    Refused(u8),
    /// A job paid, or not: price, and how it ends.
    Job(u64, End),
    /// A job that fails after some attempts.
    Failed(u8),
    /// A purchase: price, won and paid or not.
    Purchase(u64, bool),
    /// A payment that the owner sends: amount, whether it arrives.
    Withdrawal(u64, bool),
    /// A deposit that no job is bound to.
    Deposit(u64),
    /// A channel: capacity, grant, and whether it closes again.
    Channel(u64, u64, bool),
    /// Online, alive, offline; with this many words of a reason.
    Presence(u16),
    /// On-chain intents, sent or failed.
    Onchain(bool),
    /// Something that only a newer program knows.
    Unknown,
}

/// How a worked job ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Paid after delivery.
    Paid,
    /// Paid while the result is still on its way.
    PaidFirst,
    /// Never paid.
    Expired,
    /// No relay takes the result; paid all the same.
    Abandoned,
}

/// A bound on msat that keeps a thousand stories far below all bitcoin there are.
const PRICE_MAX_MSAT: u64 = 1 << 40;

/// Any story.
pub fn story() -> impl Strategy<Value = Story> {
    let end = prop_oneof![Just(End::Paid), Just(End::PaidFirst), Just(End::Expired), Just(End::Abandoned)];
    prop_oneof![
        2 => (0_u8..20).prop_map(Story::Refused),
        6 => (1..PRICE_MAX_MSAT, end).prop_map(|(price, end)| Story::Job(price, end)),
        1 => (1_u8..4).prop_map(Story::Failed),
        2 => (1..PRICE_MAX_MSAT, any::<bool>()).prop_map(|(price, paid)| Story::Purchase(price, paid)),
        1 => (1..PRICE_MAX_MSAT, any::<bool>()).prop_map(|(amount, ok)| Story::Withdrawal(amount, ok)),
        1 => (1..PRICE_MAX_MSAT).prop_map(Story::Deposit),
        1 => (0..PRICE_MAX_MSAT, 0..PRICE_MAX_MSAT, any::<bool>())
            .prop_map(|(capacity, grant, closes)| Story::Channel(capacity, grant, closes)),
        1 => (0_u16..600).prop_map(Story::Presence),
        1 => any::<bool>().prop_map(Story::Onchain),
        1 => Just(Story::Unknown),
    ]
}

/// A whole ledger of up to `stories_max` interleaved stories, sealed.
pub fn history(stories_max: usize) -> impl Strategy<Value = Vec<Recorded>> {
    let turns = proptest::collection::vec((any::<u16>(), -2_000_i64..60_000), 1..64);
    (proptest::collection::vec(story(), 1..=stories_max), turns).prop_map(|(stories, turns)| weave(&stories, &turns))
}

/// Takes the next fact of one open story at a time; the turns say which, and how far the clock moves (back, at times).
pub fn weave(stories: &[Story], turns: &[(u16, i64)]) -> Vec<Recorded> {
    let mut waiting: VecDeque<VecDeque<Draft>> =
        stories.iter().enumerate().map(|(index, story)| drafts(story, index as u64).into()).collect();
    let mut pen = Pen::default();
    let mut utc_ms = 1_700_000_000_000;
    let mut facts = Vec::new();
    let mut turn = turns.iter().cycle();
    while !waiting.is_empty() {
        let (pick, passed_ms) = turn.next().copied().unwrap_or((0, 1));
        utc_ms += passed_ms;
        // At most eight stories are told at the same time, so that a long ledger has a beginning and an end.
        let index = usize::from(pick) % waiting.len().min(8);
        match waiting[index].pop_front() {
            Some(draft) => facts.push(pen.write(draft, utc_ms)),
            None => drop(waiting.remove(index)),
        }
    }
    facts
}

fn id(tag: &str, n: u64) -> Vec<u8> {
    blake3::hash(format!("{tag}/{n}").as_bytes()).as_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn body(tag: &str, n: u64, subject: &str) -> Option<pb::BodyRef> {
    Some(pb::BodyRef {
        ciphertext_digest: id(tag, n),
        size: 100 + n % 900,
        commitment: id("commitment", n),
        subject: subject.to_owned(),
    })
}

/// The facts of a story, in order.
pub fn drafts(story: &Story, n: u64) -> Vec<Draft> {
    let job = id("job", n);
    let stream = format!("job/{}", hex(&job));
    let hash = id("hash", n);
    let mut all = Vec::new();
    let mut tell = |event: Event, stream: &str, source: Source, keyed: bool| {
        let key = if keyed { format!("{}/{}", event.kind(), hex(&id("key", n))) } else { String::new() };
        let correlation = if stream.starts_with("job/") { job.clone() } else { Vec::new() };
        all.push(Draft { event, stream: stream.to_owned(), source, idempotency_key: key, correlation });
    };
    match story {
        Story::Refused(reason) => {
            tell(received(n, &job, &stream), &stream, Source::Relay, true);
            let refused = pb::JobRefused {
                job_id: job.clone(),
                reason: i32::from(*reason),
                detail: "as the policy says".into(),
                policy_digest: id("policy", 0),
                ..Default::default()
            };
            tell(refused.into(), &stream, Source::Policy, false);
        }
        Story::Job(price_msat, end) => {
            for (event, source, keyed) in paid_job(n, &job, &stream, &hash, *price_msat, *end) {
                let stream = if source == Source::Wallet && keyed { "wallet" } else { &stream };
                tell(event, stream, source, keyed);
            }
        }
        Story::Failed(attempts) => {
            tell(received(n, &job, &stream), &stream, Source::Relay, true);
            tell(accepted(&job, 5_000), &stream, Source::Policy, false);
            for attempt in 1..=u32::from(*attempts) {
                tell(pb::JobStarted { job_id: job.clone(), attempt }.into(), &stream, Source::Model, false);
            }
            let failed = pb::JobFailed { job_id: job.clone(), class: 2, code: "worker-lost".into(), detail: "oom".into() };
            tell(failed.into(), &stream, Source::Model, false);
        }
        Story::Purchase(price_msat, paid) => purchase(n, *price_msat, *paid, &mut tell),
        Story::Withdrawal(amount_msat, arrives) => {
            let purpose = pb::PaymentPurpose::Withdrawal as i32;
            let approved = pb::PaymentApproved {
                payment_hash: hash.clone(),
                amount_msat: *amount_msat,
                fee_ceiling_msat: 10_000,
                purpose,
                bolt11: "lnbcrt1…".into(),
                ..Default::default()
            };
            tell(approved.into(), "wallet", Source::Person, true);
            tell(pb::PaymentAttempted { payment_hash: hash.clone(), attempt: 1 }.into(), "wallet", Source::Wallet, false);
            if *arrives {
                tell(sent(n, &hash, *amount_msat), "wallet", Source::Wallet, true);
            } else {
                let failed = pb::WalletPaymentFailed { payment_id: hash.clone(), payment_hash: hash, reason: "no route".into() };
                tell(failed.into(), "wallet", Source::Wallet, true);
            }
        }
        Story::Deposit(amount_msat) => tell(got(n, &hash, *amount_msat), "wallet", Source::Wallet, true),
        Story::Channel(capacity_msat, granted_msat, closes) => {
            let opened = pb::WalletChannelOpened {
                channel_id: format!("channel-{n}"),
                counterparty: vec![2; 33],
                capacity_msat: *capacity_msat,
                granted_msat: *granted_msat,
                funded_msat: n,
            };
            tell(opened.into(), "wallet", Source::Wallet, true);
            if *closes {
                let closed = pb::WalletChannelClosed {
                    channel_id: format!("channel-{n}"),
                    reason: "cooperative".into(),
                    last_balance_msat: *granted_msat,
                };
                tell(closed.into(), "wallet", Source::Wallet, true);
            }
        }
        Story::Presence(words) => {
            let run_id = id("run", n)[..16].to_vec();
            let online = pb::ProviderWentOnline { policy_digest: id("policy", 0), run_id: run_id.clone() };
            tell(online.into(), "provider", Source::Person, false);
            let alive = pb::LivenessRecorded { run_id: run_id.clone(), online_ms: 900_000 };
            tell(alive.into(), "provider", Source::Clock, false);
            // Long enough, at times, for a hash over several chunks.
            let reason = "word ".repeat(usize::from(*words));
            tell(pb::ProviderWentOffline { reason, run_id }.into(), "provider", Source::Person, false);
        }
        Story::Onchain(sent) => {
            let intent_id = id("intent", n)[..16].to_vec();
            let approved = pb::OnchainApproved {
                intent_id: intent_id.clone(),
                address: "bcrt1q…".into(),
                amount_sat: sent.then_some(n + 1),
            };
            tell(approved.into(), "wallet", Source::Person, true);
            let outcome = match sent {
                true => pb::OnchainSent { intent_id, txid: hex(&id("tx", n)), amount_sat: n + 1 }.into(),
                false => pb::OnchainFailed { intent_id, reason: "too little".into() }.into(),
            };
            tell(outcome, "wallet", Source::Wallet, true);
        }
        Story::Unknown => {
            tell(Event::Unknown { kind: "nexus.synced".into(), version: 1 }, "nexus", Source::Sync, true);
            tell(Event::Unknown { kind: "job.received".into(), version: 9 }, "nexus", Source::Sync, false);
        }
    }
    all
}

fn received(n: u64, job: &[u8], stream: &str) -> Event {
    pb::JobReceived {
        job_id: job.to_vec(),
        market: "nip90".into(),
        native_id: id("native", n),
        requester: id("buyer", n % 13),
        kind: 5050,
        bid_msat: (n % 2 == 0).then_some(n * 1_000),
        created_at_s: 1_700_000_000 + n as i64,
        ttl_s: 60,
        input_bytes: 100,
        request: body("request", n, stream),
        relay: "ws://127.0.0.1:7777".into(),
        ..Default::default()
    }
    .into()
}

fn accepted(job: &[u8], price_msat: u64) -> Event {
    pb::JobAccepted {
        job_id: job.to_vec(),
        price_msat,
        order: pb::PaymentOrder::WorkFirst as i32,
        deadline_ms: 1_800_000_000_000,
        policy_digest: id("policy", 0),
        max_output_tokens: 256,
    }
    .into()
}

fn got(n: u64, hash: &[u8], amount_msat: u64) -> Event {
    pb::WalletPaymentReceived {
        payment_id: hash.to_vec(),
        payment_hash: hash.to_vec(),
        amount_msat,
        settled_at_ms: 1_700_000_000_000 + n as i64 * 977_000,
        skimmed_fee_msat: 0,
    }
    .into()
}

fn sent(n: u64, hash: &[u8], amount_msat: u64) -> Event {
    pb::WalletPaymentSent {
        payment_id: hash.to_vec(),
        payment_hash: hash.to_vec(),
        amount_msat,
        fee_msat: n % 3_000,
        preimage: id("preimage", n),
        settled_at_ms: 1_700_000_000_000 + n as i64,
    }
    .into()
}

fn paid_job(n: u64, job: &[u8], stream: &str, hash: &[u8], price_msat: u64, end: End) -> Vec<(Event, Source, bool)> {
    let event_id = id("result", n);
    let purpose = pb::Purpose::Result as i32;
    let job_id = || job.to_vec();
    let mut all = vec![
        (received(n, job, stream), Source::Relay, true),
        (accepted(job, price_msat), Source::Policy, false),
        (pb::JobStarted { job_id: job_id(), attempt: 1 }.into(), Source::Model, false),
    ];
    let receipt = Some(pb::Receipt { model: "m".into(), seed: n, output_tokens: 12, ..Default::default() });
    let executed = pb::JobExecuted { job_id: job_id(), receipt, output: body("output", n, stream) };
    all.push((executed.into(), Source::Model, false));
    let invoice = pb::InvoiceIssued {
        job_id: job_id(),
        payment_hash: hash.to_vec(),
        bolt11: "lnbcrt1…".into(),
        amount_msat: price_msat,
        expires_at_ms: 1_700_003_600_000,
    };
    all.push((invoice.into(), Source::Wallet, false));
    let signed = pb::EventSigned {
        event_id: event_id.clone(),
        purpose,
        job_id: job_id(),
        kind: 6050,
        event: body("event", n, stream),
        deadline_ms: 1_700_003_600_000,
    };
    all.push((signed.into(), Source::Policy, false));
    let published = pb::EventPublished {
        event_id: event_id.clone(),
        job_id: job_id(),
        purpose,
        relays_accepted: 1,
        relays_tried: 2,
    };
    let delivered = pb::JobDelivered { job_id: job_id(), event_id: event_id.clone(), relays_accepted: 1, relays_tried: 2 };
    let delivery = [(published.into(), Source::Relay, false), (delivered.into(), Source::Relay, false)];
    let settled = pb::JobSettled {
        job_id: job_id(),
        payment_hash: hash.to_vec(),
        amount_msat: price_msat,
        settled_at_ms: 1_700_000_000_000 + n as i64 * 977_000,
        payment_id: hash.to_vec(),
    };
    let payment = [(got(n, hash, price_msat), Source::Wallet, true), (settled.into(), Source::Wallet, false)];
    match end {
        End::Paid => all.extend(delivery.into_iter().chain(payment)),
        End::PaidFirst => all.extend(payment.into_iter().chain(delivery)),
        End::Expired => {
            all.extend(delivery);
            let expired = pb::InvoiceExpired { job_id: job_id(), payment_hash: hash.to_vec() };
            all.push((expired.into(), Source::Clock, false));
        }
        End::Abandoned => {
            let reason = "no relay took it".to_owned();
            let abandoned = pb::EventAbandoned { event_id, job_id: job_id(), purpose, reason };
            all.push((abandoned.into(), Source::Clock, false));
            all.extend(payment);
        }
    }
    all
}

fn purchase(n: u64, price_msat: u64, paid: bool, tell: &mut impl FnMut(Event, &str, Source, bool)) {
    let (purchase_id, hash, provider) = (id("purchase", n), id("hash", n), id("seller", n % 5));
    let stream = format!("purchase/{}", hex(&purchase_id));
    let requested = pb::PurchaseRequested {
        purchase_id: purchase_id.clone(),
        native_id: id("native", n),
        kind: 5050,
        budget_msat: price_msat,
        fee_ceiling_msat: 1_000,
        deadline_ms: 1_700_000_600_000,
        ..Default::default()
    };
    tell(requested.into(), &stream, Source::Person, true);
    let offered = pb::PurchaseOffered {
        purchase_id: purchase_id.clone(),
        provider: provider.clone(),
        event_id: id("offer", n),
        status: "result".into(),
        amount_msat: Some(price_msat),
        bolt11: "lnbcrt1…".into(),
        result: body("bought", n, &stream),
    };
    tell(offered.into(), &stream, Source::Relay, true);
    if paid {
        let won = pb::PurchaseWon {
            purchase_id: purchase_id.clone(),
            provider,
            event_id: id("offer", n),
            payment_hash: hash.clone(),
            amount_msat: price_msat,
        };
        tell(won.into(), &stream, Source::Policy, false);
        tell(sent(n, &hash, price_msat), "wallet", Source::Wallet, true);
        let bought = pb::PurchasePaid { purchase_id: purchase_id.clone(), payment_hash: hash, amount_msat: price_msat, fee_msat: n % 3_000 };
        tell(bought.into(), &stream, Source::Wallet, false);
    }
    let reason = if paid { "done" } else { "nobody answered in time" };
    tell(pb::PurchaseClosed { purchase_id, reason: reason.into() }.into(), &stream, Source::Policy, false);
}
