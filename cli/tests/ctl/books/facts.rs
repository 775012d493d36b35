//! A ledger whose every sum is known.
use autopilot_events::{
    Draft, Event,
    envelope::seal,
    pb::{self, Source},
};
use autopilot_store_sqlite::Commit;

use crate::support::Home;

/// 2026-09-21 at 14:13:20 UTC.
const T: i64 = 1_790_000_000_000;

fn id(tag: u8, n: u8) -> Vec<u8> {
    let mut id = vec![tag; 32];
    id[0] = n;
    id
}

fn begun(n: u8) -> Vec<Event> {
    vec![
        pb::JobReceived {
            job_id: id(1, n),
            market: "nip90".into(),
            native_id: id(2, n),
            requester: id(3, n % 2),
            kind: 5050,
            ..Default::default()
        }
        .into(),
        pb::JobAccepted {
            job_id: id(1, n),
            price_msat: 10_000,
            policy_digest: vec![7; 32],
            ..Default::default()
        }
        .into(),
    ]
}

fn worked(n: u8, model: &str) -> Vec<Event> {
    let receipt = Some(pb::Receipt {
        model: model.into(),
        prompt_tokens: 5,
        output_tokens: 7,
        ..Default::default()
    });
    vec![
        pb::JobExecuted {
            job_id: id(1, n),
            receipt,
            output: None,
        }
        .into(),
        delivered(n),
    ]
}

fn delivered(n: u8) -> Event {
    pb::JobDelivered {
        job_id: id(1, n),
        event_id: id(5, n),
        relays_accepted: 1,
        relays_tried: 1,
    }
    .into()
}

fn received(n: u8, amount_msat: u64) -> Event {
    pb::WalletPaymentReceived {
        payment_id: id(4, n),
        payment_hash: id(4, n),
        amount_msat,
        settled_at_ms: T + i64::from(n) * 3_600_000,
        skimmed_fee_msat: u64::from(n == 1) * 100,
        ..Default::default()
    }
    .into()
}

fn settled(n: u8, amount_msat: u64, prepaid: bool) -> Event {
    pb::JobSettled {
        job_id: id(1, n),
        payment_hash: id(4, n),
        amount_msat,
        settled_at_ms: T + i64::from(n) * 3_600_000,
        payment_id: id(4, n),
        prepaid,
        ..Default::default()
    }
    .into()
}

fn prepaid(n: u8, amount_msat: u64) -> Event {
    pb::JobPrepaid {
        job_id: id(1, n),
        payment_hash: id(4, n),
        amount_msat,
        settled_at_ms: T + i64::from(n) * 3_600_000,
        payment_id: id(4, n),
        ..pb::JobPrepaid::default()
    }
    .into()
}

fn sent(n: u8, amount_msat: u64, fee_msat: u64) -> Event {
    pb::WalletPaymentSent {
        payment_id: id(4, n),
        payment_hash: id(4, n),
        amount_msat,
        fee_msat,
        preimage: Vec::new(),
        settled_at_ms: T + i64::from(n) * 3_600_000,
        ..Default::default()
    }
    .into()
}

fn expired(n: u8) -> Event {
    pb::InvoiceExpired {
        job_id: id(1, n),
        payment_hash: id(4, n),
    }
    .into()
}

/// Paid, paid before, unpaid, paid late, owed, earned without a receipt, received, bought and withdrawn.
fn events() -> Vec<Event> {
    let mut all: Vec<Event> = vec![
        pb::LedgerOpened {
            ledger_id: vec![1; 16],
            network: "bitcoin".into(),
            identity: vec![9; 32],
            program: "test".into(),
        }
        .into(),
        pb::WalletChannelOpened {
            channel_id: "c1".into(),
            capacity_msat: 100_000_000,
            granted_msat: 1_000_000,
            ..Default::default()
        }
        .into(),
    ];
    // Paid after the work, by a model whose name a spreadsheet would run.
    all.extend(begun(1));
    all.extend(worked(1, "=cmd|' /C calc'!A1"));
    all.extend([received(1, 10_000), settled(1, 10_000, false)]);
    // Paid before the work.
    all.extend(begun(2));
    all.extend([received(2, 20_000), prepaid(2, 20_000)]);
    all.extend(worked(2, "small, \"quoted\""));
    all.push(settled(2, 20_000, true));
    // Never paid; and one paid after its invoice had run out.
    for n in [3, 4] {
        all.extend(begun(n));
        all.extend(worked(n, "small"));
        all.push(expired(n));
    }
    all.extend([received(4, 10_000), settled(4, 10_000, false)]);
    // Paid before the work, which failed: owed.
    all.extend(begun(5));
    all.extend([received(5, 3_000), prepaid(5, 3_000)]);
    all.push(
        pb::JobFailed {
            job_id: id(1, 5),
            code: "worker-lost".into(),
            ..Default::default()
        }
        .into(),
    );
    // Earned, and nobody knows by which work.
    all.extend(begun(6));
    all.extend([delivered(6), received(6, 1), settled(6, 1, false)]);
    // For no job; withdrawn; bought.
    all.extend([received(7, 5_000), sent(8, 7_000, 3)]);
    all.push(
        pb::PurchaseRequested {
            purchase_id: id(1, 9),
            native_id: id(2, 9),
            kind: 5050,
            ..Default::default()
        }
        .into(),
    );
    all.push(
        pb::PurchaseWon {
            purchase_id: id(1, 9),
            provider: id(3, 9),
            event_id: id(5, 9),
            payment_hash: id(4, 9),
            amount_msat: 4_000,
        }
        .into(),
    );
    all.push(sent(9, 4_000, 2));
    all.push(
        pb::PurchasePaid {
            purchase_id: id(1, 9),
            payment_hash: id(4, 9),
            amount_msat: 4_000,
            fee_msat: 2,
        }
        .into(),
    );
    all.extend(on_chain());
    all.extend(prices());
    all
}

/// Prices in two currencies at two times.
fn prices() -> Vec<Event> {
    let observed = |currency: &str, per_btc: u64, decimals: u32, hour: i64| -> Event {
        pb::PriceObserved {
            currency: currency.into(),
            per_btc,
            decimals,
            source: "a test".into(),
            observed_at_ms: T + hour * 3_600_000,
        }
        .into()
    };
    vec![
        observed("EUR", 6_000_000, 2, 0),
        observed("EUR", 7_000_000, 2, 5),
        observed("JPY", 9_000_000, 0, 0),
    ]
}

/// A deposit, a channel funded, opened and closed again, a send; and what the wallet shows after all of it.
fn on_chain() -> Vec<Event> {
    let (deposit, close) = (
        pb::OnchainRole::Deposit as i32,
        pb::OnchainRole::ChannelClose as i32,
    );
    let received = |txid: &str, amount_sat: u64, role: i32, hour: i64| pb::WalletOnchainReceived {
        txid: txid.into(),
        amount_sat,
        role,
        height: 1,
        settled_at_ms: T + hour * 3_600_000,
        ..Default::default()
    };
    let (funding, send) = (
        pb::OnchainRole::ChannelFunding as i32,
        pb::OnchainRole::Send as i32,
    );
    let sent =
        |txid: &str, amount_sat: u64, fee_sat: u64, role: i32, accounted_sat: u64| pb::WalletOnchainSent {
            txid: txid.into(),
            amount_sat,
            fee_sat,
            role,
            accounted_sat,
            settled_at_ms: T + 11 * 3_600_000,
            ..Default::default()
        };
    vec![
        received("t1", 50_000, deposit, 10).into(),
        sent("t2", 20_000, 150, funding, 0).into(),
        pb::WalletChannelOpened {
            channel_id: "c2".into(),
            capacity_msat: 20_000_000,
            funded_msat: 18_340_000,
            pushed_msat: 1_000_000,
            anchors_msat: 660_000,
            ..Default::default()
        }
        .into(),
        pb::WalletChannelClosed {
            channel_id: "c2".into(),
            last_balance_msat: 18_340_000,
            anchors_msat: 660_000,
            ..Default::default()
        }
        .into(),
        received("t3", 18_500, close, 12).into(),
        pb::WalletClosingsOver {
            channel_ids: vec!["c2".into()],
            lost_msat: 500_000,
        }
        .into(),
        pb::OnchainSent {
            intent_id: vec![1; 16],
            txid: "t4".into(),
            amount_sat: 5_000,
        }
        .into(),
        sent("t4", 5_000, 120, send, 5_000).into(),
        pb::WalletPaymentForwarded {
            event_id: vec![1; 32],
            fee_earned_msat: 4,
            amount_msat: 1_000,
        }
        .into(),
        pb::WalletBalanceObserved {
            spendable_msat: 37_000,
            reserved_msat: 1_000_000,
            onchain_confirmed_sat: Some(43_230),
            ..Default::default()
        }
        .into(),
    ]
}

pub(super) async fn home() -> Home {
    let home = Home::empty();
    let mut store = home.open().await;
    let mut head = store.head();
    let mut versions = std::collections::HashMap::new();
    let mut facts = Vec::new();
    for (n, event) in events().into_iter().enumerate() {
        let draft = Draft {
            stream: stream(&event),
            event,
            source: Source::Wallet,
            idempotency_key: String::new(),
            correlation: Vec::new(),
        };
        let version: &mut u64 = versions.entry(draft.stream.clone()).or_default();
        *version += 1;
        let fact = seal(&head, *version, draft, 0, T + n as i64 * 60_000);
        head = fact.head();
        facts.push(fact);
    }
    let commit = Commit {
        facts: &facts,
        ..Commit::default()
    };
    store.append(commit).await.unwrap();
    store.close().await;
    home
}

/// The stream as the deciders name it.
fn stream(event: &Event) -> String {
    let id = match event {
        Event::JobReceived(m) => &m.job_id,
        Event::JobAccepted(m) => &m.job_id,
        Event::JobExecuted(m) => &m.job_id,
        Event::JobDelivered(m) => &m.job_id,
        _ => return "wallet".to_owned(),
    };
    let text: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("job/{text}")
}
