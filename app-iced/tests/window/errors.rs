//! What breaks at a port is told in every pane that rests on it: what broke, what can be done, and whether earning is
//! possible meanwhile. The host and its folds are real; only the other side of each port follows a script.
use std::process::Command;

use autopilot_host::{desk::Pane, net::EmbeddedRelay};
use tokio::runtime::Runtime;

use crate::{
    panes::own,
    pilot::{Pilot, Seen, lines, says},
    presets::{House, Preset},
    speaker::Speaker,
};

/// While online.
const UNTIL_THEN: &str = "No earning is possible until then.";
/// While offline.
const NOT_NOW: &str = "Earning is not possible now.";

/// Takes the rows of the history out of a ledger.
const TAKE_ROWS: &str =
    "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('ALTER TABLE history RENAME TO taken')";

/// A provider whose wallet, relay and model are there, and can be taken away one by one.
struct Provider {
    house: House,
    relays: Runtime,
    relay: Option<EmbeddedRelay>,
    model: Option<Speaker>,
}

impl Provider {
    /// One that is online, by the window's own switch.
    fn online() -> Provider {
        let relays = Runtime::new().unwrap();
        let relay = relays.block_on(EmbeddedRelay::start_on_loopback()).unwrap();
        let model = Speaker::start();
        let house = House::with(Preset::Fresh, |config| {
            config.relays = vec![relay.url()];
            model.serves(config);
        });
        let mut pilot = Pilot::open(&house.home);
        pilot.only(Pane::GoOnline);
        pilot.reads("Nothing stands against earning");
        pilot.click("Go Online");
        pilot.until("that it is online", |seen| {
            seen.iter().any(|seen| seen.text == "online")
        });
        Provider {
            house,
            relays,
            relay: Some(relay),
            model: Some(model),
        }
    }

    fn loses_the_relay(&mut self) {
        if let Some(relay) = self.relay.take() {
            self.relays.block_on(relay.shutdown());
        }
    }
}

/// The pane itself, and not only the bar above it, says all of these words.
fn tells(house: &House, pane: Pane, words: &[&str]) {
    let mut pilot = Pilot::open(&house.home);
    pilot.only(pane);
    let said = |seen: &[Seen]| {
        let titled = seen.iter().any(|seen| seen.text == pane.title());
        titled && words.iter().all(|words| says(&own(seen, pane), words))
    };
    pilot.until(&format!("{pane:?} with {words:?}"), said);
}

#[test]
fn a_wallet_that_is_gone() {
    let mut provider = Provider::online();
    provider.house.wallet.vanish();
    let gone = "The wallet does not answer";
    tells(
        &provider.house,
        Pane::Wallet,
        &[gone, UNTIL_THEN, "Refresh; what is in the wallet is safe."],
    );
    tells(
        &provider.house,
        Pane::PayInvoice,
        &[gone, UNTIL_THEN, "Payments wait until the wallet is back."],
    );
    tells(
        &provider.house,
        Pane::CreateInvoice,
        &[gone, UNTIL_THEN, "Look at the Wallet."],
    );
    tells(
        &provider.house,
        Pane::GoOnline,
        &[gone, UNTIL_THEN, "Online, and nothing can be earned now"],
    );
    tells(
        &provider.house,
        Pane::ProviderStatus,
        &[gone, UNTIL_THEN, "degraded"],
    );
}

#[test]
fn a_relay_that_is_gone() {
    let mut provider = Provider::online();
    provider.loses_the_relay();
    let gone = "No relay is connected and answers";
    for pane in [Pane::RelayConnections, Pane::JobInbox] {
        tells(
            &provider.house,
            pane,
            &[gone, UNTIL_THEN, "Retry in Relay Connections."],
        );
    }
    // The window's own way, and no command for a terminal.
    let check = "check “Relay Connections” (Ctrl+K)";
    tells(&provider.house, Pane::GoOnline, &[gone, UNTIL_THEN, check]);
    tells(&provider.house, Pane::ProviderStatus, &[gone, UNTIL_THEN, check]);
}

#[test]
fn a_model_that_is_gone() {
    let mut provider = Provider::online();
    provider.model.take();
    let gone = "No model is ready: ";
    tells(
        &provider.house,
        Pane::GoOnline,
        &[gone, UNTIL_THEN, "Online, and nothing can be earned now"],
    );
    tells(&provider.house, Pane::ProviderStatus, &[gone, UNTIL_THEN]);
}

/// A job was being worked on when the host was killed, and neither its text nor a model is there any more.
#[test]
fn a_job_that_cannot_be_worked_on() {
    let house = House::of(Preset::MidJob);
    tells(
        &house,
        Pane::GoOnline,
        &["no model is ready: ", "Offline", "What stands against it"],
    );
    let why = "request-unreadable: its text is missing or damaged";
    tells(&house, Pane::ActiveJob, &["failed", why]);
}

#[test]
fn nothing_is_there() {
    let mut house = House::of(Preset::Fresh);
    house.wallet.vanish();
    tells(&house, Pane::Wallet, &["The wallet does not answer", NOT_NOW]);
    tells(
        &house,
        Pane::RelayConnections,
        &["No relay is connected and answers", NOT_NOW],
    );
}

/// Rows of a view can't be read: its pane says so and goes on asking when it is told to; earning goes on, and is said to.
#[test]
fn rows_that_cannot_be_read() {
    let house = House::of(Preset::Earner);
    // Another program takes them away: only the store's own room knows SQLite here.
    let taken = Command::new("python3")
        .args(["-c", TAKE_ROWS])
        .arg(house.home.ledger_file())
        .status()
        .unwrap();
    assert!(taken.success());
    let mut pilot = Pilot::open(&house.home);
    pilot.only(Pane::JobHistory);
    let seen = pilot.reads("Try again");
    assert!(
        says(&seen, "no such table") || says(&seen, "can't be read"),
        "{}",
        lines(&seen)
    );
    assert!(
        says(&own(&seen, Pane::JobHistory), "whether earning is possible"),
        "{}",
        lines(&seen)
    );
}
