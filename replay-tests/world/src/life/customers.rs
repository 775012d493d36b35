//! Load: customers of the buyer's host, each with one purchase under way at a time, whatever happens to the hosts.
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use autopilot_host::home::Home;
use autopilot_proto::control::v1 as pb;
use tokio::sync::watch;

use super::{ASK_AGAIN, reach};
use crate::stage::{FEE_CEILING_MSAT, PRICE_MSAT};

/// How long a job may take, in seconds.
const DEADLINE_S: u32 = 20;
/// How long a customer keeps asking a host that does not answer.
const PATIENCE: Duration = Duration::from_secs(600);
/// So few words keep the model cheap.
const TOKENS: u32 = 4;

/// What customers share.
pub struct Market {
    buyer: Home,
    provider: String,
    label: String,
    left: AtomicU32,
    number: AtomicU32,
    over: watch::Sender<u32>,
}

impl Market {
    /// A market for so many jobs.
    pub fn new(buyer: &Home, provider: &str, label: &str, jobs: u32) -> Market {
        Market {
            buyer: buyer.clone(),
            provider: provider.to_owned(),
            label: label.to_owned(),
            left: AtomicU32::new(jobs),
            number: AtomicU32::new(0),
            over: watch::channel(0).0,
        }
    }

    /// Nobody begins another purchase.
    pub fn close(&self) {
        self.left.store(0, Ordering::SeqCst);
    }

    /// Purchases that are over.
    pub fn over(&self) -> u32 {
        *self.over.borrow()
    }

    /// Done when so many purchases are over.
    pub async fn until(&self, purchases: u32) {
        // The sender lives as long as we do.
        let _ = self.over.subscribe().wait_for(|over| *over >= purchases).await;
    }

    /// Serves `customers` customers until no job is left.
    ///
    /// # Errors
    /// A purchase whose end nobody could tell for too long.
    pub async fn serve(&self, customers: u32) -> Result<()> {
        let all = (0..customers).map(|_| async {
            while let Ok(_one) = self
                .left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            {
                self.purchase().await?;
                self.over.send_modify(|over| *over += 1);
            }
            anyhow::Ok(())
        });
        futures_util::future::try_join_all(all).await.map(drop)
    }

    async fn purchase(&self) -> Result<()> {
        let number = self.number.fetch_add(1, Ordering::SeqCst);
        let request = pb::BuyRequest {
            input: format!("Say a word. ({} {number})", self.label),
            kind: 5050,
            budget_msat: PRICE_MSAT,
            fee_ceiling_msat: FEE_CEILING_MSAT,
            deadline_s: DEADLINE_S,
            provider: self.provider.clone(),
            max_tokens: TOKENS,
            ..pb::BuyRequest::default()
        };
        let since = Instant::now();
        let id = loop {
            let asked = async { anyhow::Ok(reach(&self.buyer)?.buy(request.clone()).await?) };
            match asked.await {
                Ok(reply) => break reply.into_inner().purchase_id,
                Err(error) if since.elapsed() > PATIENCE => return Err(error),
                Err(_) => tokio::time::sleep(ASK_AGAIN).await,
            }
        };
        loop {
            let request = pb::PurchaseRequest {
                purchase_id: id.clone(),
                wait_s: 30,
            };
            let asked = async { anyhow::Ok(reach(&self.buyer)?.purchase(request).await?.into_inner()) };
            match asked.await {
                Ok(reply) if reply.over => return Ok(()),
                Ok(reply) if since.elapsed() > PATIENCE => bail!("a purchase is not over: {reply:?}"),
                Ok(_) => {}
                Err(error) if since.elapsed() > PATIENCE => return Err(error),
                Err(_) => tokio::time::sleep(ASK_AGAIN).await,
            }
        }
    }
}
