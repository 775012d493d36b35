//! What happens on chain becomes facts. The wallet tells no event of it, so its list of transactions is looked at
//! whenever its figures or its block changed; a transaction is recorded once, by its id.
use std::collections::HashSet;

use autopilot_core::{
    Input,
    input::WalletInput,
    ports::wallet::{Balances, Transaction, Wallet},
    told,
};

use crate::{ledger::Done, outside::Outside};

/// Blocks for which nothing may be on its way from closed channels before their closing is over: between two of the
/// engine's books a sum can be in neither for a moment, and a closing is buried under six blocks.
const SETTLED_BLOCKS: u32 = 6;

/// What was looked at last.
#[derive(Default)]
pub struct Watch {
    seen: Option<[u64; 5]>,
    recorded: HashSet<String>,
    /// The block since which no sum is on its way from closed channels.
    nothing_closing_since: Option<u32>,
}

impl Watch {
    /// Records what is new on chain.
    ///
    /// # Errors
    /// A sentence, where the wallet or the ledger can't be asked now; the next look tries again.
    pub async fn look(&mut self, outside: &Outside, balances: &Balances) -> Result<(), String> {
        let now = [
            u64::from(balances.tip_height),
            balances.onchain_confirmed_sat,
            balances.onchain_spendable_sat,
            balances.onchain_total_sat,
            balances.closing.0,
        ];
        if self.seen == Some(now) {
            return Ok(());
        }
        let mut whole = true;
        let mut page = None;
        loop {
            let list = outside
                .wallet
                .transactions(page.as_deref())
                .await
                .map_err(|e| e.message)?;
            for transaction in &list.transactions {
                whole &= self.record(outside, transaction).await?;
            }
            page = list.next;
            if page.is_none() {
                break;
            }
        }
        self.closings(outside, balances).await?;
        self.seen = whole.then_some(now);
        Ok(())
    }

    /// `false`: nobody can tell yet what it was for.
    async fn record(&mut self, outside: &Outside, transaction: &Transaction) -> Result<bool, String> {
        if self.recorded.contains(&transaction.txid) {
            return Ok(true);
        }
        let input = Input::Wallet(told::transaction(transaction));
        match outside.ledger.submit(input, None).await {
            Ok(Done::Recorded { sequences, .. }) if sequences.is_empty() => Ok(false),
            Ok(_) => {
                self.recorded.insert(transaction.txid.clone());
                Ok(true)
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Closings are over once nothing is on its way for some blocks.
    async fn closings(&mut self, outside: &Outside, balances: &Balances) -> Result<(), String> {
        let nothing =
            balances.closing.0 == 0 && balances.pending_closes.iter().all(|close| close.counted_onchain);
        if !nothing {
            self.nothing_closing_since = None;
            return Ok(());
        }
        let tip = balances.tip_height;
        let since = *self.nothing_closing_since.get_or_insert(tip);
        if tip < since.saturating_add(SETTLED_BLOCKS) {
            return Ok(());
        }
        let over = Input::Wallet(WalletInput::ClosingsOver);
        outside
            .ledger
            .submit(over, None)
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    }
}
