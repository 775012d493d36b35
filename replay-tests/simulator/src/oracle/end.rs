//! What has to hold of the state as a whole: after every commit, and when everything is long over.
use autopilot_core::ports::wallet::PaymentStatus;
use autopilot_events::pb;
use autopilot_projections::{State, accounts::Account};

use super::{Oracle, Wrong, wrong};
use crate::wallet::Wallet;

impl Oracle {
    /// The live state against the model, after a commit.
    pub fn holds(&self, state: &State) -> Result<(), Wrong> {
        let sum: i128 = state.accounts.balances_msat().map(|(_, msat)| msat).sum();
        if sum != 0 {
            return wrong(format!("the accounts sum to {sum}"));
        }
        let lightning = state.accounts.balance_msat(Account::AssetsLightning);
        if lightning != self.lightning_msat {
            return wrong(format!(
                "the ledger has {lightning} msat in channels, what it recorded moved {}",
                self.lightning_msat
            ));
        }
        if state.earnings.earned_msat != self.earned_msat {
            return wrong(format!(
                "{} msat are shown as earned, {} were settled",
                state.earnings.earned_msat, self.earned_msat
            ));
        }
        Ok(())
    }

    /// Long after the last fault: everything is over, and the ledger knows every movement.
    pub fn ended(&self, state: &State, wallet: &Wallet) -> Result<(), Wrong> {
        if let Some(missing) = wallet.moves.keys().find(|key| !self.moved.contains(*key)) {
            return wrong(format!("{missing} moved and is not on record"));
        }
        let balance = |account| state.accounts.balance_msat(account);
        let shown = [
            (
                Account::AssetsLightning,
                wallet
                    .channel
                    .as_ref()
                    .map_or(0, |channel| i128::from(channel.balance_msat)),
            ),
            (Account::AssetsOnchain, i128::from(wallet.onchain_sat) * 1_000),
            (Account::AssetsClosing, 0),
            (Account::EquityUnexplained, 0),
        ];
        for (account, truly) in shown {
            if balance(account) != truly {
                return wrong(format!(
                    "{} has {} msat, the wallet {truly}",
                    account.name(),
                    balance(account)
                ));
            }
        }
        let debts: u64 = state
            .jobs
            .open()
            .filter(|(_, job)| job.is_debt())
            .filter_map(|(_, job)| job.prepayment.as_ref())
            .map(|paid| paid.amount_msat)
            .sum();
        if balance(Account::LiabilitiesPrepaid) != -i128::from(debts) {
            return wrong(format!(
                "{} msat are owed by the books, {debts} by the jobs",
                -balance(Account::LiabilitiesPrepaid)
            ));
        }
        if let Some((id, job)) = state.jobs.open().find(|(_, job)| !job.is_debt()) {
            return wrong(format!("job {id} never ends: {:?}, {:?}", job.work, job.money));
        }
        if let Some((id, purchase)) = state.purchases.open().next() {
            return wrong(format!("purchase {id} never ends: {:?}", purchase.winner));
        }
        if let Some((id, owed)) = state.outbox.owed().next() {
            return wrong(format!("event {id} (purpose {}) stays owed", owed.purpose));
        }
        if let Some((hash, _)) = state.wallet.outgoing().next() {
            return wrong(format!("the payment {hash} never ends"));
        }
        if let Some((intent, _)) = state.wallet.offers().next() {
            return wrong(format!("the payment of the intent {intent} never ends"));
        }
        if let Some((_, waiting)) = state.chat.waiting().next() {
            return wrong(format!("the message {} is never answered", waiting.message));
        }
        if let Some((intent, _)) = state.wallet.onchain().next() {
            return wrong(format!("the on-chain intent {intent} never ends"));
        }
        self.all_counted(wallet)?;
        self.paid_once(wallet)
    }

    /// What buyers paid for work that was done is earned or owed back. A quote that was paid when it was long over is
    /// neither: it lies unbound.
    fn all_counted(&self, wallet: &Wallet) -> Result<(), Wrong> {
        for issued in wallet.issued.values().filter(|issued| issued.paid) {
            let hash = issued.invoice.payment_hash;
            let Some((id, job)) = self.jobs.iter().find(|(_, job)| job.invoice == Some(hash)) else {
                return wrong(format!("the paid invoice {hash} is of no job"));
            };
            let late_quote = job.pay_first && job.failed && !job.executed;
            if !job.settled && job.prepaid_msat.is_none() && !late_quote {
                return wrong(format!("job {id} is paid, and nothing says so"));
            }
            let thanked = job.signed.contains(&(pb::Purpose::Success as i32));
            if job.settled && job.delivered && !job.expired && !thanked {
                return wrong(format!("job {id} is paid, and its buyer is not told"));
            }
        }
        Ok(())
    }

    /// No obligation cost more than one payment.
    fn paid_once(&self, wallet: &Wallet) -> Result<(), Wrong> {
        let paid = |key: &String| {
            wallet
                .leaving
                .get(key)
                .is_some_and(|leaving| leaving.payment.status == PaymentStatus::Succeeded)
        };
        let offers = wallet
            .leaving
            .iter()
            .filter(|(key, leaving)| leaving.payment.key.is_some() && paid(key))
            .count();
        if offers > self.offers.len() {
            return wrong(format!(
                "{offers} payments to offers left, {} were approved",
                self.offers.len()
            ));
        }
        Ok(())
    }
}
