//! The outside world as the host holds it: one handle per port.
use std::{sync::Arc, time::Duration};

use autopilot_core::ports::{
    market::{Market, MarketError, MarketItem},
    wallet::{DecodedInvoice, DecodedOffer, Wallet, WalletError, WalletErrorCode},
};
use autopilot_core::{
    input::{Bill, sent_key, won_key},
    offers::Offer,
};
use autopilot_events::pb::BodyRef;
use autopilot_inference::WorkerProcess;
use autopilot_lightning::WalletClient;
use autopilot_nostr::RelayMarket;
use tokio::{
    sync::{broadcast, watch},
    time::Instant,
};

use crate::{clock, fetching::Fetching, ledger::Ledger, serving::Serving};

/// How long a wallet that does not answer is waited for, and how often it is asked.
const WALLET_PATIENCE: Duration = Duration::from_secs(20);
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// Ports, and the ledger that everything goes through.
#[derive(Clone)]
pub struct Outside {
    /// The one writer.
    pub ledger: Ledger,
    /// Relays; none for a plain wallet.
    pub market: Option<Arc<RelayMarket>>,
    /// The wallet process.
    pub wallet: WalletClient,
    /// The model; none for a plain buyer.
    pub model: Option<Serving>,
    /// The embedding model, where there is one.
    pub embedder: Option<WorkerProcess>,
    /// The model that is on its way.
    pub fetching: Fetching,
    /// Output of running jobs, piece by piece. Telemetry: never stored.
    pub tokens: broadcast::Sender<(String, String)>,
    /// What a wallet that does not serve waits for, in words; none while it serves.
    pub waiting: watch::Sender<Option<String>>,
}

impl Outside {
    /// Everything that computes: the model, and the embedding model.
    pub fn engines(&self) -> Vec<Serving> {
        let embedder = self.embedder.clone().map(Serving::Worker);
        self.model.clone().into_iter().chain(embedder).collect()
    }

    /// What the wallet waits for, where it does not serve.
    pub fn waiting(&self) -> Option<String> {
        self.waiting.borrow().clone()
    }

    /// Addresses of the relays in use.
    pub fn relays(&self) -> Vec<String> {
        self.market
            .as_ref()
            .map(|market| market.addresses())
            .unwrap_or_default()
    }

    /// The relays, or a sentence.
    ///
    /// # Errors
    /// [`MarketError::Relay`] where this home has none.
    pub fn market(&self) -> Result<&RelayMarket, MarketError> {
        self.market
            .as_deref()
            .ok_or_else(|| MarketError::Relay("no relay is configured".to_owned()))
    }

    /// Reads a market item again from its stored bytes.
    pub async fn stored(&self, reference: &BodyRef) -> Result<MarketItem, String> {
        let raw = self.ledger.text(reference).await.map_err(|e| e.to_string())?;
        let raw = match raw {
            Some(raw) => raw,
            None => return Err(self.lost(&reference.subject).await),
        };
        self.market()
            .and_then(|market| market.parse(&raw))
            .map_err(|e| e.to_string())
    }

    /// Why a subject's text can't be read, in words.
    pub async fn lost(&self, subject: &str) -> String {
        match self.ledger.forgotten_at_ms(subject).await {
            Ok(Some(ms)) => format!("its text was forgotten on {}", clock::date(ms)),
            _ => "its text is missing or damaged".to_owned(),
        }
    }

    /// A wallet that is just starting again is no fault of the invoice: it is waited for, within a bound.
    async fn decoded(&self, bolt11: &str) -> Result<DecodedInvoice, WalletError> {
        let deadline = Instant::now() + WALLET_PATIENCE;
        loop {
            match self.wallet.decode_invoice(bolt11).await {
                Err(error) if error.code == WalletErrorCode::Unavailable && Instant::now() < deadline => {
                    tokio::time::sleep(ASK_AGAIN).await;
                }
                answer => return answer,
            }
        }
    }

    /// Reads an offer.
    pub async fn offer(&self, bolt12: &str) -> Result<Offer, WalletError> {
        let decoded = self.wallet.decode_offer(bolt12).await?;
        Ok(offer(bolt12, decoded))
    }

    /// Reads somebody else's invoice, and whether it was paid or chosen before.
    pub async fn bill(&self, bolt11: &str) -> Result<Bill, String> {
        let decoded = self.decoded(bolt11).await.map_err(|e| e.message)?;
        let hash = &decoded.payment_hash.0;
        for (key, what) in [(sent_key(hash), "was paid"), (won_key(hash), "won a purchase")] {
            let before = self.ledger.reader().lookup(&key).await;
            if before.map_err(|e| e.to_string())?.is_some() {
                return Err(format!("reused: an invoice with this payment hash {what} before"));
            }
        }
        Ok(bill(bolt11, decoded))
    }
}

/// A decoded offer in the words of the deciders.
fn offer(bolt12: &str, decoded: DecodedOffer) -> Offer {
    Offer {
        bolt12: bolt12.to_owned(),
        offer_id: decoded.offer_id,
        payee: decoded.payee.map(|payee| payee.to_vec()).unwrap_or_default(),
        amount: decoded.amount,
        networks: decoded.networks,
        expires_at_ms: decoded
            .expires_at_s
            .map(|s| i64::try_from(s.saturating_mul(1_000)).unwrap_or(i64::MAX)),
    }
}

/// A decoded invoice in the words of the deciders.
pub fn bill(bolt11: &str, decoded: DecodedInvoice) -> Bill {
    Bill {
        bolt11: bolt11.to_owned(),
        payment_hash: decoded.payment_hash,
        amount: decoded.amount,
        payee: decoded.payee.to_vec(),
        network: decoded.network,
        expires_at_ms: i64::try_from(decoded.expires_at_s.saturating_mul(1_000)).unwrap_or(i64::MAX),
    }
}
