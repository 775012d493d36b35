//! All folds that fit into memory, taken forward together.
use autopilot_events::{Recorded, words::Digest};
use serde::{Deserialize, Serialize};

use crate::{
    Projection, accounts::Accounts, custody::Custody, earnings::Earnings, jobs::Jobs, missed::Missed,
    outbox::Outbox, provider::Provider, purchases::Purchases, wallet::Wallet,
};

/// What decisions rest on and what is shown: the same folds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Identity, policy, online time.
    pub provider: Provider,
    /// Open jobs.
    pub jobs: Jobs,
    /// Events owed to relays.
    pub outbox: Outbox,
    /// Wallet figures and outgoing payments.
    pub wallet: Wallet,
    /// Open purchases.
    pub purchases: Purchases,
    /// Settled earnings.
    pub earnings: Earnings,
    /// Double-entry balances.
    pub accounts: Accounts,
    /// Jobs that were not taken, and demand that could not be.
    pub missed: Missed,
    /// How the identity is kept.
    pub custody: Custody,
}

impl State {
    /// Takes the next fact into every fold.
    pub fn apply(&mut self, fact: &Recorded) {
        self.provider.apply(fact);
        self.jobs.apply(fact);
        self.outbox.apply(fact);
        self.wallet.apply(fact);
        self.purchases.apply(fact);
        self.earnings.apply(fact);
        self.accounts.apply(fact);
        self.missed.apply(fact);
        self.custody.apply(fact);
    }

    /// `label` and digest of every fold, in a fixed order.
    pub fn digests(&self) -> Vec<(String, Digest)> {
        vec![
            (Provider::label(), self.provider.digest()),
            (Jobs::label(), self.jobs.digest()),
            (Outbox::label(), self.outbox.digest()),
            (Wallet::label(), self.wallet.digest()),
            (Purchases::label(), self.purchases.digest()),
            (Earnings::label(), self.earnings.digest()),
            (Accounts::label(), self.accounts.digest()),
            (Missed::label(), self.missed.digest()),
            (Custody::label(), self.custody.digest()),
        ]
    }

    /// Name under which snapshots of this state are kept: it changes with every fold's version.
    pub fn label() -> String {
        let labels = [
            Provider::label(),
            Jobs::label(),
            Outbox::label(),
            Wallet::label(),
            Purchases::label(),
            Earnings::label(),
            Accounts::label(),
            Missed::label(),
            Custody::label(),
        ];
        labels.join("+")
    }

    /// The state as a snapshot's bytes.
    pub fn to_snapshot(&self) -> Vec<u8> {
        // Plain owned data with string keys: serialising it into memory cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// A state from a snapshot's bytes; `None` when they are of another shape.
    pub fn from_snapshot(bytes: &[u8]) -> Option<State> {
        serde_json::from_slice(bytes).ok()
    }
}
