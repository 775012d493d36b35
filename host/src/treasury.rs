//! The wallet's side: its events become facts before they are acknowledged, its list is held against the ledger.
use autopilot_core::{
    Input,
    input::WalletInput,
    ports::wallet::{
        NodeId, Payment, PaymentKind, PaymentStatus, Wallet, WalletEvent, WalletEventKind as Kind,
    },
    told,
};
use autopilot_events::{pb, words::PaymentHash};
use autopilot_projections::accounts::Account;
use autopilot_store_sqlite::JournalEntry;
use futures_util::future::join_all;
use tokio::sync::mpsc;

use crate::{
    clock::now_ms,
    crash,
    ledger::{Done, Ledger, SubmitError},
    outside::Outside,
};

pub mod onchain;
pub(crate) use crate::readiness::observe;

/// Payments per page of the wallet's list.
const PAGE: u32 = 500;
/// Payments that the ledger is asked about at the same time.
const AT_ONCE: usize = 64;

/// Records events as they come, each acknowledged only once it is durable. Runs until wallet or ledger stop.
pub async fn run(outside: Outside, mut events: mpsc::Receiver<WalletEvent>) {
    while let Some(event) = events.recv().await {
        let id = event.id;
        let name = name(&event.kind);
        crash::point("effect.before", name);
        match record(&outside.ledger, event).await {
            Ok(()) => {}
            Err(SubmitError::Stopped) => return,
            // Recorded otherwise before. It is shown as the conflict that it is, here and as the difference that the
            // next reconciliation finds; the events behind it must not wait for it.
            Err(error) => {
                tracing::error!(%error, "a wallet event disagrees with the ledger");
                let line = JournalEntry {
                    at_ms: now_ms(),
                    kind: "wallet.conflict".to_owned(),
                    subject: hex::encode(id),
                    text: error.to_string(),
                };
                outside.ledger.journal(vec![line]).await;
            }
        }
        crash::point("effect.after", name);
        if let Err(error) = outside.wallet.ack_event(id).await {
            tracing::warn!(%error, "a wallet event is not acknowledged yet; it will be told again");
        }
        if observe(&outside)
            .await
            .is_err_and(|error| matches!(error, SubmitError::Stopped))
        {
            return;
        }
    }
}

fn name(kind: &Kind) -> &'static str {
    match kind {
        Kind::PaymentReceived { .. } => "wallet-received",
        Kind::PaymentSuccessful { .. } => "wallet-sent",
        Kind::PaymentFailed { .. } => "wallet-failed",
        _ => "wallet-event",
    }
}

async fn record(ledger: &Ledger, event: WalletEvent) -> Result<(), SubmitError> {
    let approved_msat = match &event.kind {
        Kind::PaymentSuccessful {
            payment_hash,
            amount: None,
            ..
        } => approved_msat(ledger, *payment_hash).await?,
        _ => None,
    };
    if let Some(input) = told::event(event, approved_msat) {
        ledger.submit(Input::Wallet(input), None).await?;
    }
    Ok(())
}

async fn approved_msat(ledger: &Ledger, hash: PaymentHash) -> Result<Option<u64>, SubmitError> {
    let look = move |engine: &autopilot_core::Engine| {
        engine
            .state()
            .wallet
            .outgoing_by_hash(&hash)
            .map(|outgoing| outgoing.approval.amount_msat)
    };
    ledger.look(look).await
}

/// Holds the wallet's own list of payments against the ledger's: what is missing becomes facts, and the difference
/// that stays, zero or not, becomes one too.
pub async fn reconcile(outside: &Outside) -> Result<pb::WalletReconciled, String> {
    let (mut seen, mut added) = (0_u32, 0_u32);
    let (mut wallet_received, mut wallet_sent) = (0_u64, 0_u64);
    let mut page = None;
    loop {
        let list = outside
            .wallet
            .payments(PAGE, page.as_deref())
            .await
            .map_err(|e| e.message)?;
        for payment in list.payments.iter().filter(|p| lightning(p)) {
            let Some((_, amount)) = payment.payment_hash.zip(payment.amount) else {
                continue;
            };
            seen += 1;
            if payment.status == PaymentStatus::Succeeded {
                let total = if payment.outbound {
                    &mut wallet_sent
                } else {
                    &mut wallet_received
                };
                *total = total.saturating_add(amount.0);
            }
        }
        // Nearly all of them are known: asking about many at a time keeps a start short on a long history.
        for payments in list.payments.chunks(AT_ONCE) {
            let mut asked = Vec::with_capacity(payments.len());
            for payment in payments.iter().filter(|payment| lightning(payment)) {
                asked.push(recall(outside, payment));
            }
            for is_new in join_all(asked).await {
                added += u32::from(is_new?);
            }
        }
        page = list.next;
        if page.is_none() {
            break;
        }
    }
    // What happened on chain becomes facts first, so that only what stays different differs.
    let balances = outside.wallet.balances().await.map_err(|e| e.message)?;
    onchain::Watch::default().look(outside, &balances).await?;
    let (ledger_received, ledger_sent, ledger_onchain_msat) = outside
        .ledger
        .look(|engine| {
            let state = engine.state();
            (
                state.wallet.received_msat,
                state.wallet.sent_msat,
                state.accounts.balance_msat(Account::AssetsOnchain),
            )
        })
        .await
        .map_err(|e| e.to_string())?;
    let signed = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
    let reconciled = pb::WalletReconciled {
        wallet_received_msat: wallet_received,
        ledger_received_msat: ledger_received,
        difference_msat: (signed(wallet_received) - signed(wallet_sent))
            - (signed(ledger_received) - signed(ledger_sent)),
        payments_seen: seen,
        payments_added: added,
        wallet_sent_msat: wallet_sent,
        ledger_sent_msat: ledger_sent,
        wallet_onchain_sat: Some(balances.onchain_confirmed_sat),
        ledger_onchain_sat: i64::try_from(ledger_onchain_msat / 1_000).unwrap_or(i64::MAX),
    };
    let fact = Input::Wallet(WalletInput::Reconciled(reconciled));
    outside
        .ledger
        .submit(fact, None)
        .await
        .map_err(|e| e.to_string())?;
    Ok(reconciled)
}

fn lightning(payment: &Payment) -> bool {
    matches!(payment.kind, PaymentKind::Bolt11 | PaymentKind::Bolt12)
}

/// Hands a listed payment to the ledger; whether it was news there.
async fn recall(outside: &Outside, payment: &Payment) -> Result<bool, String> {
    let Some(hash) = payment.payment_hash else {
        return Ok(false);
    };
    let look = move |engine: &autopilot_core::Engine| {
        let outgoing = engine.state().wallet.outgoing_by_hash(&hash);
        outgoing.map(|outgoing| outgoing.approval.clone())
    };
    let approval = outside.ledger.look(look).await.map_err(|e| e.to_string())?;
    let Some(input) = told::listed(payment, approval) else {
        return Ok(false);
    };
    match outside.ledger.submit(Input::Wallet(input), None).await {
        Ok(Done::Recorded { sequences, .. }) => Ok(!sequences.is_empty()),
        Ok(Done::Duplicate { .. }) => Ok(false),
        Err(error) => Err(error.to_string()),
    }
}

/// Connects to the peers that we have channels with, where the wallet is not connected to them.
pub async fn connect_missing(outside: &Outside, peers: &[(NodeId, String)]) {
    let Ok(info) = outside.wallet.info().await else {
        return;
    };
    for (node_id, address) in peers {
        if info
            .peers
            .iter()
            .any(|peer| peer.node_id == *node_id && peer.connected)
        {
            continue;
        }
        if let Err(error) = outside.wallet.connect_peer(*node_id, address, true).await {
            tracing::debug!(peer = %hex::encode(node_id), %error, "a peer can't be reached yet");
        }
    }
}
