//! What could be done now: figures of wallet, model, relays and clock, asked for and told to the engine; and in words,
//! what stands in the way.
use autopilot_core::{
    Input,
    input::{EmbeddingModel, Readiness, WalletInput},
    ports::{
        market::{Market, RelayStatus},
        wallet::{Balances, Wallet, WalletError, WalletInfo},
    },
};
use autopilot_events::{pb, words::Msat};

use crate::{clock, ledger::SubmitError, outside::Outside};

/// Asks for figures; they are a fact when they changed. Also tells the engine what could be done now.
pub async fn observe(outside: &Outside) -> Result<Option<Balances>, SubmitError> {
    let figures = match outside.waiting() {
        // A wallet that is just starting is not asked: its first facts come before its figures.
        Some(words) => Err(words),
        None => figures(outside)
            .await
            .map_err(|error| format!("the wallet does not answer: {}", error.message)),
    };
    let mut readiness = match &figures {
        Ok((balances, info)) => readiness(balances, info),
        Err(words) => Readiness {
            wallet_problem: Some(words.clone()),
            ..Readiness::default()
        },
    };
    if let Ok((balances, _)) = &figures {
        outside
            .ledger
            .submit(Input::Wallet(WalletInput::Balances(observed(balances))), None)
            .await?;
    }
    if let Some(model) = &outside.model {
        let health = model.health().await;
        readiness.model_problem = health.words();
        readiness.model = health.model.map(|model| model.name);
        if let Some(words) = outside.fetching.words().filter(|_| readiness.model.is_none()) {
            readiness.model_problem = Some(words);
        }
    }
    if let Some(embedder) = &outside.embedder {
        readiness.embedding = embedder.health().await.model.map(|model| EmbeddingModel {
            name: model.name,
            dimensions: model.dimensions,
        });
    }
    if let Ok(market) = outside.market() {
        let connected = market
            .relays()
            .await
            .iter()
            .filter(|relay| RelayStatus::serves(relay))
            .count();
        readiness.relays_connected = u32::try_from(connected).unwrap_or(u32::MAX);
    }
    readiness.clock_problem = clock::problem(outside.ledger.head().borrow().recorded_at_ms);
    readiness.ledger_problem = outside.ledger.check().defect;
    outside.ledger.submit(Input::Readiness(readiness), None).await?;
    Ok(figures.ok().map(|(balances, _)| balances))
}

async fn figures(outside: &Outside) -> Result<(Balances, WalletInfo), WalletError> {
    let balances = outside.wallet.balances().await?;
    let info = outside.wallet.info().await?;
    Ok((balances, info))
}

fn readiness(balances: &Balances, info: &WalletInfo) -> Readiness {
    // One payment goes over one channel.
    let receivable = balances
        .channels
        .iter()
        .filter(|c| c.usable)
        .map(|c| c.receivable)
        .max()
        .unwrap_or_default();
    let wallet_problem = problem(balances, info);
    let receivable = if wallet_problem.is_some() {
        Msat::ZERO
    } else {
        receivable
    };
    Readiness {
        receivable,
        wallet_problem,
        ..Readiness::default()
    }
}

/// Why the wallet can be paid nothing now, if so, and what helps. Each cause has a sentence of its own.
fn problem(balances: &Balances, info: &WalletInfo) -> Option<String> {
    if info.connected {
        return None;
    }
    let source = &info.chain_source;
    Some(if balances.channels.is_empty() && balances.closing > Msat::ZERO {
        format!(
            "the wallet has no channel: its last one is closed, and {} of it are on their way to the chain (autopilotctl wallet balance). A peer has to open a new one before it can be paid over Lightning",
            balances.closing
        )
    } else if balances.channels.is_empty() {
        "the wallet has no channel: a peer has to open one to it before it can be paid over Lightning"
            .to_owned()
    } else if info.lightning_synced_at_s == 0 {
        format!(
            "the wallet has seen no block yet: it is asking its source of blocks ({source}); check that this can be reached"
        )
    } else if balances.channels.iter().any(|channel| channel.usable) {
        format!(
            "the wallet has had no answer from its source of blocks ({source}) for more than a minute: check that it runs and can be reached; nothing is lost, and it goes on by itself"
        )
    } else if info.peers.iter().any(|peer| peer.connected) {
        "the wallet's channel is not usable yet: it waits for its blocks, or for the peer to agree on its state (autopilotctl wallet balance)".to_owned()
    } else {
        "no peer of the wallet is connected: it is tried again by itself; check the network, and that the peer runs".to_owned()
    })
}

fn observed(balances: &Balances) -> pb::WalletBalanceObserved {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    pb::WalletBalanceObserved {
        spendable_msat: balances.spendable.0,
        reserved_msat: balances.reserved.0.saturating_add(balances.offline.0),
        receivable_msat: balances.receivable.0,
        closing_msat: balances.closing.0,
        onchain_sat: balances.onchain_spendable_sat,
        onchain_confirmed_sat: Some(balances.onchain_confirmed_sat),
        channels_usable: count(balances.channels.iter().filter(|c| c.usable).count()),
        channels: count(balances.channels.len()),
    }
}
