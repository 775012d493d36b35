//! One job, with the provider's or the buyer's host killed again and again.
use anyhow::{Context, Result, bail};
use autopilot_host::control::Client;
use autopilot_proto::control::v1 as pb;

use super::{Line, UNARMED, armed, fired, one_more_paid, online, sound_now};
use crate::stage::{Stage, balance_when, order};

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
