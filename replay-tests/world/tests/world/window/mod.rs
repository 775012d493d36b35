//! The real window as a person meets it: on a display, by keys, with a real relay, model and wallet behind it.
mod desktop;
mod display;
mod first_run;

use std::{fs, path::Path, time::Duration};

use autopilot_host::{
    control::Client,
    sandbox::{ChainKind, Window},
};
use autopilot_proto::control::v1::{self as pb, watch_update::Answer};
use autopilot_world_tests::{
    questions::sound,
    stage::{PRICE_MSAT, Stage, balance_when, order, outcome, program, settled},
};
use desktop::Desktop;
use display::Display;
use serde_json::Value;
use tokio::time::timeout;

/// Bound of one change of state; generous, since machines are shared.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long one try waits for its effect, and how many there are.
const AGAIN: Duration = Duration::from_secs(10);
const TRIES: u32 = 6;

/// Watches one view until it is as wished.
async fn watched<T>(client: &mut Client, view: &str, wished: impl Fn(&Answer) -> Option<T>) -> T {
    let request = pb::WatchRequest {
        views: vec![view.to_owned()],
        ..pb::WatchRequest::default()
    };
    let mut updates = client.watch(request).await.unwrap().into_inner();
    let found = async {
        loop {
            let update = updates.message().await.unwrap().expect("the window runs");
            if let Some(found) = update.answer.as_ref().and_then(&wished) {
                return found;
            }
        }
    };
    let found = timeout(PATIENCE, found).await;
    found.unwrap_or_else(|_| panic!("{view} is not as wished in time"))
}

async fn state(client: &mut Client, word: &str) {
    watched(client, "status", |answer| match answer {
        Answer::Status(status) => (status.state == word).then_some(()),
        _ => None,
    })
    .await;
}

async fn pane_in_front(client: &mut Client, id: &str) {
    watched(client, "panes", |answer| match answer {
        Answer::Panes(panes) => panes
            .panes
            .iter()
            .any(|pane| pane.id == id && pane.focused)
            .then_some(()),
        _ => None,
    })
    .await;
}

/// Sequences and types in the session log of a home.
fn logged(home: &Path) -> Vec<(u64, String)> {
    let log = fs::read_to_string(home.join("logs/latest.jsonl")).unwrap();
    let facts = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    facts
        .map(|fact| {
            (
                fact["sequence"].as_u64().unwrap(),
                fact["type"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

/// Sequences and types as control tells them, from the first of these to the last.
async fn told(client: &mut Client, after: u64, last: u64) -> Vec<(u64, String)> {
    let request = pb::FollowRequest {
        after,
        limit: u32::try_from(last - after).unwrap(),
    };
    let mut facts = client.follow(request).await.unwrap().into_inner();
    let mut told = Vec::new();
    while let Some(fact) = facts.message().await.unwrap() {
        told.push((fact.sequence, fact.r#type));
    }
    told
}

/// Processes that carry this mark.
fn marked(mark: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let carries = |entry: &fs::DirEntry| {
        let environ = fs::read(entry.path().join("environ")).unwrap_or_default();
        environ.windows(mark.len()).any(|part| part == mark.as_bytes())
    };
    let lines = entries
        .filter(carries)
        .map(|entry| fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default());
    lines.filter(|line| !line.is_empty()).collect()
}

/// Pays an invoice as a person does, by keys alone: it is typed, looked at, and paid.
async fn withdraw(display: &Display, provider: &mut Client, invoice: &str) {
    // What is celebrated is seen; then the pane that is opened takes the keyboard.
    display.keys(&["Escape"]).await;
    display.keys(&["ctrl+7"]).await;
    pane_in_front(provider, "pane.pay_invoice").await;
    display.types(invoice).await;
    display.keys(&["ctrl+k"]).await;
    display.types("show who would be paid").await;
    display.keys(&["Return"]).await;
    // Only the screen tells that the plan is there, and only then the palette can pay it: so that is tried until it did.
    for _ in 0..TRIES {
        display.keys(&["ctrl+k"]).await;
        display.types("pay now").await;
        display.keys(&["Return"]).await;
        let withdrawn = watched(provider, "balance", |answer| match answer {
            Answer::Balance(balance) => (balance.withdrawn_msat == PRICE_MSAT).then_some(()),
            _ => None,
        });
        if timeout(AGAIN, withdrawn).await.is_ok() {
            return;
        }
        display.keys(&["Escape"]).await;
    }
    panic!("the invoice is not paid");
}

/// Online by a key, a job paid, sats withdrawn, and an end that a key asks for: what the window says, what control says
/// and what the session log says agree all along.
#[tokio::test(flavor = "multi_thread")]
async fn a_window_earns_is_paid_and_ends_by_keys() {
    let display = Display::start().await;
    let pictures = tempfile::tempdir().unwrap();
    let mark = format!("AUTOPILOT_TEST_MARK=window-{}", std::process::id());
    let (name, value) = mark.split_once('=').unwrap();
    let environment = [("DISPLAY", display.name.as_str()), (name, value)];
    let window = Window {
        program: program("autopilot").unwrap(),
        environment: environment
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
    };
    let mut stage = Stage::build_with(ChainKind::Simulated, |options| options.window = Some(window))
        .await
        .unwrap();
    let mut provider = stage.world.provider.client().unwrap();
    let mut buyer = stage.world.buyer.client().unwrap();
    let home = stage.world.provider.home.path().to_owned();

    display.title("offline").await;
    pane_in_front(&mut provider, "pane.go_online").await;
    display.picture(pictures.path(), "offline").await;

    display.keys(&["ctrl+g"]).await;
    state(&mut provider, "online").await;
    display.title("online").await;

    let pubkey = stage.world.provider.pubkey.clone();
    for question in ["Name three colours.", "Say hello in French."] {
        let purchase = order(&mut buyer, &pubkey, question).await.unwrap();
        let bought = outcome(&mut buyer, &purchase).await.unwrap();
        assert_eq!(bought.paid_msat, PRICE_MSAT, "{bought:?}");
    }
    let earnings = settled(&mut provider, 2).await.unwrap();
    assert_eq!(earnings.earned_msat, 2 * PRICE_MSAT);
    display.picture(pictures.path(), "paid").await;

    // By keyboard alone, through the palette.
    display.keys(&["ctrl+k"]).await;
    display.types("earnings").await;
    display.picture(pictures.path(), "palette").await;
    display.keys(&["Return"]).await;
    pane_in_front(&mut provider, "pane.earnings_scoreboard").await;
    display.keys(&["ctrl+6"]).await;
    pane_in_front(&mut provider, "pane.wallet").await;
    // And by control: the window follows.
    let opened = pb::PaneRequest {
        id: "pane.activity_feed".to_owned(),
    };
    provider.open_pane(opened).await.unwrap();
    pane_in_front(&mut provider, "pane.activity_feed").await;
    display.picture(pictures.path(), "panes").await;

    let receive = pb::ReceiveRequest {
        amount_msat: PRICE_MSAT,
        ..Default::default()
    };
    let invoice = stage
        .world
        .hub
        .client()
        .unwrap()
        .receive(receive)
        .await
        .unwrap()
        .into_inner();
    balance_when(&mut provider, "spendable", |balance| {
        balance.spendable_msat >= PRICE_MSAT
    })
    .await
    .unwrap();
    withdraw(&display, &mut provider, &invoice.payment_request).await;
    display.picture(pictures.path(), "withdrawn").await;
    display.keys(&["ctrl+l"]).await;
    display.picture(pictures.path(), "light").await;

    // What control tells so far is what the log has.
    let log = logged(&home);
    let (first, last) = (log.first().unwrap().0, log.last().unwrap().0);
    assert_eq!(told(&mut provider, first - 1, last).await, log);
    assert_eq!(log.iter().filter(|(_, kind)| kind == "job.settled").count(), 2);

    // While online, the first request to quit only asks.
    display.keys(&["ctrl+q"]).await;
    display.picture(pictures.path(), "quit").await;
    state(&mut provider, "online").await;
    display.keys(&["ctrl+q"]).await;
    assert_eq!(stage.world.somebody_ended().await, "provider");
    assert!(stage.world.provider.stop_in_order().await, "it ended well");
    let log = logged(&home);
    assert!(
        log.iter().any(|(_, kind)| kind == "provider.went_offline"),
        "{log:?}"
    );
    assert!(!stage.world.provider.home.control_socket().exists());
    let sound = sound(&home).await.unwrap();
    assert_eq!((sound.settled, sound.difference_msat), (2, 0));
    stage.strike().await;
    display.stop().await;
    assert_eq!(marked(&mark), Vec::<String>::new());
}
