//! Kills, restarts and closed channels: the channel comes back, or the sats are followed to the chain and spent there.
#![allow(clippy::unwrap_used)]
mod world;

use std::{path::Path, time::Duration};

use autopilot_core::ports::wallet::{
    Balances, OnchainAmount, OnchainRole, PaymentStatus, Wallet, WalletErrorCode, WalletEvent,
    WalletEventKind,
};
use autopilot_events::words::Msat;
use autopilot_lightning::{SpawnError, WalletProcess};
use world::{Actor, PUSH, World, msat, until, usable, walletd};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_wallet_comes_back_with_its_channel_and_its_event() {
    let (mut world, _) = World::start().await;
    let invoice = world
        .provider
        .client
        .create_invoice("before", msat(10), "a job", 600)
        .await
        .unwrap();
    assert_eq!(
        world.hub.pay(&invoice.bolt11).await.status,
        PaymentStatus::Succeeded
    );
    let first = world.provider.events.recv().await.unwrap();
    assert!(
        matches!(first.kind, WalletEventKind::PaymentReceived { .. }),
        "{first:?}"
    );
    // Idle again, then the plug is pulled: the event was seen and never acknowledged.
    until("idle", async || {
        (world.provider.client.balances().await.unwrap().spendable == msat(10)).then_some(())
    })
    .await;
    // The engine writes its channel manager a moment after the channel has settled, and says nothing when it has. A
    // kill inside that moment can close the channel by force, which is the other test's story.
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.provider.kill().await;
    world.provider.restart().await;
    let second = payment_event(&mut world.provider).await;
    assert_eq!(first, second, "the same event under the same id");
    assert!(world.provider.client.ack_event(second.id).await.unwrap());
    // LDK may put it on the queue once more after a kill, under the same id; an id of nothing is never current.
    assert!(!world.provider.client.ack_event([0; 32]).await.unwrap());

    usable(&world.provider).await;
    usable(&world.hub).await;
    let same = world
        .provider
        .client
        .create_invoice("before", msat(10), "a job", 600)
        .await
        .unwrap();
    assert_eq!(same.bolt11, invoice.bolt11);
    let next = world
        .provider
        .client
        .create_invoice("after", msat(10), "a job", 600)
        .await
        .unwrap();
    assert_eq!(world.hub.pay(&next.bolt11).await.status, PaymentStatus::Succeeded);
    assert_eq!(world.provider.received(next.payment_hash).await, msat(10));
    world.stop().await;
}

/// The current event, once it is a payment: earlier ones may still be repeated from before they were acknowledged.
async fn payment_event(actor: &mut Actor) -> WalletEvent {
    loop {
        let event = actor.events.recv().await.unwrap();
        if matches!(event.kind, WalletEventKind::PaymentReceived { .. }) {
            return event;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_folder_has_one_wallet_and_a_cut_leash_ends_it() {
    let (mut world, _) = World::start().await;
    let mut second = world.provider.config.clone();
    second.lock_timeout_s = 0;
    second.socket = second.socket.with_file_name("second.sock");
    let refused = WalletProcess::spawn(&second, &walletd()).await.unwrap_err();
    assert!(
        matches!(&refused, SpawnError::Refused { code, .. } if code == "locked"),
        "{refused}"
    );

    // A dead parent: the leash closes with it, and nothing is left running.
    let process = world.provider.process.take().unwrap();
    let pid = process.pid().unwrap();
    drop(process);
    until("the process to end", async || (!is_running(pid)).then_some(())).await;
    world.provider.restart().await;
    world.stop().await;
}

/// Running, and no zombie that its parent has yet to bury.
fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    stat.is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with('Z'))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_chain_is_said() {
    let (world, _) = World::start().await;
    let mut config = world.provider.config.clone();
    config.wallet_dir = config.wallet_dir.with_file_name("other");
    config.socket = config.socket.with_file_name("other.sock");
    config.start_timeout_s = 1;
    if let autopilot_lightning::ChainSource::BitcoindRpc { port, .. } = &mut config.chain {
        let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        *port = free.local_addr().unwrap().port();
    }
    let refused = WalletProcess::spawn(&config, &walletd()).await.unwrap_err();
    assert!(
        matches!(&refused, SpawnError::Refused { code, .. } if code == "chain-unreachable"),
        "{refused}"
    );
    world.stop().await;
}

/// Gives the provider 5,000 sat beside the push, and its channel's id.
async fn earn(world: &mut World) -> [u8; 32] {
    let invoice = world
        .provider
        .client
        .create_invoice("earn", msat(5_000), "a job", 600)
        .await
        .unwrap();
    assert_eq!(
        world.hub.pay(&invoice.bolt11).await.status,
        PaymentStatus::Succeeded
    );
    assert_eq!(world.provider.received(invoice.payment_hash).await, msat(5_000));
    until("settled", async || {
        let balances = world.provider.client.balances().await.unwrap();
        (balances.spendable == msat(5_000) && balances.reserved == PUSH).then_some(())
    })
    .await;
    // The funding must be on chain before what closes it can be.
    world.mine(6).await;
    let hub = world.hub.client.balances().await.unwrap();
    assert_eq!(
        hub.onchain_confirmed_sat, hub.onchain_total_sat,
        "the funding is in a block: {hub:?}"
    );
    assert!(
        (9_890_000..9_900_000).contains(&hub.onchain_confirmed_sat),
        "{hub:?}"
    );
    world.provider.client.balances().await.unwrap().channels[0].channel_id
}

/// What is ours in any form: each satoshi once.
fn worth(balances: &Balances) -> u64 {
    let lightning = [
        balances.spendable,
        balances.reserved,
        balances.offline,
        balances.closing,
    ];
    lightning.iter().map(|msat| msat.0).sum::<u64>() / 1_000 + balances.onchain_confirmed_sat
}

async fn follow_to_the_chain(
    world: &mut World,
    channel: [u8; 32],
    cooperative: bool,
    blocks: u32,
    fees_sat: u64,
    to: &str,
) {
    let balance = world
        .provider
        .event("channel closed", |kind| match kind {
            WalletEventKind::ChannelClosed {
                channel_id,
                balance,
                cooperative: by_both,
                ..
            } if *channel_id == channel => {
                assert_eq!(*by_both, cooperative);
                Some(*balance)
            }
            _ => None,
        })
        .await;
    assert_eq!(balance, Msat(6_000_000));
    until("the closing transaction", async || {
        (world.chain.mempool_len() > 0).then_some(())
    })
    .await;
    let mut stages = Vec::new();
    for _ in 0..blocks {
        world.mine(1).await;
        // Between two of LDK's books an output can be in neither for a moment, and a pass over the chain that was
        // under way does not know the new block yet.
        until("each satoshi counted once", async || {
            let balances = world.provider.client.balances().await.unwrap();
            let worth = worth(&balances);
            assert!(worth <= 6_000, "a satoshi counted twice: {balances:?}");
            (worth >= 6_000 - fees_sat)
                .then_some(())
                .ok_or(format!("{balances:?}"))
        })
        .await;
        let balances = world.provider.client.balances().await.unwrap();
        for close in &balances.pending_closes {
            assert_eq!(close.channel_id, Some(channel));
            assert!(!close.why.is_empty());
            if stages.last() != Some(&close.stage) {
                stages.push(close.stage.clone());
            }
        }
    }
    let sats = until("the sats on chain", async || {
        world.mine(1).await;
        let balances = world.provider.client.balances().await.unwrap();
        (balances.closing == Msat(0) && balances.onchain_spendable_sat > 0)
            .then_some(balances.onchain_spendable_sat)
    })
    .await;
    assert!(
        (6_000 - fees_sat..=6_000).contains(&sats),
        "{sats} sat came back; {stages:?}"
    );
    assert!(
        stages
            .iter()
            .any(|stage| stage == "awaiting-delay" || stage == "paid-out"),
        "{stages:?}"
    );

    let client = &world.provider.client;
    let sent = client
        .send_onchain("sweep-out", to, OnchainAmount::Sat(1_000))
        .await
        .unwrap();
    let again = client
        .send_onchain("sweep-out", to, OnchainAmount::Sat(1_000))
        .await
        .unwrap();
    assert_eq!((sent.txid.clone(), true), (again.txid, again.existed));
    let other = client
        .send_onchain("sweep-out", to, OnchainAmount::All)
        .await
        .unwrap_err();
    assert_eq!(other.code, WalletErrorCode::Conflict);
    let txid = sent.txid.unwrap().parse().unwrap();
    until("the send in the mempool", async || {
        (world.chain.mempool_len() > 0).then_some(())
    })
    .await;
    world.mine(1).await;
    assert!(world.chain.is_confirmed(&txid));

    // The wallet tells what each of its transactions was, so that books can be kept of them.
    let listed = client.transactions(None).await.unwrap();
    assert_eq!(listed.next, None);
    let (out, paid_out): (Vec<_>, Vec<_>) = listed.transactions.iter().partition(|one| one.outbound);
    let arrived_sat: u64 = paid_out.iter().map(|one| one.amount_sat).sum();
    assert_eq!(arrived_sat, sats, "{listed:?}");
    for one in paid_out {
        assert_eq!(
            (one.role, one.channel_id),
            (OnchainRole::ChannelClose, Some(channel))
        );
    }
    let [send] = out[..] else { panic!("{listed:?}") };
    assert_eq!((send.role, send.amount_sat), (OnchainRole::Send, 1_000));
    let left_sat = client.balances().await.unwrap().onchain_confirmed_sat;
    assert_eq!(left_sat, sats - send.amount_sat - send.fee_sat);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_closed_together_pays_out_on_chain() {
    let (mut world, _) = World::start().await;
    let channel = earn(&mut world).await;
    world.provider.client.close_channel(channel, false).await.unwrap();
    let to = world.hub.client.new_onchain_address().await.unwrap();
    follow_to_the_chain(&mut world, channel, true, 8, 500, &to).await;
    let mut hubs = world.hub.client.transactions(None).await.unwrap().transactions;
    hubs.retain(|one| one.role == OnchainRole::ChannelFunding);
    let [funding] = &hubs[..] else { panic!("{hubs:?}") };
    assert_eq!((funding.outbound, funding.channel_id), (true, Some(channel)));
    assert!(
        funding.amount_sat == 100_000 && funding.fee_sat > 0,
        "{funding:?}"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_close_is_followed_to_the_final_sweep_without_the_hub() {
    let (mut world, _) = World::start().await;
    let channel = earn(&mut world).await;
    let to = world.hub.client.new_onchain_address().await.unwrap();
    world.hub.kill().await;
    tokio::time::timeout(
        Duration::from_secs(20),
        world.provider.client.close_channel(channel, true),
    )
    .await
    .unwrap()
    .unwrap();
    // 144 blocks of delay for our own commitment, then the sweep.
    follow_to_the_chain(&mut world, channel, false, 160, 1_500, &to).await;
    world.provider.stop().await;
}
