//! From nothing to sats withdrawn, by keys alone: the window sets up a home that was not there, and earns with it.
use std::{path::Path, process::Stdio, time::Duration};

use autopilot_host::{
    config::Chain,
    control::{self, Client},
    home::control_socket,
    sandbox::{ChainKind, PROVIDER_CHANNEL_SAT, PROVIDER_PUSH_MSAT},
};
use autopilot_proto::control::v1::{self as pb, watch_update::Answer};
use autopilot_world_tests::{
    questions::sound,
    stage::{PRICE_MSAT, Stage, balance_when, model, order, outcome, program, settled},
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use super::{Desktop, Display, PATIENCE, marked, state, watched, withdraw};

/// A block comes so often while the channel is waited for.
const MINE_AGAIN: Duration = Duration::from_millis(500);

const PASSPHRASE: &str = "correct horse battery staple";

/// The window on a home that is not there yet. Bitcoin Core's password has no place on a screen: the chain is named beside it.
fn open(display: &Display, desktop: &Desktop, home: &Path, chain: &Chain, mark: (&str, &str)) -> Child {
    let Chain::Bitcoind {
        host,
        port,
        user,
        password,
    } = chain
    else {
        panic!("the world's chain speaks as Bitcoin Core does: {chain:?}");
    };
    Command::new(program("autopilot").unwrap())
        .arg("--home")
        .arg(home)
        .args(["--bitcoind", &format!("{host}:{port}"), "--leash"])
        .env("AUTOPILOT_BITCOIND_USER", user)
        .env("AUTOPILOT_BITCOIND_PASSWORD", password)
        .env("DISPLAY", &display.name)
        .env("DBUS_SESSION_BUS_ADDRESS", &desktop.address)
        .env(mark.0, mark.1)
        .env_remove("AUTOPILOT_MODEL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Takes what the palette offers under these words.
async fn choose(display: &Display, words: &str) {
    display.keys(&["ctrl+k"]).await;
    display.types(words).await;
    display.keys(&["Return"]).await;
}

/// Fills the page of the first run in, field by field as the palette finds them, and asks for the home to be made by its button.
async fn set_up(display: &Display, stage: &Stage, pictures: &Path) {
    let hub = &stage.world.hub;
    let peer = format!("{}@{}", hub.node_id, hub.node_addresses[0]);
    choose(display, "network: regtest").await;
    choose(display, "protect by: a passphrase").await;
    let price = (PRICE_MSAT / 1_000).to_string();
    let model = model().unwrap();
    // The source of blocks is the command line's.
    let fields = [
        ("or a model file of your own", model.to_str().unwrap()),
        ("price of a job", &price),
        ("passphrase", PASSPHRASE),
        ("once more", PASSPHRASE),
        ("relays", &stage.world.relays[0]),
        ("peers that open channels", &peer),
    ];
    for (field, typed) in fields {
        choose(display, &format!("write into: {field}")).await;
        display.keys(&["ctrl+a"]).await;
        display.types(typed).await;
    }
    display.picture(pictures, "first-run").await;
    // The button behind the last field.
    display.keys(&["Tab", "space"]).await;
}

/// The hub opens a channel to a wallet that is connected to it.
async fn open_channel(stage: &Stage, node_id: &str) {
    let mut hub = stage.world.hub.client().unwrap();
    let connected = async {
        let request = pb::OpenChannelRequest {
            node_id: node_id.to_owned(),
            // It came by itself: nobody has to be called there.
            address: "127.0.0.1:9".to_owned(),
            capacity_sat: PROVIDER_CHANNEL_SAT,
            push_msat: PROVIDER_PUSH_MSAT,
            dry_run: false,
        };
        loop {
            match hub.open_channel(request.clone()).await {
                Ok(reply) => return reply.into_inner(),
                // It connects by itself, which is no fact.
                Err(status) if control::told(&status).code == "peer-unreachable" => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Err(status) => panic!("{status}"),
            }
        }
    };
    assert!(timeout(PATIENCE, connected).await.unwrap().opened);
}

/// What the window says of its frames, once it has.
async fn drawn(provider: &mut Client) -> pb::Frames {
    let told = async {
        loop {
            // The host answers after that moment.
            let request = pb::PerfRequest { over_ms: 500 };
            if let Some(frames) = provider.perf(request).await.unwrap().into_inner().frames {
                return frames;
            }
        }
    };
    timeout(PATIENCE, told)
        .await
        .expect("the window tells of its frames")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_run_by_keys_earns_is_paid_and_withdraws() {
    let display = Display::start().await;
    let mut desktop = Desktop::start().await;
    let folder = tempfile::Builder::new().prefix("ap").tempdir_in("/tmp").unwrap();
    let home = folder.path().join("h");
    let mark = format!("first-run-{}", std::process::id());
    let mark = ("AUTOPILOT_TEST_MARK", mark.as_str());
    let stage = Stage::build(ChainKind::Simulated).await.unwrap();

    let mut window = open(&display, &desktop, &home, &stage.world.chain_config(), mark);
    let mut lines = BufReader::new(window.stdout.take().unwrap()).lines();
    set_up(&display, &stage, folder.path()).await;
    // It says what it is once everything runs.
    let ready = timeout(PATIENCE, lines.next_line()).await;
    let Ok(Ok(Some(ready))) = ready else {
        display.picture(folder.path(), "first-run-failed").await;
        panic!("no home was set up: {ready:?}");
    };
    let ready: Value = serde_json::from_str(&ready).unwrap();
    let mut provider = control::client(&control_socket(&home)).unwrap();
    display.title("offline").await;

    open_channel(&stage, ready["node_id"].as_str().unwrap()).await;
    let usable = watched(&mut provider, "status", |answer| match answer {
        Answer::Status(status) => (status.wallet_connected && status.blockers.is_empty()).then_some(()),
        _ => None,
    });
    // The funding may reach the chain only after a block: another one comes until the channel can be used.
    let blocks = async {
        loop {
            stage.world.mine(1).unwrap();
            tokio::time::sleep(MINE_AGAIN).await;
        }
    };
    tokio::select! {
        () = usable => {}
        never = blocks => never,
    }
    display.picture(folder.path(), "ready-to-earn").await;
    display.keys(&["ctrl+g"]).await;
    state(&mut provider, "online").await;
    display.title("online").await;
    desktop.tray_says("Autopilot: online, 0 sats today").await;

    let mut buyer = stage.world.buyer.client().unwrap();
    let pubkey = ready["pubkey"].as_str().unwrap();
    for (jobs, text) in [(1, "Name three colours."), (2, "Name three numbers.")] {
        let purchase = order(&mut buyer, pubkey, text).await.unwrap();
        let bought = outcome(&mut buyer, &purchase).await.unwrap();
        assert_eq!(bought.paid_msat, PRICE_MSAT, "{bought:?}");
        let earned_msat = jobs * PRICE_MSAT;
        assert_eq!(
            settled(&mut provider, jobs).await.unwrap().earned_msat,
            earned_msat
        );
        let today = format!("Autopilot: online, {} sats today", earned_msat / 1_000);
        desktop.tray_says(&today).await;
        if jobs == 1 {
            display.title("Your first 10 sats!").await;
            display.picture(folder.path(), "first-sats").await;
            // It asks whether to tell on the desktop; "Yes" is the first thing that Tab reaches.
            assert_eq!(desktop.told(), 0, "nobody is told before it was asked for");
            display.keys(&["Tab", "Return", "Escape"]).await;
        }
    }
    let told = format!(
        "Autopilot: {} sats received: Paid for a job, and in your wallet.",
        PRICE_MSAT / 1_000
    );
    assert_eq!(desktop.notifications().await, [told]);

    let receive = pb::ReceiveRequest {
        amount_msat: PRICE_MSAT,
        ..Default::default()
    };
    let mut hub = stage.world.hub.client().unwrap();
    let invoice = hub.receive(receive).await.unwrap().into_inner();
    balance_when(&mut provider, "spendable", |balance| {
        balance.spendable_msat >= PRICE_MSAT
    })
    .await
    .unwrap();
    withdraw(&display, &mut provider, &invoice.payment_request).await;

    // What was drawn on the way is told to the host.
    let frames = drawn(&mut provider).await;
    assert!(frames.frames > 0 && frames.max_us >= frames.p50_us, "{frames:?}");

    display.keys(&["ctrl+q"]).await;
    state(&mut provider, "online").await;
    display.keys(&["ctrl+q"]).await;
    let ended = timeout(PATIENCE, window.wait()).await.unwrap().unwrap();
    assert!(ended.success(), "{ended}");
    assert!(!control_socket(&home).exists());
    let sound = sound(&home).await.unwrap();
    assert_eq!((sound.settled, sound.difference_msat), (2, 0));
    stage.strike().await;
    display.stop().await;
    desktop.stop().await;
    assert_eq!(marked(&format!("{}={}", mark.0, mark.1)), Vec::<String>::new());
}
