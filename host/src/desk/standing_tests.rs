use std::collections::{BTreeMap, BTreeSet};

use autopilot_core::{
    Input,
    input::{Command, Readiness},
    policy::default_policy,
};
use autopilot_events::{pb, words::Msat};

use super::*;
use crate::{
    desk::story::{NOON_MS, PRICE_MSAT, Story, figures, read_only},
    tailnet::{Device, Seen, Tailnet},
};

fn no_wallet(readiness: &mut Readiness) {
    readiness.receivable = Msat::ZERO;
    readiness.wallet_problem = Some("the wallet does not start: no blocks".to_owned());
}

fn no_channel(readiness: &mut Readiness) {
    readiness.receivable = Msat::ZERO;
    readiness.wallet_problem = Some("the wallet has no channel: a peer has to open one to it".to_owned());
}

fn no_relay(readiness: &mut Readiness) {
    readiness.relays_connected = 0;
}

fn no_model(readiness: &mut Readiness) {
    readiness.model = None;
    readiness.model_problem = Some("the model file is damaged: pull it again".to_owned());
}

fn bad_ledger(readiness: &mut Readiness) {
    readiness.ledger_problem = Some("the ledger does not hold: restore it".to_owned());
}

fn seen(state: &str) -> Tailnet {
    Tailnet::Seen(Seen {
        name: "home".to_owned(),
        state: state.to_owned(),
        devices: vec![Device {
            online: true,
            ..Device::default()
        }],
    })
}

/// Each pane in each state that it can have: the state, a word of the sentence, and the ledger behind it.
fn cases() -> Vec<(Pane, Kind, &'static str, Story)> {
    use Kind::*;
    vec![
        (Pane::AutopilotChat, Empty, "No model is chosen", Story::new()),
        (Pane::AutopilotChat, Empty, "Nothing was said", Story::provider()),
        (
            Pane::AutopilotChat,
            Ready,
            "One message waits",
            Story::provider().asked(),
        ),
        (
            Pane::AutopilotChat,
            Error,
            "damaged",
            Story::provider().asked().with(no_model),
        ),
        (
            Pane::AutopilotChat,
            Empty,
            "being loaded",
            Story::provider().with(|r| r.model = None),
        ),
        (
            Pane::AutopilotChat,
            Error,
            "damaged",
            Story::provider().with(no_model),
        ),
        (Pane::GoOnline, Empty, "no price", Story::new()),
        (Pane::GoOnline, Ready, "go online", Story::provider()),
        (Pane::GoOnline, Ready, "Online", Story::online()),
        (
            Pane::GoOnline,
            Error,
            "No relay",
            Story::provider().with(no_relay),
        ),
        (
            Pane::GoOnline,
            Error,
            "and 1 more",
            Story::online().with(no_relay).with(no_wallet),
        ),
        (Pane::ProviderStatus, Empty, "offers no work", Story::new()),
        (Pane::ProviderStatus, Empty, "never online", Story::provider()),
        (Pane::ProviderStatus, Ready, "Online and healthy", Story::online()),
        (
            Pane::ProviderStatus,
            Ready,
            "Offline",
            Story::paid().done(Input::Person(Command::GoOffline {
                reason: String::new(),
            })),
        ),
        (
            Pane::ProviderStatus,
            Error,
            "No relay",
            Story::online().with(no_relay),
        ),
        (Pane::TailnetStatus, Empty, "not looked at", Story::new()),
        (
            Pane::TailnetStatus,
            Empty,
            "not installed",
            Story::new().set(|s| s.tailnet = Tailnet::NotInstalled),
        ),
        (
            Pane::TailnetStatus,
            Empty,
            "stopped",
            Story::new().set(|s| s.tailnet = seen("Stopped")),
        ),
        (
            Pane::TailnetStatus,
            Ready,
            "One device in home, 1 online",
            Story::new().set(|s| s.tailnet = seen("Running")),
        ),
        (
            Pane::TailnetStatus,
            Error,
            "Earning goes on",
            Story::online().set(|s| s.tailnet = Tailnet::Trouble("it hangs".to_owned())),
        ),
        (Pane::JobInbox, Empty, "No relay is configured", Story::new()),
        (Pane::JobInbox, Empty, "No request came", Story::provider()),
        (Pane::JobInbox, Empty, "No request came", Story::online()),
        (Pane::JobInbox, Ready, "One request", Story::working()),
        (
            Pane::JobInbox,
            Error,
            "No relay is connected",
            Story::online().with(no_relay),
        ),
        (Pane::ActiveJob, Empty, "No job", Story::provider()),
        (Pane::ActiveJob, Empty, "No job", Story::online()),
        (Pane::ActiveJob, Ready, "One job is", Story::working()),
        (
            Pane::ActiveJob,
            Ready,
            "being loaded",
            Story::working().with(|r| r.model = None),
        ),
        (Pane::ActiveJob, Error, "damaged", Story::working().with(no_model)),
        (Pane::JobHistory, Empty, "No job", Story::online()),
        (Pane::JobHistory, Ready, "One job was", Story::paid()),
        (Pane::EarningsScoreboard, Empty, "No sats", Story::working()),
        (Pane::EarningsScoreboard, Ready, "1 jobs", Story::paid()),
        (Pane::Wallet, Empty, "no channel", Story::new().with(no_channel)),
        (Pane::Wallet, Ready, "can be spent", Story::provider()),
        (
            Pane::Wallet,
            Error,
            "does not start",
            Story::provider().with(no_wallet),
        ),
        (
            Pane::PayInvoice,
            Empty,
            "nothing to spend",
            Story::new().with(no_channel),
        ),
        (
            Pane::PayInvoice,
            Empty,
            "nothing to spend",
            Story::provider().done(figures(0, 1)),
        ),
        (Pane::PayInvoice, Ready, "can be sent", Story::provider()),
        (
            Pane::PayInvoice,
            Error,
            "does not start",
            Story::provider().with(no_wallet),
        ),
        (
            Pane::PayInvoice,
            Error,
            "does not start",
            Story::new().with(no_wallet),
        ),
        (
            Pane::CreateInvoice,
            Empty,
            "Nothing can be received",
            Story::new().with(no_channel),
        ),
        (Pane::CreateInvoice, Ready, "can be received", Story::provider()),
        (
            Pane::CreateInvoice,
            Error,
            "does not start",
            Story::provider().with(no_wallet),
        ),
        (Pane::IdentityKeys, Ready, "never backed up", Story::new()),
        (
            Pane::IdentityKeys,
            Ready,
            "were backed up",
            Story::new().done(Input::Person(Command::NoteBackup(pb::IdentityBackedUp {
                to: "screen".to_owned(),
            }))),
        ),
        (
            Pane::IdentityKeys,
            Error,
            "never backed up",
            Story::paid().done(Input::Person(Command::SetPolicy(pb::Policy {
                backup_stop_msat: 1,
                ..default_policy(PRICE_MSAT)
            }))),
        ),
        (Pane::AlertsRecovery, Ready, "needs your attention", Story::paid()),
        (
            Pane::RelayConnections,
            Empty,
            "No relay is configured",
            Story::new(),
        ),
        (Pane::RelayConnections, Ready, "2 of 2", Story::provider()),
        (
            Pane::RelayConnections,
            Error,
            "No relay is connected",
            Story::provider().with(no_relay),
        ),
        (Pane::SyncHealth, Empty, "not synced", Story::online()),
        (
            Pane::NetworkRequests,
            Empty,
            "Nothing was bought",
            Story::provider(),
        ),
        (
            Pane::NetworkRequests,
            Ready,
            "One request is open",
            Story::buying(),
        ),
        (
            Pane::NetworkRequests,
            Error,
            "No relay is connected",
            Story::buying().with(no_relay),
        ),
        (Pane::StarterJobs, Empty, "No Nexus", Story::online()),
        (Pane::ActivityFeed, Ready, "One fact is", Story::new()),
        (
            Pane::ActivityFeed,
            Error,
            "does not hold",
            Story::online().with(bad_ledger),
        ),
        (Pane::AlertsRecovery, Empty, "Nothing is wrong", Story::new()),
        (Pane::AlertsRecovery, Empty, "Nothing is wrong", Story::online()),
        (
            Pane::AlertsRecovery,
            Ready,
            "No relay is connected",
            Story::online().with(no_relay),
        ),
        (Pane::Settings, Ready, "takes effect", Story::provider()),
        (Pane::Settings, Error, "read-only", read_only()),
    ]
}

/// The states that each pane can have.
fn possible(pane: Pane) -> BTreeSet<&'static str> {
    let states: &[Kind] = match pane {
        Pane::SyncHealth | Pane::StarterJobs => &[Kind::Empty],
        Pane::JobHistory | Pane::EarningsScoreboard | Pane::AlertsRecovery => &[Kind::Ready, Kind::Empty],
        Pane::ActivityFeed | Pane::Settings | Pane::IdentityKeys => &[Kind::Ready, Kind::Error],
        _ => &[Kind::Ready, Kind::Empty, Kind::Error],
    };
    states.iter().map(|kind| kind.name()).collect()
}

#[test]
fn every_pane_in_every_state_that_it_can_have() {
    let mut met: BTreeMap<Pane, BTreeSet<&str>> = BTreeMap::new();
    for (pane, kind, words, story) in cases() {
        let standing = standing(pane, &story.engine, &story.setting, NOON_MS);
        assert_eq!(standing.kind, kind, "{pane:?}: {standing:?}");
        assert!(
            standing.sentence.contains(words),
            "{pane:?} {words:?}: {standing:?}"
        );
        met.entry(pane).or_default().insert(kind.name());
    }
    for pane in Pane::ALL {
        assert_eq!(met.get(pane), Some(&possible(*pane)), "{pane:?}");
    }
}

#[test]
fn every_answer_is_whole_over_every_ledger() {
    for (_, _, _, story) in cases() {
        let can_earn = story.engine.standing(NOON_MS).can_earn();
        for pane in Pane::ALL {
            let said = standing(*pane, &story.engine, &story.setting, NOON_MS);
            assert!(
                said.sentence.ends_with('.') && !said.sentence.contains(".."),
                "{pane:?}: {said:?}"
            );
            assert!(possible(*pane).contains(said.kind.name()), "{pane:?}: {said:?}");
            if said.kind == Kind::Error {
                assert!(!said.next.is_empty(), "{pane:?}: {said:?}");
                assert_eq!(
                    said.sentence.contains("Earning goes on"),
                    can_earn,
                    "{pane:?}: {said:?}"
                );
            }
        }
    }
}
