//! `demo --window`: the same world, and its provider is a window that a person drives. A buyer sends jobs whenever the
//! window is online; closing it ends everything.
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use autopilot_host::{
    control::Client,
    sandbox::{Options, Window, World},
};
use autopilot_proto::control::v1::{self as pb, watch_update::Answer};

use crate::{
    args,
    demo::{DEADLINE_S, check, request},
    hosts::{STOPPING, asked_to_stop, end_at_next_signal},
    say, world,
};

/// Between two jobs, so that each can be watched.
const PAUSE: Duration = Duration::from_secs(8);

pub async fn shown(args: args::Demo) -> anyhow::Result<()> {
    let program = std::env::current_exe()?.with_file_name("autopilot");
    ensure!(
        program.is_file(),
        "the window's program is not built: {} is missing",
        program.display()
    );
    let options = Options {
        window: Some(Window {
            program,
            environment: Vec::new(),
        }),
        ..world::options(&args.sandbox)?
    };
    println!("A window opens: the provider of a local world. regtest: these sats have no value.\n");
    let mut world = World::start(options, |step| println!("  starting {step} …")).await?;
    println!(
        "\nPress Go Online: a buyer then sends a job every few seconds. Closing the window ends everything."
    );
    let customer = Customer {
        provider: world.provider.client()?,
        buyer: world.buyer.client()?,
        options: world.options.clone(),
        pubkey: world.provider.pubkey.clone(),
    };
    let ended = tokio::select! {
        bought = customer.come(args.jobs) => bought.map(|()| None),
        () = asked_to_stop(false) => Ok(None),
        role = world.somebody_ended() => Ok(Some(role)),
    };
    say(STOPPING);
    end_at_next_signal();
    let home = world.provider.home.path().to_owned();
    // The window's own end is an order; anybody else's is a fault.
    let outcome = match ended? {
        Some("provider") if world.provider.stop_in_order().await => Ok(()),
        Some("provider") => Err("the window did not end in order; its log is in the provider's home folder"),
        Some(_) => Err("a host of the world ended by itself; its log is in its home folder"),
        None => Ok(()),
    };
    world.stop().await;
    if let Err(words) = outcome {
        bail!(words);
    }
    check(&home)
}

/// Who sends jobs.
struct Customer {
    provider: Client,
    buyer: Client,
    options: Options,
    pubkey: String,
}

impl Customer {
    /// Sends one job after the other for as long as the provider is online; this many, or without end. Then it waits.
    async fn come(mut self, most: Option<u32>) -> anyhow::Result<()> {
        for number in 1..=most.unwrap_or(u32::MAX) {
            self.online().await?;
            match self.buy(number).await {
                Ok(reply) if reply.paid_msat > 0 => {
                    println!("  job {number}: paid {} sat", reply.paid_msat / 1_000);
                }
                Ok(_) => println!("  job {number}: not paid; the window says why"),
                Err(error) => println!("  job {number}: {error:#}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
        std::future::pending().await
    }

    /// Done when the provider is online.
    async fn online(&mut self) -> anyhow::Result<()> {
        let request = pb::WatchRequest {
            views: vec!["status".to_owned()],
            ..pb::WatchRequest::default()
        };
        let mut updates = self.provider.watch(request).await?.into_inner();
        while let Some(update) = updates.message().await? {
            if let Some(Answer::Status(status)) = update.answer
                && status.state == "online"
            {
                return Ok(());
            }
        }
        bail!("the window ended")
    }

    async fn buy(&mut self, number: u32) -> anyhow::Result<pb::PurchaseReply> {
        let order = request(&self.options, &self.pubkey, number);
        let ordered = self.buyer.buy(order).await.context("the buyer could not order")?;
        let wait = pb::PurchaseRequest {
            purchase_id: ordered.into_inner().purchase_id,
            wait_s: DEADLINE_S,
        };
        Ok(self.buyer.purchase(wait).await?.into_inner())
    }
}
