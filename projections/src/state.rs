//! All folds that fit into memory, taken forward together.
use autopilot_events::{Recorded, words::Digest};
use serde::{Deserialize, Serialize};

use crate::{
    Projection, accounts::Accounts, alerts::Alerts, buy_modes::BuyModes, canaries::Canaries, chat::Chat,
    custody::Custody, earnings::Earnings, heads::Heads, jobs::Jobs, kept_heads::KeptHeads,
    milestones::Milestones, missed::Missed, outbox::Outbox, price::Price, provider::Provider,
    purchases::Purchases, serving::Serving, wallet::Wallet,
};

macro_rules! folds {
    ($($(#[$doc:meta])* $field:ident: $fold:ident;)*) => {
        /// What decisions rest on and what is shown: the same folds.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        pub struct State {
            $($(#[$doc])* pub $field: $fold,)*
        }

        impl State {
            /// Takes the next fact into every fold.
            pub fn apply(&mut self, fact: &Recorded) {
                $(self.$field.apply(fact);)*
            }

            /// `label` and digest of every fold, in a fixed order.
            pub fn digests(&self) -> Vec<(String, Digest)> {
                vec![$(($fold::label(), self.$field.digest()),)*]
            }

            /// Name under which snapshots of this state are kept: it changes with every fold's version.
            pub fn label() -> String {
                [$($fold::label(),)*].join("+")
            }
        }
    };
}

folds! {
    /// Identity, policy, online time.
    provider: Provider;
    /// Open jobs.
    jobs: Jobs;
    /// Events owed to relays.
    outbox: Outbox;
    /// Wallet figures and outgoing payments.
    wallet: Wallet;
    /// Open purchases.
    purchases: Purchases;
    /// Settled earnings.
    earnings: Earnings;
    /// Double-entry balances.
    accounts: Accounts;
    /// Jobs that were not taken, and demand that could not be.
    missed: Missed;
    /// How the identity is kept.
    custody: Custody;
    /// Signed heads, and what others hold of them.
    heads: Heads;
    /// Heads of others' ledgers that we keep.
    kept_heads: KeptHeads;
    /// Purchases that are made by themselves.
    buy_modes: BuyModes;
    /// Our own trials.
    canaries: Canaries;
    /// How well the provider serves.
    serving: Serving;
    /// What is or was wrong.
    alerts: Alerts;
    /// Round sums that were earned.
    milestones: Milestones;
    /// What a bitcoin cost when somebody last looked.
    price: Price;
    /// Conversations with the model of this machine.
    chat: Chat;
}

impl State {
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
