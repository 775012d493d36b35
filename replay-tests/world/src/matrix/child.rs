//! One job, with the worker or the wallet killed under the host.
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use autopilot_proto::control::v1 as pb;

use super::{Line, UNARMED, online, sound_now};
use crate::stage::{Stage, balance, balance_when, order, outcome, settled};

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
