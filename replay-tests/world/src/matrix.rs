//! The crash matrix: processes are killed at named points of the loop, the host is started again, and the questions
//! are asked of what it left.
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use autopilot_host::control::Client;
use autopilot_proto::control::v1 as pb;

use crate::{
    questions::{Sound, sound},
    stage::{FEE_CEILING_MSAT, PATIENCE_S, Stage, balance, balance_when, order, outcome, settled},
};

/// Facts of the paid loop, in the order in which a job's commits bring them.
pub const JOB_FACTS: [&str; 7] = [
    "job.received",
    "event.signed",
    "job.executed",
    "invoice.issued",
    "job.delivered",
    "wallet.payment_received",
    "job.settled",
];
/// Effects of the paid loop.
pub const JOB_EFFECTS: [&str; 5] = ["run", "invoice", "sign", "publish", "wallet-received"];
/// Points of a withdrawal.
pub const WITHDRAWAL: [&str; 6] = [
    "commit.before/payment.approved",
    "commit.after/payment.approved",
    "effect.before/pay",
    "effect.after/pay",
    "commit.before/wallet.payment_sent",
    "commit.after/wallet.payment_sent",
];
/// How long a killed host may take to be reached.
const CRASH_LIMIT: Duration = Duration::from_secs(90);

/// One line of the table.
#[derive(Debug)]
pub struct Line {
    /// Who was killed where.
    pub point: String,
    /// It was.
    pub fired: bool,
    /// From the kill until the host served again, in milliseconds.
    pub whole_ms: u128,
}

/// Kills the host at each point in turn during one job, and sees the job through.
///
/// # Errors
/// What did not hold.
pub async fn host_during_job(stage: &mut Stage, points: &[String], question: &str) -> Result<Vec<Line>> {
    let before = sound_now(stage).await?;
    let mut lines = Vec::new();
    let mut purchase = None;
    for point in points {
        restart(stage, &[("AUTOPILOT_CRASH", &format!("host@{point}"))]).await?;
        let online = online(stage.world.provider.client()?);
        // A point may be reached before anything is asked: work that is owed begins with the start.
        let went = tokio::select! {
            went = online => Some(went),
            _ = stage.world.provider.ended() => None,
        };
        if let Some(Err(error)) = &went
            && purchase.is_none()
        {
            bail!("{point}: not online: {error}");
        }
        if purchase.is_none() && went.is_some() {
            let mut buyer = stage.world.buyer.client()?;
            purchase = Some(order(&mut buyer, &stage.world.provider.pubkey, question).await?);
        }
        let fired = tokio::time::timeout(CRASH_LIMIT, stage.world.provider.ended())
            .await
            .is_ok();
        lines.push(Line {
            point: format!("host@{point}"),
            fired,
            whole_ms: 0,
        });
        let since = Instant::now();
        restart(stage, &[("AUTOPILOT_CRASH", "")]).await?;
        if let Some(line) = lines.last_mut() {
            line.whole_ms = since.elapsed().as_millis();
        }
        if !fired {
            break;
        }
    }
    online(stage.world.provider.client()?).await?;
    let purchase = purchase.context("nothing was ordered")?;
    let mut buyer = stage.world.buyer.client()?;
    let reply = outcome(&mut buyer, &purchase).await?;
    ensure!(reply.paid_msat > 0, "the buyer did not pay: {reply:?}");
    settled(&mut stage.world.provider.client()?, before.settled + 1).await?;
    let after = sound_now(stage).await?;
    ensure!(
        after.settled == before.settled + 1,
        "one job was paid, {} were counted",
        after.settled - before.settled
    );
    ensure!(
        after.difference_msat == 0,
        "wallet and ledger differ by {} msat",
        after.difference_msat
    );
    Ok(lines)
}

/// Kills the host at each point of a withdrawal, asking for the same payment after each restart.
///
/// # Errors
/// What did not hold.
pub async fn host_during_withdrawal(
    stage: &mut Stage,
    points: &[&str],
    amount_msat: u64,
) -> Result<Vec<Line>> {
    let mut hub = stage.world.hub.client()?;
    let before = balance(&mut hub).await?.received_msat;
    let receive = pb::ReceiveRequest {
        amount_msat,
        description: "withdrawal".to_owned(),
        ..Default::default()
    };
    let invoice = hub.receive(receive).await?.into_inner().payment_request;
    let pay = pb::PayRequest {
        payment_request: invoice,
        amount_msat: None,
        fee_ceiling_msat: FEE_CEILING_MSAT,
        wait_s: PATIENCE_S,
    };
    let mut lines = Vec::new();
    for point in points {
        restart(stage, &[("AUTOPILOT_CRASH", &format!("host@{point}"))]).await?;
        let mut client = stage.world.provider.client()?;
        let asking = async {
            balance_when(&mut client, "a usable channel", |b| {
                b.channels.iter().any(|c| c.usable)
            })
            .await?;
            client.pay(pay.clone()).await.map_err(anyhow::Error::new)
        };
        let fired = tokio::select! {
            _ = stage.world.provider.ended() => true,
            answer = asking => {
                drop(answer);
                tokio::time::timeout(Duration::from_secs(10), stage.world.provider.ended()).await.is_ok()
            }
        };
        let since = Instant::now();
        restart(stage, &[("AUTOPILOT_CRASH", "")]).await?;
        lines.push(Line {
            point: format!("host@{point}"),
            fired,
            whole_ms: since.elapsed().as_millis(),
        });
    }
    let mut client = stage.world.provider.client()?;
    balance_when(&mut client, "a usable channel", |b| {
        b.channels.iter().any(|c| c.usable)
    })
    .await?;
    let answer = loop {
        match client.pay(pay.clone()).await {
            Ok(answer) => break answer.into_inner(),
            // Approved before the crash and still under way: its outcome comes by itself.
            Err(status) if status.message().contains("being paid already") => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(status) => bail!("the withdrawal was refused: {}", status.message()),
        }
    };
    ensure!(
        answer.status == "succeeded",
        "the withdrawal is {}: {}",
        answer.status,
        answer.reason
    );
    let paid = balance_when(&mut hub, "the hub's receipt", |b| b.received_msat > before)
        .await?
        .received_msat
        - before;
    ensure!(
        paid == amount_msat,
        "the hub got {paid} msat for one invoice of {amount_msat}"
    );
    let after = sound_now(stage).await?;
    ensure!(
        after.difference_msat == 0,
        "wallet and ledger differ by {} msat",
        after.difference_msat
    );
    Ok(lines)
}

/// Kills the worker or the wallet once during a job. The host stays, replaces it and sees the job through; where the
/// kill cost the channel, the facts have to account for every msat until it is swept.
///
/// # Errors
/// What did not hold.
pub async fn child_during_job(stage: &mut Stage, target: &str, point: &str, question: &str) -> Result<Line> {
    let before = sound_now(stage).await?;
    restart(stage, &[("AUTOPILOT_CRASH", &format!("{target}@{point}"))]).await?;
    online(stage.world.provider.client()?).await?;
    let mut buyer = stage.world.buyer.client()?;
    let since = Instant::now();
    let purchase = order(&mut buyer, &stage.world.provider.pubkey, question).await?;
    let log = stage.world.provider.home.logs_dir().join("host.log");
    let reply = outcome(&mut buyer, &purchase).await?;
    let whole_ms = since.elapsed().as_millis();
    let fired = std::fs::read_to_string(log)?.contains(&format!("crash point {point}"));
    let mut provider = stage.world.provider.client()?;
    let last = balance_when(&mut provider, "a usable channel or a closed one", |b| {
        b.channels.iter().any(|c| c.usable) || b.channels.is_empty()
    })
    .await?;
    if last.channels.is_empty() {
        // Upstream may force-close a channel whose wallet was killed. Then every msat is followed to the sweep.
        account_for_close(stage).await?;
        stage.world.open_provider_channel().await?;
        return Ok(Line {
            point: format!("{target}@{point} (channel closed and swept)"),
            fired,
            whole_ms,
        });
    }
    ensure!(
        reply.paid_msat > 0,
        "{target}@{point}: the job was not paid: {reply:?}"
    );
    settled(&mut provider, before.settled + 1).await?;
    restart(stage, &[("AUTOPILOT_CRASH", "")]).await?;
    let after = sound_now(stage).await?;
    ensure!(
        after.settled == before.settled + 1,
        "{target}@{point}: counted {} times",
        after.settled - before.settled
    );
    ensure!(
        after.difference_msat == 0,
        "wallet and ledger differ by {} msat",
        after.difference_msat
    );
    Ok(Line {
        point: format!("{target}@{point}"),
        fired,
        whole_ms,
    })
}

/// Mines until nothing of a closed channel is on its way any more; what was ours is then on chain, or was too little
/// to be worth its fee, and the facts say which channel it was and why.
async fn account_for_close(stage: &mut Stage) -> Result<()> {
    let mut provider = stage.world.provider.client()?;
    for _ in 0..60 {
        stage.world.mine(10)?;
        let balance = balance(&mut provider).await?;
        if balance.closing_msat == 0 && balance.closing.is_empty() {
            let request = pb::FollowRequest { after: 0, limit: 0 };
            let mut facts = provider.follow(request).await?.into_inner();
            while let Some(fact) = facts.message().await? {
                if fact.r#type == "wallet.channel_closed" {
                    println!(
                        "channel closed: {} (on chain now: {} sat)",
                        fact.json, balance.onchain_sat
                    );
                    return Ok(());
                }
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    bail!("a closed channel's sats are still on their way after 600 blocks")
}

/// Stops the provider in order, reads what it left, and starts it again.
async fn sound_now(stage: &mut Stage) -> Result<Sound> {
    restart(stage, &[("AUTOPILOT_CRASH", "")]).await?;
    let home = stage.world.provider.home.path().to_owned();
    stage.world.provider.stop_in_order().await;
    let sound = sound(&home).await?;
    restart(stage, &[("AUTOPILOT_CRASH", "")]).await?;
    Ok(sound)
}

/// Ends the provider, in order where it still runs, and starts it with further environment.
async fn restart(stage: &mut Stage, environment: &[(&str, &str)]) -> Result<()> {
    Ok(stage.world.provider.restart(environment).await?)
}

async fn online(mut provider: Client) -> Result<()> {
    let reply = provider.go_online(pb::GoOnlineRequest { wait_s: 120 }).await;
    reply
        .map(drop)
        .map_err(|status| anyhow::anyhow!("{}", status.message()))
}

/// Prints the table, and fails where a point was never reached.
///
/// # Errors
/// The points that did not fire.
pub fn table(title: &str, lines: &[Line]) -> Result<()> {
    println!(
        "\n{title}\n  {:<44} {:>6} {:>10}",
        "killed at", "fired", "whole ms"
    );
    for line in lines {
        println!(
            "  {:<44} {:>6} {:>10}",
            line.point,
            if line.fired { "yes" } else { "NO" },
            line.whole_ms
        );
    }
    let missed: Vec<&str> = lines
        .iter()
        .filter(|line| !line.fired)
        .map(|line| line.point.as_str())
        .collect();
    ensure!(
        missed.is_empty(),
        "these points were never reached: {}",
        missed.join(", ")
    );
    Ok(())
}
