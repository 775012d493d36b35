//! One withdrawal, with the host killed again and again.
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use autopilot_proto::control::v1 as pb;

use super::{Line, UNARMED, armed, fired, sound_now};
use crate::stage::{FEE_CEILING_MSAT, PATIENCE_S, Stage, balance, balance_when};

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
