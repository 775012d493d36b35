//! The wallet's last figures held against the accounts: what no fact explains.
use autopilot_events::{Event, Recorded};
use serde::Serialize;

use crate::{
    Projection,
    accounts::{Account, Accounts},
    wallet::Wallet,
};

/// One account and what the wallet says of it, in millisatoshi.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Which.
    #[serde(serialize_with = "by_name")]
    pub account: Account,
    /// By the facts.
    pub ledger_msat: i128,
    /// As the wallet showed it.
    pub wallet_msat: i128,
    /// Wallet − ledger: zero in every clean run.
    pub unexplained_msat: i128,
}

fn by_name<S: serde::Serializer>(account: &Account, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(account.name())
}

/// How the ledger stands against the wallet at its end. Closing channels differ by fees that nobody knows before they
/// are paid, so that account is shown and not compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Differences {
    /// The observation that it rests on; 0: the wallet showed nothing yet.
    pub observed_at_fact: u64,
    /// When that was.
    pub observed_at_ms: i64,
    /// Account by account.
    pub accounts: Vec<Compared>,
    /// On its way from closed channels, as the wallet showed it.
    pub closing_msat: u64,
    /// Payments that had left and were not settled: until then they differ.
    pub under_way: u64,
}

impl Differences {
    /// The sum that no fact explains.
    pub fn unexplained_msat(&self) -> i128 {
        self.accounts
            .iter()
            .map(|compared| compared.unexplained_msat)
            .sum()
    }
}

/// Folds what the comparison needs.
#[derive(Clone, Debug, Default)]
pub struct Comparing {
    wallet: Wallet,
    accounts: Accounts,
    observed_at_fact: u64,
}

impl Comparing {
    /// Takes the next fact in.
    pub fn apply(&mut self, fact: &Recorded) {
        self.wallet.apply(fact);
        self.accounts.apply(fact);
        if matches!(fact.event, Event::WalletBalanceObserved(_)) {
            self.observed_at_fact = fact.fact.sequence;
        }
    }

    /// How it stands now.
    pub fn differences(&self) -> Differences {
        let figures = &self.wallet.figures;
        if self.observed_at_fact == 0 {
            return Differences::default();
        }
        let lightning = i128::from(figures.spendable_msat) + i128::from(figures.reserved_msat);
        let onchain = figures.onchain_confirmed_sat.map(|sat| i128::from(sat) * 1_000);
        let shown = [
            (Account::AssetsLightning, Some(lightning)),
            (Account::AssetsOnchain, onchain),
        ];
        let compared = |(account, wallet_msat): (Account, Option<i128>)| {
            let ledger_msat = self.accounts.balance_msat(account);
            wallet_msat.map(|wallet_msat| Compared {
                account,
                ledger_msat,
                wallet_msat,
                unexplained_msat: wallet_msat - ledger_msat,
            })
        };
        Differences {
            observed_at_fact: self.observed_at_fact,
            observed_at_ms: figures.observed_at_ms,
            accounts: shown.into_iter().filter_map(compared).collect(),
            closing_msat: figures.closing_msat,
            under_way: (self.wallet.outgoing().count() + self.wallet.offers().count()) as u64,
        }
    }
}
