//! What each story writes down, fact by fact.
use autopilot_events::{
    Draft, Event,
    pb::{self, Source},
};

use crate::stories::Story;

mod chat;
mod market;

use market::{paid_job, purchase};

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
        let key = if keyed {
            format!("{}/{}", event.kind(), hex(&id("key", n)))
        } else {
            String::new()
        };
        let correlation = if stream.starts_with("job/") {
            job.clone()
        } else {
            Vec::new()
        };
        all.push(Draft {
            event,
            stream: stream.to_owned(),
            source,
            idempotency_key: key,
            correlation,
        });
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
                let stream = if source == Source::Wallet && keyed {
                    "wallet"
                } else {
                    &stream
                };
                tell(event, stream, source, keyed);
            }
        }
        Story::Failed(attempts) => {
            tell(received(n, &job, &stream), &stream, Source::Relay, true);
            tell(accepted(&job, 5_000), &stream, Source::Policy, false);
            for attempt in 1..=u32::from(*attempts) {
                tell(
                    pb::JobStarted {
                        job_id: job.clone(),
                        attempt,
                    }
                    .into(),
                    &stream,
                    Source::Model,
                    false,
                );
            }
            let failed = pb::JobFailed {
                job_id: job.clone(),
                class: 2,
                code: "worker-lost".into(),
                detail: "oom".into(),
            };
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
            tell(
                pb::PaymentAttempted {
                    payment_hash: hash.clone(),
                    attempt: 1,
                }
                .into(),
                "wallet",
                Source::Wallet,
                false,
            );
            if *arrives {
                tell(sent(n, &hash, *amount_msat), "wallet", Source::Wallet, true);
            } else {
                let failed = pb::WalletPaymentFailed {
                    payment_id: hash.clone(),
                    payment_hash: hash,
                    reason: "no route".into(),
                };
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
                pushed_msat: n % 7,
                anchors_msat: 660_000,
            };
            tell(opened.into(), "wallet", Source::Wallet, true);
            if *closes {
                let closed = pb::WalletChannelClosed {
                    channel_id: format!("channel-{n}"),
                    reason: "cooperative".into(),
                    last_balance_msat: *granted_msat,
                    anchors_msat: 660_000,
                };
                tell(closed.into(), "wallet", Source::Wallet, true);
                for event in paid_out(n, *granted_msat) {
                    tell(event, "wallet", Source::Wallet, false);
                }
            }
        }
        Story::Chat(reply) => all = chat::conversation(n, *reply),
        Story::Presence(words) => {
            let run_id = id("run", n)[..16].to_vec();
            let online = pb::ProviderWentOnline {
                policy_digest: id("policy", 0),
                run_id: run_id.clone(),
            };
            tell(online.into(), "provider", Source::Person, false);
            let alive = pb::LivenessRecorded {
                run_id: run_id.clone(),
                online_ms: 900_000,
            };
            tell(alive.into(), "provider", Source::Clock, false);
            // Long enough, at times, for a hash over several chunks.
            let reason = "word ".repeat(usize::from(*words));
            tell(
                pb::ProviderWentOffline { reason, run_id }.into(),
                "provider",
                Source::Person,
                false,
            );
        }
        Story::Onchain(sent) => {
            let intent_id = id("intent", n)[..16].to_vec();
            let approved = pb::OnchainApproved {
                intent_id: intent_id.clone(),
                address: "bcrt1q…".into(),
                amount_sat: sent.then_some(n + 1),
                resolution: None,
            };
            tell(approved.into(), "wallet", Source::Person, true);
            let outcome = match sent {
                true => pb::OnchainSent {
                    intent_id,
                    txid: hex(&id("tx", n)),
                    amount_sat: n + 1,
                }
                .into(),
                false => pb::OnchainFailed {
                    intent_id,
                    reason: "too little".into(),
                }
                .into(),
            };
            tell(outcome, "wallet", Source::Wallet, true);
        }
        Story::Unknown => {
            tell(
                Event::Unknown {
                    kind: "nexus.synced".into(),
                    version: 1,
                },
                "nexus",
                Source::Sync,
                true,
            );
            tell(
                Event::Unknown {
                    kind: "job.received".into(),
                    version: 9,
                },
                "nexus",
                Source::Sync,
                false,
            );
        }
    }
    all
}

/// A funding, a deposit, a fee earned, and a closed channel's way to the chain.
fn paid_out(n: u64, balance_msat: u64) -> [Event; 5] {
    let (funding, close) = (
        pb::OnchainRole::ChannelFunding as i32,
        pb::OnchainRole::ChannelClose as i32,
    );
    let sent = |role: i32, accounted_sat: u64| pb::WalletOnchainSent {
        txid: hex(&id("funding", n + u64::from(role as u32))),
        amount_sat: n + 700,
        fee_sat: n % 300,
        role,
        accounted_sat,
        ..Default::default()
    };
    let arrived = pb::WalletOnchainReceived {
        txid: hex(&id("close", n)),
        amount_sat: balance_msat / 1_000,
        role: close,
        height: 7,
        ..Default::default()
    };
    let over = pb::WalletClosingsOver {
        channel_ids: vec![format!("channel-{n}")],
        lost_msat: (n % 3_000) as i64 - 1_000,
    };
    let forwarded = pb::WalletPaymentForwarded {
        event_id: id("forwarded", n),
        fee_earned_msat: n,
        amount_msat: n * 100,
    };
    [
        sent(funding, 0).into(),
        sent(pb::OnchainRole::Send as i32, n).into(),
        arrived.into(),
        over.into(),
        forwarded.into(),
    ]
}

fn received(n: u64, job: &[u8], stream: &str) -> Event {
    pb::JobReceived {
        job_id: job.to_vec(),
        market: "nip90".into(),
        native_id: id("native", n),
        requester: id("buyer", n % 13),
        kind: 5050,
        bid_msat: n.is_multiple_of(2).then_some(n * 1_000),
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
        ..pb::WalletPaymentReceived::default()
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
        intent_id: Vec::new(),
        approval: 0,
        settled_at_ms: 1_700_000_000_000 + n as i64,
    }
    .into()
}
