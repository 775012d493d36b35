//! The crash matrix: processes are killed at named points of the loop, the host is started again, and the questions
//! are asked of what it left.
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use autopilot_host::{
    control::Client,
    sandbox::{Child, SandboxError},
};
use autopilot_proto::control::v1 as pb;

use crate::{
    questions::{Sound, sound},
    stage::{FEE_CEILING_MSAT, PATIENCE_S, Stage, balance, balance_when, order, outcome, settled},
};

/// The commits of the paid loop, each named by one of its facts, in the order in which a job brings them.
/// `job.accepted` and `job.started` share the first, `job.settled` the last.
pub const JOB_COMMITS: [&str; 6] = [
    "job.received",
    "event.signed",
    "job.executed",
    "invoice.issued",
    "job.delivered",
    "wallet.payment_received",
];
/// The commits of a purchase. `payment.approved` and `payment.attempted` share the third, `purchase.paid` the last.
pub const PURCHASE_COMMITS: [&str; 4] = [
    "purchase.requested",
    "event.published",
    "purchase.won",
    "wallet.payment_sent",
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
const CRASH_LIMIT: Duration = Duration::from_secs(60);
/// No crash point.
const UNARMED: &[(&str, &str)] = &[("AUTOPILOT_CRASH", "")];

/// One line of the table.
#[derive(Debug)]
pub struct Line {
    /// Who was killed where.
    pub point: String,
    /// It was.
    pub fired: bool,
    /// From the start after the kill before until the host served, in milliseconds.
    pub whole_ms: u128,
}

impl Line {
    fn early(who: &str, point: &str) -> Line {
        Line {
            point: format!("{who}@{point} (before it served)"),
            fired: true,
            whole_ms: 0,
        }
    }
}

/// Kills the provider's host at each point in turn during one job, and sees the job through.
///
/// # Errors
/// What did not hold.
pub async fn provider_during_job(stage: &mut Stage, points: &[String], question: &str) -> Result<Vec<Line>> {
    let before = sound_now(stage).await?;
    let mut lines = Vec::new();
    let mut purchase = None;
    for point in points {
        let Some(whole_ms) = armed(&mut stage.world.provider, point).await? else {
            lines.push(Line::early("provider", point));
            continue;
        };
        // A point may be reached before anything is asked: work that is owed begins with the start.
        let went = tokio::select! {
            went = online(stage.world.provider.client()?) => Some(went),
            _ = stage.world.provider.ended() => None,
        };
        if purchase.is_none() && went.context("killed before anything was ordered")?.is_ok() {
            let mut buyer = stage.world.buyer.client()?;
            purchase = Some(order(&mut buyer, &stage.world.provider.pubkey, question).await?);
        }
        let fired = fired(&mut stage.world.provider).await;
        lines.push(Line {
            point: format!("provider@{point}"),
            fired,
            whole_ms,
        });
    }
    stage.world.provider.restart(UNARMED).await?;
    online(stage.world.provider.client()?).await?;
    let purchase = purchase.context("nothing was ordered")?;
    one_more_paid(stage, &purchase, &before).await?;
    Ok(lines)
}

/// Kills the buyer's host at each point in turn during one purchase, and sees the purchase through. An order whose
/// answer was lost is found in the history; one that was not durable is given again.
///
/// # Errors
/// What did not hold.
pub async fn buyer_during_job(stage: &mut Stage, points: &[String], question: &str) -> Result<Vec<Line>> {
    let before = sound_now(stage).await?;
    online(stage.world.provider.client()?).await?;
    let provider = stage.world.provider.pubkey.clone();
    let known = purchases(&mut stage.world.buyer.client()?).await?.len();
    let mut lines = Vec::new();
    for point in points {
        let Some(whole_ms) = armed(&mut stage.world.buyer, point).await? else {
            lines.push(Line::early("buyer", point));
            continue;
        };
        let mut client = stage.world.buyer.client()?;
        let asking = async {
            balance_when(&mut client, "a usable channel", |b| {
                b.channels.iter().any(|c| c.usable)
            })
            .await?;
            if purchases(&mut client).await?.len() == known {
                order(&mut client, &provider, question).await?;
            }
            anyhow::Ok(())
        };
        // What the killed host would have answered does not matter.
        let asked = tokio::select! {
            asked = asking => asked.is_ok(),
            _ = stage.world.buyer.ended() => false,
        };
        let fired = !asked || fired(&mut stage.world.buyer).await;
        lines.push(Line {
            point: format!("buyer@{point}"),
            fired,
            whole_ms,
        });
    }
    stage.world.buyer.restart(UNARMED).await?;
    let mut buyer = stage.world.buyer.client()?;
    let purchase = match purchases(&mut buyer).await?.split_at_checked(known) {
        Some((_, [purchase])) => purchase.clone(),
        other => bail!("one purchase was meant: {other:?}"),
    };
    one_more_paid(stage, &purchase, &before).await?;
    Ok(lines)
}

/// The purchases in the buyer's history, oldest first.
async fn purchases(buyer: &mut Client) -> Result<Vec<String>> {
    let request = pb::HistoryRequest {
        role: "buyer".to_owned(),
        limit: 500,
        ..Default::default()
    };
    let rows = buyer.history(request).await?.into_inner().rows;
    Ok(rows.into_iter().rev().map(|row| row.job_id).collect())
}

/// The purchase was paid once, and the provider counts one more job settled.
async fn one_more_paid(stage: &mut Stage, purchase: &str, before: &Sound) -> Result<()> {
    let reply = outcome(&mut stage.world.buyer.client()?, purchase).await?;
    ensure!(reply.paid_msat > 0, "the buyer did not pay: {reply:?}");
    settled(&mut stage.world.provider.client()?, before.settled + 1).await?;
    let after = sound_now(stage).await?;
    let counted = after.settled - before.settled;
    ensure!(counted == 1, "one job was paid, {counted} were counted");
    ensure!(
        after.difference_msat == 0,
        "wallet and ledger differ by {} msat",
        after.difference_msat
    );
    Ok(())
}

/// Starts a host that will kill itself at a point. Answers with the time until it served, in milliseconds, or with
/// nothing where it met the point before that: work that is owed begins at once.
async fn armed(host: &mut Child, point: &str) -> Result<Option<u128>> {
    let since = Instant::now();
    match host
        .restart(&[("AUTOPILOT_CRASH", &format!("host@{point}"))])
        .await
    {
        Ok(()) => Ok(Some(since.elapsed().as_millis())),
        Err(SandboxError::Host { cause, .. }) if cause.contains(point) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn fired(host: &mut Child) -> bool {
    tokio::time::timeout(CRASH_LIMIT, host.ended()).await.is_ok()
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
        let Some(whole_ms) = armed(&mut stage.world.provider, point).await? else {
            lines.push(Line::early("provider", point));
            continue;
        };
        let mut client = stage.world.provider.client()?;
        let asking = async {
            balance_when(&mut client, "a usable channel", |b| {
                b.channels.iter().any(|c| c.usable)
            })
            .await?;
            client.pay(pay.clone()).await.map_err(anyhow::Error::new)
        };
        let dead = tokio::select! {
            _ = stage.world.provider.ended() => true,
            answer = asking => {
                // What the killed host would have answered does not matter.
                drop(answer);
                false
            }
        };
        let fired = dead || fired(&mut stage.world.provider).await;
        lines.push(Line {
            point: format!("provider@{point}"),
            fired,
            whole_ms,
        });
    }
    stage.world.provider.restart(UNARMED).await?;
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
    let plan = format!("{target}@{point}");
    stage
        .world
        .provider
        .restart(&[("AUTOPILOT_CRASH", &plan)])
        .await?;
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
    stage.world.provider.restart(UNARMED).await?;
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
    stage.world.provider.restart(UNARMED).await?;
    let home = stage.world.provider.home.path().to_owned();
    stage.world.provider.stop_in_order().await;
    let sound = sound(&home).await?;
    stage.world.provider.restart(UNARMED).await?;
    Ok(sound)
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
