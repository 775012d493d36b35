//! Faults, and how each of them ends.
use autopilot_core::{
    Input,
    input::WalletInput,
    ports::wallet::{PaymentStatus, WalletEvent, WalletEventKind as Kind},
};
use autopilot_events::{pb, words::Msat};

use crate::{
    oracle::Wrong,
    world::{Happening, Reply, World},
};

impl World {
    /// The next fault. In calm times: everything is mended, once.
    pub(crate) fn trouble(&mut self) -> Result<(), Wrong> {
        if !self.troubled() {
            self.mend();
            return Ok(());
        }
        let wait_ms = self.chance.between(2_000, 150_000);
        let next_ms = wait_ms.min(self.calm_at_ms - self.now_ms);
        self.later(next_ms, Happening::Trouble);
        match self.chance.below(13) {
            0..3 => self.crash()?,
            3 => {
                self.wallet.up = false;
                self.loses_an_event();
                if self.host.is_some() {
                    let stopped = Input::Wallet(WalletInput::Stopped("simulated".to_owned()));
                    self.submit(stopped, Reply::Nobody);
                }
                let down_ms = self.chance.between(500, 90_000);
                self.later(down_ms, Happening::WalletBack);
            }
            4 | 5 => {
                let relay = usize::try_from(self.chance.below(3)).unwrap_or(0);
                self.relays[relay].cut = true;
                let cut_ms = self.chance.between(1_000, 400_000);
                self.later(cut_ms, Happening::RelayBack(relay));
            }
            6 => {
                let most_ms = if self.chance.one_in(3) {
                    3 * 3_600_000
                } else {
                    300_000
                };
                self.skew_ms = self.chance.between(-most_ms, most_ms);
                let wrong_ms = self.chance.between(1_000, 600_000);
                self.later(wrong_ms, Happening::ClockBack);
            }
            7 => {
                self.disk_full = true;
                let full_ms = self.chance.between(100, 60_000);
                self.later(full_ms, Happening::DiskBack);
            }
            8 => {
                self.wallet.close(&mut self.chance);
                self.opens_again();
            }
            9 => self.redelivers(),
            10 => self.diverges(),
            11 => {
                let (sat, now_s) = (1_000 + self.chance.below(50_000), self.now_s());
                self.wallet.deposit(&mut self.chance, sat, now_s);
            }
            _ => {
                let (msat, now_s) = (1 + self.chance.below(40_000), self.now_s());
                if self.wallet.up {
                    self.wallet.gift(&mut self.chance, Msat(msat), now_s);
                }
            }
        }
        Ok(())
    }

    fn mend(&mut self) {
        (self.skew_ms, self.disk_full, self.wants_online) = (0, false, true);
        self.wallet_back();
        (0..self.relays.len()).for_each(|relay| self.relay_back(relay));
        self.opens_again();
    }

    /// A peer opens another channel.
    fn opens_again(&mut self) {
        if self.wallet.channel.is_none() {
            let pushed_msat = 1_000_000 * (1 + self.chance.below(60));
            self.wallet.open(&mut self.chance, 400_000, pushed_msat);
        }
    }

    /// A wallet that ends may forget to tell something: its list still has it.
    fn loses_an_event(&mut self) {
        let is_payment = |event: &WalletEvent| {
            matches!(
                event.kind,
                Kind::PaymentReceived { .. } | Kind::PaymentSuccessful { .. }
            )
        };
        if let Some(index) = self.wallet.events.iter().position(is_payment) {
            self.wallet.events.remove(index);
        }
    }

    pub(crate) fn wallet_back(&mut self) {
        self.wallet.up = true;
        // Acknowledged events come again after a restart.
        self.redelivers();
        let started = pb::WalletStarted {
            node_id: vec![3; 33],
            network: "regtest".to_owned(),
            chain_source: "simulated".to_owned(),
        };
        self.submit(Input::Wallet(WalletInput::Started(started)), Reply::Nobody);
        self.reconcile();
    }

    fn redelivers(&mut self) {
        let again: Vec<WalletEvent> = self.wallet.told.iter().rev().take(25).cloned().collect();
        for event in again {
            if self.chance.one_in(2) && !self.wallet.events.contains(&event) {
                self.wallet.events.push_back(event);
            }
        }
    }

    /// The wallet tells of a payment that is on record, with another amount.
    fn diverges(&mut self) {
        let told: Vec<WalletEvent> = self
            .wallet
            .told
            .iter()
            .filter(|event| matches!(event.kind, Kind::PaymentReceived { .. }))
            .cloned()
            .collect();
        if let Some(WalletEvent {
            kind:
                Kind::PaymentReceived {
                    payment_id,
                    payment_hash,
                    amount,
                    invoice_key,
                    settled_at_s,
                    ..
                },
            ..
        }) = self.chance.pick(&told).cloned()
        {
            let kind = Kind::PaymentReceived {
                payment_id,
                payment_hash,
                amount: Msat(amount.0 + 1_000),
                invoice_key,
                settled_at_s,
                preimage: None,
            };
            let id = self.chance.id();
            self.wallet.contradictions.insert(id);
            self.wallet.events.push_back(WalletEvent { id, kind });
        }
    }

    pub(crate) fn relay_back(&mut self, relay: usize) {
        self.relays[relay].cut = false;
        self.hand_out_stored(relay);
    }

    pub(crate) fn payment_resolves(&mut self, key: &str, succeeds: bool) {
        if !self.wallet.up || self.wallet.channel.is_none() {
            self.later(5_000, Happening::Resolves(key.to_owned(), succeeds));
            return;
        }
        let now_s = self.now_s();
        self.wallet.resolve(&mut self.chance, key, succeeds, now_s);
        let done = self
            .wallet
            .leaving
            .get(key)
            .is_none_or(|leaving| leaving.payment.status != PaymentStatus::Pending);
        debug_assert!(done, "a payment that was resolved is not under way");
    }

    pub(crate) fn block(&mut self) {
        let now_s = self.now_s();
        self.wallet.block(&mut self.chance, now_s);
        let wait_ms = self.chance.between(60_000, 900_000);
        self.later(wait_ms, Happening::Block);
    }
}
