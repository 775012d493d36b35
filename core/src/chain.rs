//! Money on chain: what the wallet's transactions were, and what closing channels cost.
use autopilot_events::{
    Draft,
    pb::{self, OnchainRole, Source},
};
use autopilot_projections::{State, accounts::Account};

use crate::{
    draft::{fact, keyed},
    input::onchain_key,
};

/// A transaction of ours took sats. What the outcome of an intent has accounted for is not accounted for again; while an
/// intent has no outcome nobody can tell, so the transaction waits: it is told again.
pub fn left(state: &State, mut sent: pb::WalletOnchainSent) -> Vec<Draft> {
    let accounted = state.wallet.sends.get(&sent.txid);
    let undecided = state.wallet.onchain().next().is_some();
    if accounted.is_none() && undecided && sent.role() != OnchainRole::ChannelFunding {
        return Vec::new();
    }
    sent.accounted_sat = accounted.copied().unwrap_or(0).min(sent.amount_sat);
    let key = onchain_key(&sent.txid);
    vec![keyed(fact("wallet", Source::Wallet, sent), key)]
}

/// Nothing is on its way from closed channels any more: what did not arrive was their cost.
pub fn closings_over(state: &State) -> Vec<Draft> {
    if state.wallet.closing.is_empty() {
        return Vec::new();
    }
    // No wallet holds more than 2^63 msat, which is more than all bitcoin.
    let lost_msat = i64::try_from(state.accounts.balance_msat(Account::AssetsClosing)).unwrap_or(0);
    let over = pb::WalletClosingsOver {
        channel_ids: state.wallet.closing.iter().cloned().collect(),
        lost_msat,
    };
    vec![fact("wallet", Source::Wallet, over)]
}
