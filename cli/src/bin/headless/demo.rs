//! `demo`: the paid loop as a story. Ends by itself, and fails if a job was not paid or the withdrawal failed.
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use autopilot_host::{
    control::Client,
    sandbox::{Options, World},
};
use autopilot_proto::control::v1 as pb;

use crate::{
    args,
    hosts::{STOPPING, asked_to_stop, end_at_next_signal},
    ladder::Ladder,
    shown, world,
};

/// What a job is asked; varied by number so that no two requests are alike.
const QUESTIONS: [&str; 5] = [
    "What is a lightning invoice? Answer in one sentence.",
    "Name three colours.",
    "Write one sentence about the sea.",
    "What is two plus two?",
    "Say hello in French.",
];
/// Jobs of a story, where nobody says how many.
const JOBS: u32 = 5;
const TOKENS: u32 = 24;
const CATCH_UP: Duration = Duration::from_secs(10);
/// How long a job of the demo may take, in seconds.
pub const DEADLINE_S: u32 = 300;
/// Fee ceiling of a payment within the sandbox, in msat.
pub const FEE_CEILING_MSAT: u64 = 5_000;

pub async fn demo(args: args::Demo) -> anyhow::Result<()> {
    if args.window {
        return shown::shown(args).await;
    }
    let options = world::options(&args.sandbox)?;
    println!(
        "Autopilot on a local {} chain. regtest: these sats have no value.\n",
        options.chain.name()
    );
    let started = Instant::now();
    let world = World::start(options, |step| println!("  starting {step} …")).await?;
    let told = tokio::select! {
        told = tell(&world, args.jobs.unwrap_or(JOBS)) => told,
        () = asked_to_stop(false) => Err(anyhow::anyhow!("interrupted; {STOPPING}")),
    };
    end_at_next_signal();
    let home = world.options.home.clone();
    let provider = world.provider.home.path().to_owned();
    println!("\nStopping everything …");
    world.stop().await;
    told?;
    check(&provider)?;
    println!(
        "\nDone in {} s. Everything is left to look at in {}:",
        started.elapsed().as_secs(),
        home.display()
    );
    println!("  {} --home {} ledger tail", ctl()?.display(), provider.display());
    println!("regtest: these sats have no value.");
    Ok(())
}

async fn tell(world: &World, jobs: u32) -> anyhow::Result<()> {
    let online = world.go_online().await?;
    println!(
        "\nThe provider is {} with {}: {} sat a job.\n",
        online.state,
        online.model,
        online.price_msat / 1_000
    );
    let mut provider = world.provider.client()?;
    let mut ladder = Ladder::follow(&mut provider).await?;
    let mut buyer = world.buyer.client()?;
    for number in 1..=jobs {
        let purchase = buy(&mut buyer, world, number).await?;
        ladder.until_over(number).await?;
        let request = pb::PurchaseRequest {
            purchase_id: purchase,
            wait_s: DEADLINE_S,
        };
        let answer = buyer.purchase(request).await?.into_inner();
        ensure!(answer.over, "the buyer does not know that job {number} is over");
        println!("           “{}”", one_line(&answer.result));
        let balance = settled_balance(&mut provider).await?;
        println!(
            "           earned {} sat, spendable {} sat",
            sats(balance.earned_msat),
            sats(balance.spendable_msat)
        );
    }
    ensure!(
        ladder.lost.is_empty(),
        "{} of {jobs} jobs were not paid: {}",
        ladder.lost.len(),
        ladder.lost.join("; ")
    );
    withdraw(world, &mut provider).await
}

async fn buy(buyer: &mut Client, world: &World, number: u32) -> anyhow::Result<String> {
    let request = request(&world.options, &world.provider.pubkey, number);
    Ok(buyer
        .buy(request)
        .await
        .context("the buyer could not order")?
        .into_inner()
        .purchase_id)
}

/// The job of a number, ordered of a provider.
pub fn request(options: &Options, provider: &str, number: u32) -> pb::BuyRequest {
    let question = QUESTIONS[(number as usize - 1) % QUESTIONS.len()];
    let pay_first = options.order == "pay-first";
    pb::BuyRequest {
        input: format!("{question} ({number})"),
        kind: 5050,
        budget_msat: options.price_msat,
        fee_ceiling_msat: FEE_CEILING_MSAT,
        deadline_s: DEADLINE_S,
        provider: provider.to_owned(),
        pay_first_ceiling_msat: if pay_first { options.price_msat } else { 0 },
        max_tokens: TOKENS,
        ..pb::BuyRequest::default()
    }
}

/// The balance once the channel has caught up with what is settled: the last payment's commitment is on its way for
/// some milliseconds, and there is no event for it. Bounded; then the balance as it is.
async fn settled_balance(provider: &mut Client) -> anyhow::Result<pb::BalanceReply> {
    let deadline = Instant::now() + CATCH_UP;
    loop {
        let balance = provider.balance(pb::BalanceRequest {}).await?.into_inner();
        let owed = balance
            .received_msat
            .saturating_sub(balance.sent_msat + balance.fees_msat);
        if balance.spendable_msat >= owed || Instant::now() >= deadline {
            return Ok(balance);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Everything earned goes to an invoice of the hub.
async fn withdraw(world: &World, provider: &mut Client) -> anyhow::Result<()> {
    let before = settled_balance(provider).await?;
    let amount_msat = before.earned_msat.min(before.spendable_msat);
    println!(
        "\nWithdrawing {} sat to an invoice of the hub …",
        sats(amount_msat)
    );
    let receive = pb::ReceiveRequest {
        amount_msat,
        description: "withdrawal".to_owned(),
        ..Default::default()
    };
    let invoice = world.hub.client()?.receive(receive).await?.into_inner();
    let pay = pb::PayRequest {
        payment_request: invoice.payment_request,
        amount_msat: None,
        fee_ceiling_msat: FEE_CEILING_MSAT,
        wait_s: 60,
    };
    let paid = provider
        .pay(pay)
        .await
        .context("the withdrawal was refused")?
        .into_inner();
    if paid.status != "succeeded" {
        bail!("the withdrawal is {}: {}", paid.status, paid.reason);
    }
    let after = provider.balance(pb::BalanceRequest {}).await?.into_inner();
    println!(
        "  withdrawn {} sat, fee {} msat, preimage {}…\n  earned {} sat for ever, spendable {} sat now",
        sats(paid.amount_msat.unwrap_or(0)),
        paid.fee_msat.unwrap_or(0),
        paid.preimage.get(..16).unwrap_or(&paid.preimage),
        sats(after.earned_msat),
        sats(after.spendable_msat),
    );
    ensure!(
        amount_msat == before.earned_msat,
        "only {} sat of {} earned could be withdrawn",
        sats(amount_msat),
        sats(before.earned_msat)
    );
    Ok(())
}

/// Verifies and replays what a host left.
pub fn check(home: &Path) -> anyhow::Result<()> {
    println!("Checking the ledger without the program that wrote it:");
    ledger(home, "verify")?;
    ledger(home, "replay")
}

/// `autopilotctl`, beside this program.
fn ctl() -> anyhow::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("autopilotctl"))
}

/// Runs `autopilotctl ledger …` on a home without a host.
fn ledger(home: &Path, what: &str) -> anyhow::Result<()> {
    let program = ctl()?;
    println!("\n$ autopilotctl ledger {what}");
    let status = Command::new(&program)
        .arg("--home")
        .arg(home)
        .args(["ledger", what])
        .status()
        .with_context(|| format!("{} can't be run", program.display()))?;
    ensure!(status.success(), "ledger {what} found something wrong ({status})");
    Ok(())
}

fn sats(msat: u64) -> u64 {
    msat / 1_000
}

/// A model's words on one short line.
fn one_line(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = flat.chars().filter(|c| !c.is_control()).take(90).collect();
    if short.len() < flat.len() {
        short.push('…');
    }
    short
}
