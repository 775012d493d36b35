//! A wallet in trouble under a running host: no room, hanging, killed, cut from its chain, its channels closed by force.
//! In each: the words that a person reads, the fact that stays, and that no msat is lost or counted twice.
use std::{path::Path, time::Duration};

use autopilot_host::{config::Config, control::Client, sandbox::ChainKind};
use autopilot_proto::control::v1 as pb;
use autopilot_world_tests::{
    questions::sound,
    stage::{PRICE_MSAT, Stage, balance_when, order, outcome, settled},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    process::Command,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

/// Bound of one change of state; generous, since machines are shared, and a chain counts as fresh for a minute.
const PATIENCE: Duration = Duration::from_secs(180);

async fn status(client: &mut Client) -> pb::StatusReply {
    client.status(pb::StatusRequest {}).await.unwrap().into_inner()
}

/// Waits until some blocker says this. There is no event for what a wallet does not do.
async fn blocked(client: &mut Client, words: &str) -> pb::StatusReply {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let last = status(client).await;
        if last.blockers.iter().any(|blocker| blocker.contains(words)) {
            assert_ne!(last.state, "online", "it says that it earns: {last:?}");
            return last;
        }
        assert!(Instant::now() < deadline, "nobody says {words:?}: {last:?}");
        sleep(Duration::from_millis(200)).await;
    }
}

/// Waits until nothing is in the way any more.
async fn earning(client: &mut Client) {
    let deadline = Instant::now() + PATIENCE;
    while !status(client).await.blockers.is_empty() {
        assert!(
            Instant::now() < deadline,
            "still blocked: {:?}",
            status(client).await
        );
        sleep(Duration::from_millis(200)).await;
    }
}

/// Waits for a fact after this one, and answers with its payload.
async fn fact(client: &mut Client, after: u64, kind: &str) -> serde_json::Value {
    let request = pb::FollowRequest { after, limit: 0 };
    let mut facts = client.follow(request).await.unwrap().into_inner();
    let found = async {
        while let Some(fact) = facts.message().await.unwrap() {
            if fact.r#type == kind {
                return serde_json::from_str(&fact.json).unwrap();
            }
        }
        panic!("the host ended");
    };
    timeout(PATIENCE, found)
        .await
        .unwrap_or_else(|_| panic!("no {kind} after fact {after}"))
}

async fn head(client: &mut Client) -> u64 {
    status(client).await.basis.unwrap().sequence
}

/// The wallet process of a host.
fn wallet_of(host: u32) -> u32 {
    let children = std::fs::read_to_string(format!("/proc/{host}/task/{host}/children")).unwrap_or_default();
    let all = std::fs::read_dir(format!("/proc/{host}/task")).unwrap().flatten();
    let listed = all.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let pids: Vec<u32> = listed
        .chain([children])
        .flat_map(|text| {
            text.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<u32>>()
        })
        .collect();
    let runs = |pid: &u32| {
        std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.ends_with("autopilot-walletd"))
    };
    pids.into_iter().find(runs).expect("the host has a wallet")
}

async fn signal(name: &str, pid: u32) {
    assert!(
        Command::new("kill")
            .args([&format!("-{name}"), &pid.to_string()])
            .status()
            .await
            .unwrap()
            .success()
    );
}

/// A source of blocks that can be cut: passes everything on until it is dropped.
struct Pass {
    port: u16,
    task: JoinHandle<()>,
}

impl Pass {
    async fn to(port: u16, at: u16) -> Pass {
        let listener = TcpListener::bind(("127.0.0.1", at)).await.unwrap();
        let here = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            let mut links = tokio::task::JoinSet::new();
            while let Ok((mut one, _)) = listener.accept().await {
                links.spawn(async move {
                    if let Ok(mut other) = TcpStream::connect(("127.0.0.1", port)).await {
                        let _ = copy_bidirectional(&mut one, &mut other).await;
                    }
                });
            }
        });
        Pass { port: here, task }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn chain_port(config: &Config) -> u16 {
    let autopilot_host::config::Chain::Bitcoind { port, .. } = &config.chain else {
        panic!("the simulated chain answers bitcoind's calls")
    };
    *port
}

fn with_chain_port(path: &Path, port: u16) {
    let mut config = Config::read(path).unwrap();
    if let autopilot_host::config::Chain::Bitcoind { port: at, .. } = &mut config.chain {
        *at = port;
    }
    config.write(path).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_in_trouble_is_told_truly_and_recovers() {
    let mut stage = Stage::build(ChainKind::Simulated).await.unwrap();
    let chain = chain_port(&Config::read(&stage.world.provider.home.config_file()).unwrap());
    let pass = Pass::to(chain, 0).await;
    let port = pass.port;
    with_chain_port(&stage.world.provider.home.config_file(), port);
    stage.world.provider.restart(&[]).await.unwrap();
    stage.world.go_online().await.unwrap();
    let mut provider = stage.world.provider.client().unwrap();
    let mut buyer = stage.world.buyer.client().unwrap();
    let first = order(&mut buyer, &stage.world.provider.pubkey, "Say one.")
        .await
        .unwrap();
    assert_eq!(outcome(&mut buyer, &first).await.unwrap().paid_msat, PRICE_MSAT);
    settled(&mut provider, 1).await.unwrap();

    no_room(&mut provider).await;
    hanging_and_killed(&stage, &mut provider).await;
    let _pass = cut_from_the_chain(&mut provider, pass, chain).await;

    // After all of it: it earns again, and every msat is counted once.
    let second = order(&mut buyer, &stage.world.provider.pubkey, "Say two.")
        .await
        .unwrap();
    assert_eq!(outcome(&mut buyer, &second).await.unwrap().paid_msat, PRICE_MSAT);
    settled(&mut provider, 2).await.unwrap();
    with_chain_port(&stage.world.provider.home.config_file(), chain);
    stage.world.provider.restart(&[]).await.unwrap();
    stage.world.provider.stop_in_order().await;
    let sound = sound(stage.world.provider.home.path()).await.unwrap();
    assert_eq!(
        (sound.settled, sound.settled_msat, sound.difference_msat),
        (2, 2 * PRICE_MSAT, 0)
    );
    stage.strike().await;
}

/// Out of capacity: a job costs more than can arrive.
async fn no_room(provider: &mut Client) {
    let policy = provider
        .get_policy(pb::GetPolicyRequest::default())
        .await
        .unwrap()
        .into_inner()
        .policy
        .unwrap();
    let dear = pb::Policy {
        min_price_msat: 100_000_000_000,
        ..policy.clone()
    };
    provider
        .set_policy(pb::SetPolicyRequest { policy: Some(dear) })
        .await
        .unwrap();
    let told = blocked(provider, "it needs a channel with room").await;
    assert_eq!(told.state, "degraded");
    let can = provider
        .can_receive(pb::CanReceiveRequest {
            amount_msat: 100_000_000_000,
        })
        .await
        .unwrap()
        .into_inner();
    assert!(!can.yes && !can.reason.is_empty(), "{can:?}");
    provider
        .set_policy(pb::SetPolicyRequest { policy: Some(policy) })
        .await
        .unwrap();
    earning(provider).await;
}

/// A wallet that hangs is told so; a killed one is started again, and both are facts.
async fn hanging_and_killed(stage: &Stage, provider: &mut Client) {
    let wallet = wallet_of(stage.world.provider.pid().unwrap());
    let before = head(provider).await;
    signal("STOP", wallet).await;
    blocked(provider, "the wallet does not answer").await;
    signal("CONT", wallet).await;
    earning(provider).await;
    signal("KILL", wallet).await;
    fact(provider, before, "wallet.stopped").await;
    fact(provider, before, "wallet.started").await;
    let reconciled = fact(provider, before, "wallet.reconciled").await;
    assert_eq!(reconciled["difference_msat"], 0, "{reconciled}");
    earning(provider).await;
}

/// A wallet without its source of blocks earns nothing, says which source it is, and goes on when that is back.
async fn cut_from_the_chain(provider: &mut Client, pass: Pass, chain: u16) -> Pass {
    let port = pass.port;
    drop(pass);
    let told = blocked(provider, "source of blocks").await;
    assert_eq!(told.state, "degraded");
    assert!(!told.wallet_connected);
    let back = Pass::to(chain, port).await;
    earning(provider).await;
    back
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_closed_by_force_from_either_side_are_facts_and_followed() {
    let stage = Stage::build(ChainKind::Simulated).await.unwrap();
    stage.world.go_online().await.unwrap();
    let mut provider = stage.world.provider.client().unwrap();
    let mut buyer = stage.world.buyer.client().unwrap();
    let mut hub = stage.world.hub.client().unwrap();
    let bought = order(&mut buyer, &stage.world.provider.pubkey, "Say one.")
        .await
        .unwrap();
    assert_eq!(outcome(&mut buyer, &bought).await.unwrap().paid_msat, PRICE_MSAT);
    settled(&mut provider, 1).await.unwrap();

    // We close the provider's channel by force.
    let before = head(&mut provider).await;
    let ours = channel_with(&mut provider, "").await;
    close(&mut provider, &ours).await;
    let closed = fact(&mut provider, before, "wallet.channel_closed").await;
    assert!(
        closed["last_balance_msat"].as_u64().unwrap() >= PRICE_MSAT,
        "{closed}"
    );
    assert!(!closed["reason"].as_str().unwrap().is_empty(), "{closed}");
    let told = blocked(&mut provider, "no channel").await;
    assert_eq!(told.state, "degraded");
    let closing = balance_when(&mut provider, "closing", |balance| balance.closing_msat > 0);
    let closing = closing.await.unwrap();
    assert_eq!(
        (closing.channels.len(), closing.earned_msat),
        (0, PRICE_MSAT),
        "earnings stay: {closing:?}"
    );
    assert!(
        closing.closing.iter().all(|close| !close.why.is_empty()),
        "{closing:?}"
    );

    // Nothing is promised meanwhile: a job is not taken, and the reason says why.
    let before = head(&mut provider).await;
    order(&mut buyer, &stage.world.provider.pubkey, "Say no.")
        .await
        .unwrap();
    let refused = fact(&mut provider, before, "job.refused").await;
    assert!(
        refused["detail"].as_str().unwrap().contains("no channel"),
        "{refused}"
    );

    // The hub closes the buyer's channel by force.
    let before = head(&mut buyer).await;
    let theirs = channel_with(&mut hub, &stage.world.buyer.node_id).await;
    close(&mut hub, &theirs).await;
    let closed = fact(&mut buyer, before, "wallet.channel_closed").await;
    assert!(closed["last_balance_msat"].as_u64().unwrap() > 0, "{closed}");
    assert!(!closed["reason"].as_str().unwrap().is_empty(), "{closed}");

    // Both are followed to the chain: what was ours comes back, less fees.
    for client in [&mut provider, &mut buyer] {
        on_chain_again(&stage, client).await;
    }

    // With a new channel it earns again.
    let deadline = Instant::now() + PATIENCE;
    // A hub that is behind the chain opens nothing: it is asked again.
    while let Err(error) = stage.world.open_provider_channel().await {
        assert!(Instant::now() < deadline, "no new channel: {error}");
        sleep(Duration::from_millis(500)).await;
    }
    earning(&mut provider).await;
    stage.strike().await;
}

/// Mines until nothing is closing any more and there are sats on chain. Sweeps wait for blocks, not for time.
async fn on_chain_again(stage: &Stage, client: &mut Client) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        stage.world.mine(6).unwrap();
        let balance = balance_when(client, "figures", |_| true).await.unwrap();
        if balance.closing_msat == 0 && balance.onchain_sat > 0 {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "the sats never came back to the chain: {balance:?}"
        );
        sleep(Duration::from_millis(300)).await;
    }
}

async fn channel_with(client: &mut Client, peer: &str) -> String {
    let balance = balance_when(client, "a channel", |balance| {
        balance.channels.iter().any(|c| c.counterparty.starts_with(peer))
    })
    .await;
    let channels = balance.unwrap().channels;
    channels
        .into_iter()
        .find(|channel| channel.counterparty.starts_with(peer))
        .unwrap()
        .channel_id
}

async fn close(client: &mut Client, channel: &str) {
    let request = pb::CloseChannelRequest {
        channel_id: channel.to_owned(),
        force: true,
        ..Default::default()
    };
    client.close_channel(request).await.unwrap();
}
