use autopilot_app::panes::{
    Wish,
    provider_status::{Message, ProviderStatus},
};
use autopilot_proto::control::v1::{
    CanaryReply, Cause, FailureLine, MissedLine, MissedReply, OutcomeLine, ProviderReply, StatusReply,
    watch_update::Answer,
};

use crate::stage::{NOW_MS, Stage};

fn stage() -> Stage<ProviderStatus> {
    let mut stage = Stage::<ProviderStatus>::new();
    let provider = ProviderReply {
        state: "online".into(),
        heartbeat_age_ms: Some(120_000),
        uptime_ms: 3_660_000,
        in_flight: 2,
        running: 1,
        places: 4,
        failures: vec![FailureLine {
            class: "payment".into(),
            jobs: 3,
            today: 1,
            last_words: "the invoice ran out".into(),
            last_at_ms: Some(NOW_MS - 60_000),
            ..FailureLine::default()
        }],
        completion_permille: Some(987),
        last_outcome: Some(OutcomeLine {
            job_id: "ab".repeat(32),
            good: true,
            words: "paid".into(),
            at_ms: NOW_MS,
            sequence: 3,
        }),
        ..ProviderReply::default()
    };
    stage.tell("provider", Answer::Provider(provider));
    stage
}

#[test]
fn it_loads_breaks_or_tells() {
    let mut loading = Stage::<ProviderStatus>::new();
    loading.shows(&["Loading"]);
    loading.break_view("provider");
    loading.shows(&["the ledger can't be read now"]);
    let mut stage = stage();
    stage.shows(&[
        "online",
        "2 min ago",
        "1 h 1 min",
        "1 of 4",
        "payment",
        "1 today",
        "98.7 %",
    ]);
    assert_eq!(stage.click("Why?"), [Wish::Explain("ab".repeat(32))]);
    // It was told before, and can't be told anew: both are seen.
    stage.break_view("provider");
    stage.shows(&["the ledger can't be read now", "98.7 %"]);
}

#[test]
fn green_rests_on_a_recent_trial() {
    let mut stage = stage();
    stage.shows(&["It was never tried as a stranger would."]);
    stage.click("Try it now");
    stage.shows(&["Trying …"]);
    let reply = CanaryReply {
        words: "quoted, worked and paid in 4 s".into(),
        ..CanaryReply::default()
    };
    stage.update(Message::Tried(Ok(reply)));
    stage.shows(&["quoted, worked and paid in 4 s", "Try it now"]);
}

#[test]
fn missing_jobs_and_missed_sats_have_a_reason_and_a_command() {
    let mut stage = stage();
    let status = StatusReply {
        why_no_jobs: vec![Cause {
            sentence: "your price is above what is bid".into(),
            next: "autopilotctl policy set --min-price 1sat".into(),
            ..Cause::default()
        }],
        ..StatusReply::default()
    };
    stage.tell("status", Answer::Status(status));
    stage.shows(&[
        "Why am I getting no jobs?",
        "your price is above what is bid",
        // What the host calls by a command is the window's own entry here.
        "“Settings” (Ctrl+,)",
        "Adding up",
    ]);
    let missed = MissedReply {
        received: 10,
        taken: 4,
        missed: vec![MissedLine {
            reason: "price-too-low".into(),
            jobs: 6,
            msat: 12_000,
            setting: "min_price".into(),
            setting_now: "3 sat".into(),
            setting_needed: "2 sat".into(),
            next: "autopilotctl policy set --min-price 2sat".into(),
        }],
        ..MissedReply::default()
    };
    stage.update(Message::Missed(Ok(missed)));
    stage.shows(&["6 jobs, 12 sats", "min_price 3 sat → 2 sat would have taken them"]);
    let copied = stage.choose("Provider Status: copy the command that sets min_price");
    assert_eq!(
        copied,
        [Wish::Copy(
            "autopilotctl policy set --min-price 2sat".into(),
            "Command"
        )]
    );
}
