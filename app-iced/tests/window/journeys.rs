//! Ways through the window, against a real host whose ports fail.
use std::sync::Arc;

use autopilot_app::{
    app::Message,
    command::Command,
    panes::{self, autopilot_chat},
    shortcuts::Stroke,
};
use autopilot_host::{desk::Pane, net::EmbeddedRelay};
use iced::widget::text_editor::{Action, Edit};

use crate::{
    pilot::{Pilot, lines, says},
    presets::{House, Preset},
    speaker::Speaker,
};

/// The palette reaches a pane by a few letters, and closes.
#[test]
fn the_palette_opens_what_is_typed() {
    let house = House::of(Preset::Fresh);
    let mut pilot = Pilot::open(&house.home);
    pilot.reads("offline");
    pilot.does(Message::Stroke(Stroke::Palette));
    // The palette alone names it.
    pilot.reads("Starter Jobs");
    pilot.does(Message::Palette(autopilot_app::palette::Message::Typed(
        "relay con".into(),
    )));
    pilot.does(Message::Stroke(Stroke::Enter));
    let seen = pilot.reads(Pane::RelayConnections.title());
    assert!(
        !says(&seen, "Starter Jobs"),
        "the palette is closed:\n{}",
        lines(&seen)
    );
}

/// A model that is missing and a network without relays stand against going online: in words, before and after it is tried.
#[test]
fn going_online_without_a_model_says_what_is_missing() {
    let house = House::of(Preset::Fresh);
    let mut pilot = Pilot::open(&house.home);
    pilot.only(Pane::GoOnline);
    pilot.reads("model");
    pilot.click("Go Online");
    let seen = pilot.until("the state while it waits or after", |seen| {
        says(seen, "connecting") || says(seen, "offline")
    });
    assert!(!seen.iter().any(|seen| seen.text == "online"), "{}", lines(&seen));
}

/// The wallet's process answers no more: the figures stay, and are not called connected.
#[test]
fn losing_the_wallet_is_said() {
    let mut house = House::of(Preset::Fresh);
    let mut pilot = Pilot::open(&house.home);
    pilot.only(Pane::Wallet);
    pilot.reads("21 sats");
    pilot.until("connected", |seen| {
        seen.iter().any(|seen| seen.text == "connected")
    });
    house.wallet.vanish();
    pilot.until("the loss", |seen| {
        !seen.iter().any(|seen| seen.text == "connected")
    });
}

/// The only relay goes away: the relay's line says so, and comes right again with it.
#[test]
fn losing_the_relay_is_said() {
    let relays = tokio::runtime::Runtime::new().unwrap();
    let relay = relays.block_on(EmbeddedRelay::start_on_loopback()).unwrap();
    let url = relay.url();
    let house = House::with(Preset::Fresh, |config| config.relays = vec![url.clone()]);
    let mut pilot = Pilot::open(&house.home);
    pilot.only(Pane::GoOnline);
    pilot.until("no word of relays", |seen| !says(seen, "relay"));
    relays.block_on(relay.shutdown());
    pilot.reads("relay");
}

/// A host was killed in the middle of a job: the next one tells what became of it.
#[test]
fn a_job_that_was_cut_off_is_shown_after_the_restart() {
    let house = House::of(Preset::MidJob);
    let mut pilot = Pilot::open(&house.home);
    pilot.only(Pane::ActiveJob);
    let seen = pilot.until("the job", |seen| !says(seen, "Loading"));
    assert!(says(&seen, "offline"), "{}", lines(&seen));
}

/// Amounts are hidden by one key, everywhere.
#[test]
fn amounts_can_be_hidden() {
    let house = House::of(Preset::Earner);
    let mut pilot = Pilot::open(&house.home);
    pilot.reads("120 sats");
    pilot.command(Command::HideAmounts);
    let seen = pilot.settle();
    let told = seen.iter().any(|seen| seen.text.ends_with(" sats"));
    assert!(says(&seen, "••••") && !told, "{}", lines(&seen));
}

/// A person writes to the model, sees its answer come, and has it whole.
#[test]
fn a_conversation_with_the_model() {
    let speaker = Speaker::start();
    let house = House::with(Preset::Fresh, |config| speaker.serves(config));
    let mut pilot = Pilot::open(&house.home);
    pilot.only(Pane::AutopilotChat);
    pilot.reads("parrot answers");
    let typed = Action::Edit(Edit::Paste(Arc::new("Count to two.".to_owned())));
    let typed = autopilot_chat::Message::Edited(typed);
    pilot.does(Message::Screen(panes::Message::AutopilotChat(typed)));
    pilot.click("Begin");
    pilot.until("the first piece", |seen| {
        says(seen, "running") && says(seen, "One ")
    });
    speaker.go_on();
    let seen = pilot.reads("One two.");
    assert!(says(&seen, "Count to two."), "{}", lines(&seen));
    pilot.reads("fact ");
}
