//! One way: jobs bought one after the other, each timed, and seen settled by who sold them.
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use autopilot_host::{control::Client, sandbox::Child};
use autopilot_proto::control::v1 as pb;
use serde::Serialize;

use crate::demo::FEE_CEILING_MSAT;

const TOKENS: u32 = 8;
const DEADLINE_S: u32 = 300;
/// How long the seller's last payment may take to be settled after the buyer's wallet has sent it.
const SETTLED_LIMIT: Duration = Duration::from_secs(60);

/// A host in one of its roles.
pub struct Side {
    pub name: &'static str,
    pub client: Client,
    pubkey: String,
}

impl Side {
    pub fn of(name: &'static str, host: &Child) -> anyhow::Result<Side> {
        Ok(Side {
            name,
            client: host.client()?,
            pubkey: host.pubkey.clone(),
        })
    }

    async fn balance(&mut self) -> anyhow::Result<pb::BalanceReply> {
        Ok(self.client.balance(pb::BalanceRequest {}).await?.into_inner())
    }

    async fn earnings(&mut self) -> anyhow::Result<pb::EarningsReply> {
        let request = pb::EarningsRequest {
            day_start_ms: 0,
            day_end_ms: i64::MAX,
        };
        Ok(self.client.earnings(request).await?.into_inner())
    }
}

/// What one way brought.
#[derive(Debug, Serialize)]
pub struct Leg {
    pub name: &'static str,
    pub seller: &'static str,
    pub buyer: &'static str,
    pub price_msat: u64,
    pub asked: u32,
    pub paid: u32,
    pub not_paid: Vec<String>,
    /// What the buyer paid, fees apart.
    pub spent_msat: u64,
    pub fees_msat: u64,
    /// What the seller's settled facts say.
    pub earned_msat: u64,
    pub settled: u64,
    pub duration_ms: u64,
    pub job_median_ms: u64,
    pub job_slowest_ms: u64,
}

/// Refuses a leg that the wallets could not carry, before anything is asked.
pub async fn check_funding(
    seller: &mut Side,
    buyer: &mut Side,
    jobs: u32,
    price_msat: u64,
) -> anyhow::Result<()> {
    let needed_msat = u64::from(jobs) * price_msat;
    let (paying, receiving) = (buyer.balance().await?, seller.balance().await?);
    ensure!(
        paying.spendable_msat >= needed_msat,
        "the {} can spend {} sat and {jobs} jobs cost {} sat: ask for fewer --jobs or a lower --price-sats",
        buyer.name,
        paying.spendable_msat / 1_000,
        needed_msat / 1_000
    );
    let room_msat: u64 = receiving.channels.iter().map(room_msat).sum();
    ensure!(
        room_msat >= needed_msat,
        "the {} has room for {} sat and {jobs} jobs bring {} sat: ask for fewer --jobs or a lower --price-sats",
        seller.name,
        room_msat / 1_000,
        needed_msat / 1_000
    );
    let request = pb::CanReceiveRequest {
        amount_msat: price_msat,
    };
    let one = seller.client.can_receive(request).await?.into_inner();
    ensure!(
        one.yes,
        "the {} can't receive the price of a job: {}",
        seller.name,
        one.reason
    );
    Ok(())
}

/// What can still come in over a channel, one payment after the other: the peer's side, less the hundredth that it has
/// to keep. A single payment may be smaller yet; that is asked of the wallet.
fn room_msat(channel: &pb::Channel) -> u64 {
    let capacity_msat = channel.capacity_sat * 1_000;
    capacity_msat.saturating_sub(channel.balance_msat + capacity_msat / 100)
}

impl Leg {
    /// Buys `jobs` jobs and waits until the seller counts each paid one as settled.
    pub async fn run(
        name: &'static str,
        seller: &mut Side,
        buyer: &mut Side,
        jobs: u32,
        price_msat: u64,
        pay_first: bool,
    ) -> anyhow::Result<Leg> {
        let begun = Instant::now();
        let (before, purse) = (seller.earnings().await?, buyer.balance().await?);
        let mut times = Vec::new();
        let mut not_paid = Vec::new();
        let mut spent_msat = 0;
        for number in 1..=jobs {
            let since = Instant::now();
            let answer = one_job(seller, buyer, name, number, price_msat, pay_first).await?;
            if answer.paid_msat > 0 {
                spent_msat += answer.paid_msat;
                times.push(since.elapsed());
            } else {
                not_paid.push(answer.reason);
            }
        }
        times.sort_unstable();
        let paid = u32::try_from(times.len()).unwrap_or(u32::MAX);
        let after = until_settled(seller, before.jobs_settled + u64::from(paid)).await?;
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Ok(Leg {
            name,
            seller: seller.name,
            buyer: buyer.name,
            price_msat,
            asked: jobs,
            paid,
            not_paid,
            spent_msat,
            fees_msat: buyer.balance().await?.fees_msat - purse.fees_msat,
            earned_msat: after.earned_msat - before.earned_msat,
            settled: after.jobs_settled - before.jobs_settled,
            duration_ms: ms(begun.elapsed()),
            job_median_ms: times.get(times.len() / 2).copied().map_or(0, ms),
            job_slowest_ms: times.last().copied().map_or(0, ms),
        })
    }

    /// The fee of one job, rounded up.
    pub fn fee_of_a_job_msat(&self) -> u64 {
        self.fees_msat.div_ceil(u64::from(self.paid.max(1)))
    }
}

async fn one_job(
    seller: &Side,
    buyer: &mut Side,
    leg: &str,
    number: u32,
    price_msat: u64,
    pay_first: bool,
) -> anyhow::Result<pb::PurchaseReply> {
    let request = pb::BuyRequest {
        input: format!("Say a word about the number {number}. ({leg})"),
        kind: 5050,
        budget_msat: price_msat,
        fee_ceiling_msat: FEE_CEILING_MSAT,
        deadline_s: DEADLINE_S,
        provider: seller.pubkey.clone(),
        pay_first_ceiling_msat: if pay_first { price_msat } else { 0 },
        max_tokens: TOKENS,
        ..pb::BuyRequest::default()
    };
    let asked = buyer
        .client
        .buy(request)
        .await
        .context("the buyer could not order")?;
    let request = pb::PurchaseRequest {
        purchase_id: asked.into_inner().purchase_id,
        wait_s: DEADLINE_S,
    };
    let answer = buyer.client.purchase(request).await?.into_inner();
    ensure!(answer.over, "job {number} is not over after {DEADLINE_S} s");
    Ok(answer)
}

/// The seller's earnings once so many jobs are settled; as they are where that takes too long.
async fn until_settled(seller: &mut Side, jobs: u64) -> anyhow::Result<pb::EarningsReply> {
    let now = seller.earnings().await?;
    if now.jobs_settled >= jobs {
        return Ok(now);
    }
    let missing = jobs - now.jobs_settled;
    let after = now.basis.map_or(0, |basis| basis.sequence);
    let mut facts = seller
        .client
        .follow(pb::FollowRequest { after, limit: 0 })
        .await?
        .into_inner();
    let wait = async {
        let mut seen = 0;
        while seen < missing
            && let Some(fact) = facts.message().await?
        {
            seen += u64::from(fact.r#type == "job.settled");
        }
        anyhow::Ok(())
    };
    if let Ok(waited) = tokio::time::timeout(SETTLED_LIMIT, wait).await {
        waited?;
    }
    seller.earnings().await
}
