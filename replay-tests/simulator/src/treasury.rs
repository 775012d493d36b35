//! The wallet's side of a host, after `host/src/treasury` and `host/src/readiness`: figures, transactions, its list, its events.
use autopilot_core::{
    Input,
    input::{Command, Readiness, WalletInput, received_key, sent_key},
    ports::wallet::WalletEventKind as Kind,
    told,
};
use autopilot_events::words::Msat;

use crate::{
    bug::Bug,
    oracle::Wrong,
    world::{Happening, Reply, World},
};

impl World {
    /// Figures, readiness, transactions; and online again where the owner wants it.
    pub(crate) fn observe(&mut self) {
        if self.wallet.up {
            let figures = self.wallet.figures();
            self.submit(Input::Wallet(WalletInput::Balances(figures)), Reply::Nobody);
            self.look_onchain();
        }
        let readiness = Readiness {
            model: Some("m".to_owned()),
            receivable: Msat(self.wallet.receivable_msat()),
            relays_connected: u32::try_from(self.relays.iter().filter(|relay| !relay.cut).count())
                .unwrap_or(0),
            ..Readiness::default()
        };
        self.submit(Input::Readiness(readiness), Reply::Nobody);
        let online = self.host.as_ref().is_some_and(|host| host.engine.is_online());
        if self.wants_online && !online {
            let run_id = self.chance.short_id().to_vec();
            self.submit(Input::Person(Command::GoOnline { run_id }), Reply::Nobody);
        }
        let every_ms = if self.troubled() {
            self.chance.between(1_000, 8_000)
        } else {
            120_000
        };
        self.later_here(every_ms, Happening::Observe);
    }

    fn look_onchain(&mut self) {
        let Some(host) = &mut self.host else { return };
        // What waits for an intent's outcome is told again: the list is handed over whole, and known ids are duplicates.
        let nothing = self.wallet.closing.is_empty();
        let since = match nothing {
            true => *host.nothing_closing_since.get_or_insert(self.wallet.height),
            false => {
                host.nothing_closing_since = None;
                u32::MAX
            }
        };
        let mut inputs: Vec<WalletInput> = self.wallet.transactions.iter().map(told::transaction).collect();
        if nothing && self.wallet.height >= since.saturating_add(6) {
            inputs.push(WalletInput::ClosingsOver);
        }
        for input in inputs {
            self.submit(Input::Wallet(input), Reply::Nobody);
        }
    }

    /// The wallet's own list against the ledger's, at every start of either.
    pub(crate) fn reconcile(&mut self) {
        if self.is(Bug::NoReconcile) {
            return;
        }
        let Ok(payments) = self.wallet.list_payments() else {
            return;
        };
        for payment in payments {
            let Some(host) = &self.host else { return };
            let approval = payment.payment_hash.and_then(|hash| {
                let outgoing = host.engine.state().wallet.outgoing_by_hash(&hash);
                outgoing.map(|outgoing| outgoing.approval.clone())
            });
            if let Some(input) = told::listed(&payment, approval) {
                self.submit(Input::Wallet(input), Reply::Nobody);
            }
        }
    }

    /// The next event of the wallet: recorded, then acknowledged.
    pub(crate) fn tells(&mut self) -> Result<(), Wrong> {
        let idle = !self.troubled() && self.wallet.events.is_empty();
        self.later_here(if idle { 20_000 } else { 250 }, Happening::Tells);
        let Some(host) = &mut self.host else { return Ok(()) };
        if host.telling || !self.wallet.up {
            return Ok(());
        }
        let Some(event) = self.wallet.events.front().cloned() else {
            return Ok(());
        };
        host.telling = true;
        if self.is(Bug::AckFirst) {
            self.forgets(&event.id)?;
        }
        let key = key_of(&event.kind);
        let id = event.id;
        match told::event(event, None) {
            Some(input) => self.submit(Input::Wallet(input), Reply::Event(id, key)),
            None => return self.forgets(&id),
        }
        Ok(())
    }

    /// The wallet's event is acknowledged: what it told has to be on record.
    pub(crate) fn forgets(&mut self, id: &[u8; 32]) -> Result<(), Wrong> {
        if let Some(host) = &mut self.host {
            host.telling = false;
        }
        let told = self.wallet.events.iter().find(|event| event.id == *id);
        if let Some(key) = told.and_then(|event| key_of(&event.kind)) {
            self.oracle.may_forget(&key, &self.disk)?;
        }
        self.wallet.acknowledge(id);
        Ok(())
    }
}

/// The key of the fact that an event has to become.
fn key_of(kind: &Kind) -> Option<String> {
    match kind {
        Kind::PaymentReceived { payment_hash, .. } => Some(received_key(&payment_hash.0)),
        Kind::PaymentSuccessful { payment_hash, .. } => Some(sent_key(&payment_hash.0)),
        _ => None,
    }
}
