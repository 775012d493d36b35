//! Double-entry accounts. Every fact that moves money posts to at least two of them, and its postings sum to zero.
use std::collections::BTreeMap;

use autopilot_events::{Event, Recorded, pb::OnchainRole};
use serde::{Deserialize, Serialize};

use crate::Projection;

/// An account and its side of the books. Assets and expenses grow by positive postings, the others by negative ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Account {
    /// Ours in Lightning channels.
    AssetsLightning,
    /// Ours on chain, in blocks, less all that was sent.
    AssetsOnchain,
    /// Ours in closed channels on their way to the chain, before the fees of getting there.
    AssetsClosing,
    /// Left the chain for a channel that is not usable yet; below zero where it was used before it was on chain.
    AssetsOpening,
    /// Ours in the anchor outputs of channels that we funded.
    AssetsAnchors,
    /// Received by the wallet and not (yet) bound to a job.
    EquityUnbound,
    /// Given to us so that a channel works: never earnings.
    EquityGrants,
    /// Brought in from outside by the owner.
    EquityDeposits,
    /// Out of the owner's other wallet, for a trial of this one: never earnings.
    EquityCanary,
    /// Sent away by the owner.
    EquityWithdrawals,
    /// What no fact explains. Zero in every clean run.
    EquityUnexplained,
    /// Paid by buyers for work that is not delivered: owed to them.
    LiabilitiesPrepaid,
    /// Earned by jobs.
    IncomeJobs,
    /// Earned by forwarding payments of others.
    IncomeForwarding,
    /// Spent on jobs of others.
    ExpensesJobs,
    /// Fees of Lightning payments.
    ExpensesFees,
    /// Fees of on-chain transactions.
    ExpensesMining,
    /// What closing channels cost: fees, and sums too small for the chain.
    ExpensesClosing,
    /// Given to peers when we opened channels to them.
    ExpensesGrants,
}

impl Account {
    /// Its name in a book, from the root down: `assets:lightning`.
    pub fn name(self) -> &'static str {
        match self {
            Account::AssetsLightning => "assets:lightning",
            Account::AssetsOnchain => "assets:onchain",
            Account::AssetsClosing => "assets:closing",
            Account::AssetsOpening => "assets:opening",
            Account::AssetsAnchors => "assets:anchors",
            Account::LiabilitiesPrepaid => "liabilities:prepaid",
            Account::EquityUnbound => "equity:unbound",
            Account::EquityGrants => "equity:grants",
            Account::EquityDeposits => "equity:deposits",
            Account::EquityCanary => "equity:canary",
            Account::EquityWithdrawals => "equity:withdrawals",
            Account::EquityUnexplained => "equity:unexplained",
            Account::IncomeJobs => "income:jobs",
            Account::IncomeForwarding => "income:forwarding",
            Account::ExpensesJobs => "expenses:jobs",
            Account::ExpensesFees => "expenses:fees:lightning",
            Account::ExpensesMining => "expenses:fees:onchain",
            Account::ExpensesClosing => "expenses:fees:closing",
            Account::ExpensesGrants => "expenses:grants",
        }
    }

    /// Whether what stands in it is ours to hold.
    pub fn is_asset(self) -> bool {
        self.name().starts_with("assets:")
    }

    /// Whether it collects what moving money costs.
    pub fn is_fee(self) -> bool {
        self.name().starts_with("expenses:fees")
    }
}

/// One side of a movement, in millisatoshi.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Where.
    pub account: Account,
    /// How much; debits are positive.
    pub amount_msat: i128,
}

/// What a fact moves. Depends on the fact alone; the amounts sum to zero.
pub fn postings(event: &Event) -> Vec<Posting> {
    use Account::*;
    let msat = |sat: u64| sat.saturating_mul(1_000);
    let moved = |amount: u64, from: Account, to: Account| {
        let amount_msat = i128::from(amount);
        [
            Posting {
                account: to,
                amount_msat,
            },
            Posting {
                account: from,
                amount_msat: -amount_msat,
            },
        ]
    };
    let all = match event {
        Event::WalletPaymentReceived(m) => vec![moved(m.amount_msat, EquityUnbound, AssetsLightning)],
        Event::JobPrepaid(m) => vec![moved(m.amount_msat, LiabilitiesPrepaid, EquityUnbound)],
        Event::JobSettled(m) if m.prepaid => vec![moved(m.amount_msat, IncomeJobs, LiabilitiesPrepaid)],
        Event::JobSettled(m) => vec![moved(m.amount_msat, IncomeJobs, EquityUnbound)],
        Event::CanarySettled(m) if m.prepaid => {
            vec![moved(m.amount_msat, EquityCanary, LiabilitiesPrepaid)]
        }
        Event::CanarySettled(m) => vec![moved(m.amount_msat, EquityCanary, EquityUnbound)],
        Event::JobRefunded(m) => vec![moved(m.amount_msat, EquityWithdrawals, LiabilitiesPrepaid)],
        Event::WalletPaymentSent(m) => vec![
            moved(m.amount_msat, AssetsLightning, EquityWithdrawals),
            moved(m.fee_msat, AssetsLightning, ExpensesFees),
        ],
        Event::PurchasePaid(m) => vec![moved(m.amount_msat, EquityWithdrawals, ExpensesJobs)],
        Event::WalletChannelOpened(m) => vec![
            moved(m.granted_msat, EquityGrants, AssetsLightning),
            moved(m.funded_msat, AssetsOpening, AssetsLightning),
            moved(m.pushed_msat, AssetsOpening, ExpensesGrants),
            moved(m.anchors_msat, AssetsOpening, AssetsAnchors),
        ],
        Event::WalletChannelClosed(m) => vec![
            moved(m.last_balance_msat, AssetsLightning, AssetsClosing),
            moved(m.anchors_msat, AssetsAnchors, AssetsClosing),
        ],
        Event::WalletOnchainReceived(m) => {
            let from = match m.role() {
                OnchainRole::Deposit => EquityDeposits,
                OnchainRole::ChannelClose => AssetsClosing,
                OnchainRole::Unspecified | OnchainRole::Send | OnchainRole::ChannelFunding => {
                    EquityUnexplained
                }
            };
            vec![moved(msat(m.amount_sat), from, AssetsOnchain)]
        }
        Event::WalletOnchainSent(m) => {
            let to = match m.role() {
                OnchainRole::Send => EquityWithdrawals,
                OnchainRole::ChannelFunding => AssetsOpening,
                OnchainRole::Unspecified | OnchainRole::Deposit | OnchainRole::ChannelClose => {
                    EquityUnexplained
                }
            };
            let left_sat = m.amount_sat.saturating_sub(m.accounted_sat);
            vec![
                moved(msat(left_sat), AssetsOnchain, to),
                moved(msat(m.fee_sat), AssetsOnchain, ExpensesMining),
            ]
        }
        Event::WalletClosingsOver(m) if m.lost_msat < 0 => {
            vec![moved(
                m.lost_msat.unsigned_abs(),
                EquityUnexplained,
                AssetsClosing,
            )]
        }
        Event::WalletClosingsOver(m) => {
            vec![moved(m.lost_msat.unsigned_abs(), AssetsClosing, ExpensesClosing)]
        }
        Event::WalletPaymentForwarded(m) => {
            vec![moved(m.fee_earned_msat, IncomeForwarding, AssetsLightning)]
        }
        Event::OnchainSent(m) => {
            vec![moved(
                m.amount_sat.saturating_mul(1_000),
                AssetsOnchain,
                EquityWithdrawals,
            )]
        }
        _ => Vec::new(),
    };
    all.into_iter()
        .flatten()
        .filter(|posting| posting.amount_msat != 0)
        .collect()
}

/// Balances of all accounts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Accounts {
    balances_msat: BTreeMap<Account, i128>,
}

impl Accounts {
    /// Balance of one account; assets and expenses are positive, income and equity negative.
    pub fn balance_msat(&self, account: Account) -> i128 {
        self.balances_msat.get(&account).copied().unwrap_or(0)
    }

    /// Ours to hold, wherever it lies: each sat stands in one account only.
    pub fn held_msat(&self) -> i128 {
        let assets = self
            .balances_msat
            .iter()
            .filter(|(account, _)| account.is_asset());
        assets.map(|(_, amount)| amount).sum()
    }

    /// All accounts that were ever posted to.
    pub fn balances_msat(&self) -> impl Iterator<Item = (Account, i128)> + '_ {
        self.balances_msat
            .iter()
            .map(|(account, amount)| (*account, *amount))
    }
}

impl Projection for Accounts {
    const NAME: &'static str = "accounts";
    const VERSION: u32 = 3;

    fn apply(&mut self, fact: &Recorded) {
        for posting in postings(&fact.event) {
            // i128 holds 2^64 postings of the largest amount: the sum cannot overflow.
            *self.balances_msat.entry(posting.account).or_default() += posting.amount_msat;
        }
    }
}
