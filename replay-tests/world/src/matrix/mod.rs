//! The crash matrix: processes are killed at named points of the loop, the host is started again, and the questions
//! are asked of what it left.
mod child;
mod job;
mod withdrawal;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use autopilot_host::{
    control::Client,
    sandbox::{Child, SandboxError},
};
use autopilot_proto::control::v1 as pb;

pub use child::child_during_job;
pub use job::{buyer_during_job, provider_during_job};
pub use withdrawal::host_during_withdrawal;

use crate::{
    questions::{Sound, sound},
    stage::{Stage, outcome, settled},
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
pub(crate) const UNARMED: &[(&str, &str)] = &[("AUTOPILOT_CRASH", "")];

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
    pub(crate) fn early(who: &str, point: &str) -> Line {
        Line {
            point: format!("{who}@{point} (before it served)"),
            fired: true,
            whole_ms: 0,
        }
    }
}

/// The purchase was paid once, and the provider counts one more job settled.
pub(crate) async fn one_more_paid(stage: &mut Stage, purchase: &str, before: &Sound) -> Result<()> {
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
pub(crate) async fn armed(host: &mut Child, point: &str) -> Result<Option<u128>> {
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

pub(crate) async fn fired(host: &mut Child) -> bool {
    tokio::time::timeout(CRASH_LIMIT, host.ended()).await.is_ok()
}

/// Stops the provider in order, reads what it left, and starts it again.
pub(crate) async fn sound_now(stage: &mut Stage) -> Result<Sound> {
    stage.world.provider.restart(UNARMED).await?;
    let home = stage.world.provider.home.path().to_owned();
    stage.world.provider.stop_in_order().await;
    let sound = sound(&home).await?;
    stage.world.provider.restart(UNARMED).await?;
    Ok(sound)
}

pub(crate) async fn online(mut provider: Client) -> Result<()> {
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
