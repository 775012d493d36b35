//! Figures of the paid loop, as ratios to calibrators in the same run: `cargo run -p autopilot-world-tests --bin
//! loop-bench -- JOBS` (default 10). Prints a table and a line of JSON. Programs come from `AUTOPILOT_BIN_DIR`.
use std::{collections::HashMap, time::Instant};

use anyhow::{Result, ensure};
use autopilot_events::{Event, words::JobId};
use autopilot_host::{audit::Audit, control::Client, sandbox::ChainKind};
use autopilot_proto::control::v1 as pb;
use autopilot_world_tests::stage::{
    FEE_CEILING_MSAT, PATIENCE_S, PRICE_MSAT, Stage, order, outcome, settled,
};

/// What one job's facts say, in milliseconds.
#[derive(Default)]
struct Times {
    received: i64,
    delivered: i64,
    settled: i64,
    model: u64,
    tokens: u32,
    generate: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let jobs: u64 = std::env::args().nth(1).map_or(Ok(10), |jobs| jobs.parse())?;
    let stage = Stage::build(ChainKind::Simulated).await?;
    stage.world.go_online().await?;
    let (mut provider, mut buyer) = (stage.world.provider.client()?, stage.world.buyer.client()?);
    let mut plain_ms = Vec::new();
    for job in 0..jobs {
        let id = order(
            &mut buyer,
            &stage.world.provider.pubkey,
            &format!("Tell me about the number {job}."),
        )
        .await?;
        ensure!(
            outcome(&mut buyer, &id).await?.paid_msat == PRICE_MSAT,
            "job {job} was not paid"
        );
        // The calibrator in alternation: the same wallets, the same sum, no job around it.
        plain_ms.push(plain_payment(&mut provider, &mut buyer).await?);
    }
    settled(&mut provider, jobs).await?;
    let times = times(stage.world.provider.home.path()).await?;
    stage.strike().await;

    let of = |f: &dyn Fn(&Times) -> f64| median(times.values().map(f).collect());
    let model = of(&|t| t.model as f64);
    let overhead = of(&|t| (t.delivered - t.received) as f64 - t.model as f64);
    let paid = of(&|t| (t.settled - t.delivered) as f64);
    let plain = median(plain_ms);
    let speed = of(&|t| f64::from(t.tokens) * 1_000.0 / (t.generate.max(1) as f64));
    println!("{:<44} {:>10} {:>28}", "median of the run", "value", "ratio");
    println!(
        "{:<44} {:>7.0} ms {:>28}",
        "model time of a job (calibrator)", model, "1"
    );
    println!(
        "{:<44} {:>7.0} ms {:>16.2} × model time",
        "relay to result, beyond model time",
        overhead,
        overhead / model
    );
    println!(
        "{:<44} {:>7.0} ms {:>28}",
        "plain payment, buyer to provider (calibrator)", plain, "1"
    );
    println!(
        "{:<44} {:>7.0} ms {:>13.2} × plain payment",
        "result to paid",
        paid,
        paid / plain
    );
    println!("{:<44} {:>6.1} t/s {:>28}", "generation", speed, "");
    println!(
        "{}",
        serde_json::json!({"jobs": jobs, "model_ms": model, "overhead_ms": overhead, "plain_payment_ms": plain,
            "result_to_paid_ms": paid, "tokens_per_s": speed})
    );
    Ok(())
}

async fn plain_payment(provider: &mut Client, buyer: &mut Client) -> Result<f64> {
    let receive = pb::ReceiveRequest {
        amount_msat: PRICE_MSAT,
        ..Default::default()
    };
    let invoice = provider.receive(receive).await?.into_inner();
    let pay = pb::PayRequest {
        payment_request: invoice.payment_request,
        amount_msat: None,
        fee_ceiling_msat: FEE_CEILING_MSAT,
        wait_s: PATIENCE_S,
    };
    let start = Instant::now();
    let paid = buyer.pay(pay).await?.into_inner();
    ensure!(
        paid.status == "succeeded",
        "the plain payment is {}: {}",
        paid.status,
        paid.reason
    );
    Ok(start.elapsed().as_secs_f64() * 1_000.0)
}

async fn times(home: &std::path::Path) -> Result<HashMap<JobId, Times>> {
    let audit = Audit::open(home).await?;
    let mut times: HashMap<JobId, Times> = HashMap::new();
    let mut after = 0;
    loop {
        let facts = audit.facts(after, 1_000).await?;
        let Some(last) = facts.last() else {
            return Ok(times);
        };
        after = last.fact.sequence;
        for fact in &facts {
            let at = fact.fact.utc_ms;
            match &fact.event {
                Event::JobReceived(m) => times.entry(JobId::of(&m.job_id)).or_default().received = at,
                Event::JobDelivered(m) => times.entry(JobId::of(&m.job_id)).or_default().delivered = at,
                Event::JobSettled(m) => times.entry(JobId::of(&m.job_id)).or_default().settled = at,
                Event::JobExecuted(m) => {
                    let time = times.entry(JobId::of(&m.job_id)).or_default();
                    if let Some(receipt) = &m.receipt {
                        time.model = receipt.prompt_ms + receipt.generate_ms;
                        (time.tokens, time.generate) = (receipt.output_tokens, receipt.generate_ms);
                    }
                }
                _ => {}
            }
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
