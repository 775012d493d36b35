//! `roundtrip`: paid jobs one way, then the roles flip and what was earned is spent back. Leaves `summary.json` and
//! `summary.txt`, and fails if anything in them does not add up.
mod leg;
mod summary;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use autopilot_host::{
    audit::Audit,
    sandbox::{Child, Options, World},
};
use autopilot_proto::control::v1 as pb;

use crate::{args, hosts::asked_to_stop, world};
use leg::{Leg, Side};
use summary::{Ledger, Summary, Wallets};

const CATCH_UP: Duration = Duration::from_secs(10);

pub async fn roundtrip(args: args::Roundtrip) -> anyhow::Result<()> {
    let options = Options {
        buyer_serves: true,
        ..world::options(&args.sandbox)?
    };
    let out = args.out.clone().unwrap_or_else(|| options.home.clone());
    println!(
        "Roundtrip on a local {} chain. regtest: these sats have no value.",
        options.chain.name()
    );
    let mut summary = Summary::new(&options, args.jobs);
    let world = summary
        .phase(
            "world",
            World::start(options, |step| println!("  starting {step} …")),
        )
        .await?;
    let done = tokio::select! {
        done = there_and_back(&world, &mut summary) => done,
        () = asked_to_stop(false) => Err(anyhow::anyhow!("interrupted")),
    };
    let homes = [&world.provider, &world.buyer].map(|host| host.home.path().to_owned());
    summary
        .phase("stop", async {
            world.stop().await;
            anyhow::Ok(())
        })
        .await?;
    if let Err(error) = done {
        summary.problem(format!("{error:#}"));
    }
    let [provider, buyer] = homes;
    let ledgers = async { anyhow::Ok([audited(&provider).await?, audited(&buyer).await?]) };
    let [provider, buyer] = summary.phase("check", ledgers).await?;
    summary.ledgers = [("provider", provider), ("buyer", buyer)].into();
    summary.judge();
    summary.write(&out)?;
    print!("\n{}", summary.text());
    println!("\nThe same in {}", out.join("summary.json").display());
    ensure!(
        summary.ok,
        "the roundtrip did not go as it should: {}",
        summary.problems.join("; ")
    );
    Ok(())
}

/// Both legs, with a look at every wallet before, between and after.
async fn there_and_back(world: &World, summary: &mut Summary) -> anyhow::Result<()> {
    summary
        .phase("online", async { anyhow::Ok(world.go_online().await?) })
        .await?;
    let pay_first = world.options.order == "pay-first";
    let mut provider = Side::of("provider", &world.provider)?;
    let mut buyer = Side::of("buyer", &world.buyer)?;
    let jobs = summary.jobs;
    let price_msat = summary.price_msat;

    summary.wallets.before = Some(wallets(world, None).await?);
    leg::check_funding(&mut provider, &mut buyer, jobs, price_msat).await?;
    println!(
        "\n{jobs} jobs of {} sat: the buyer pays the provider …",
        price_msat / 1_000
    );
    let out = Leg::run("out", &mut provider, &mut buyer, jobs, price_msat, pay_first);
    let out = summary.phase("out", out).await?;
    let (paid, fee_msat) = (out.paid, out.fee_of_a_job_msat());
    summary.legs.push(out);
    summary.wallets.between = Some(wallets(world, summary.wallets.before.as_ref()).await?);

    // What a job brought has to pay for one on the way back, with its fee.
    let back_msat = price_msat.saturating_sub(fee_msat);
    summary
        .phase("flip", flip(&mut provider, &mut buyer, back_msat))
        .await?;
    leg::check_funding(&mut buyer, &mut provider, paid, back_msat).await?;
    println!(
        "{paid} jobs of {} sat: the provider pays the buyer …",
        back_msat / 1_000
    );
    let back = Leg::run("back", &mut buyer, &mut provider, paid, back_msat, pay_first);
    let back = summary.phase("back", back).await?;
    summary.legs.push(back);
    summary.wallets.after = Some(wallets(world, summary.wallets.before.as_ref()).await?);
    Ok(())
}

/// Who sold goes offline; who bought sets its price and goes online.
async fn flip(sold: &mut Side, bought: &mut Side, price_msat: u64) -> anyhow::Result<()> {
    let offline = pb::GoOfflineRequest {
        reason: "the roles are flipped".to_owned(),
    };
    sold.client.go_offline(offline).await?;
    let policy = bought
        .client
        .get_policy(pb::GetPolicyRequest::default())
        .await?
        .into_inner()
        .policy;
    let mut policy = policy.context("the buyer has no policy to serve by")?;
    policy.min_price_msat = price_msat;
    bought
        .client
        .set_policy(pb::SetPolicyRequest { policy: Some(policy) })
        .await?;
    let online = pb::GoOnlineRequest { wait_s: 120 };
    bought
        .client
        .go_online(online)
        .await
        .context("the buyer could not go online")?;
    Ok(())
}

/// Every wallet, once the channels have caught up with the payments since `before`: the last one's commitment is on its
/// way for some milliseconds, and there is no event for it. Bounded; then as they are.
async fn wallets(world: &World, before: Option<&Wallets>) -> anyhow::Result<Wallets> {
    let deadline = Instant::now() + CATCH_UP;
    loop {
        let now = Wallets {
            provider: balance(&world.provider).await?,
            buyer: balance(&world.buyer).await?,
            hub: balance(&world.hub).await?,
        };
        let caught_up = before.is_none_or(|before| now.unexplained_since(before).is_empty());
        if caught_up || Instant::now() >= deadline {
            return Ok(now);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn balance(host: &Child) -> anyhow::Result<pb::BalanceReply> {
    Ok(host.client()?.balance(pb::BalanceRequest {}).await?.into_inner())
}

/// The ledger of a home, checked without the program that wrote it.
async fn audited(home: &Path) -> anyhow::Result<Ledger> {
    let audit = Audit::open(home).await?;
    let verdict = audit.verify(&mut |_| {}).await?;
    let replay = audit.replay(None, &mut |_| {}).await?;
    Ok(Ledger {
        facts: verdict.facts,
        verified: verdict.ok,
        replayed: replay.agrees(),
    })
}
